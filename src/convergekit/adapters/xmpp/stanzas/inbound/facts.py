"""What reading a stanza asks of those who know, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from xml.etree.ElementTree import Element

from convergekit.model import Event

from ...identities import Identities

__all__ = ["Archived", "Facts", "Occupant", "Reading", "RoomFacts"]


class Occupant(Protocol):
    """Somebody in a room, as the room itself says.

    Attributes:
        jid: Their real JID, where the room shows it.
        occupant_id: Theirs in this room whatever they call themselves (XEP-0421), where the room's is to be believed.
        stay: Another one each time that somebody enters under this nickname.
    """

    @property
    def jid(self) -> str | None: ...
    @property
    def occupant_id(self) -> str | None: ...
    @property
    def stay(self) -> int: ...


class RoomFacts(Protocol):
    """A room that we are in, or are about to be in.

    Attributes:
        nickname: Ours.
        trusts_occupant_ids: Whether the room says that it makes them (XEP-0421): then nobody else can.
    """

    @property
    def nickname(self) -> str: ...
    @property
    def trusts_occupant_ids(self) -> bool: ...

    def occupant(self, nickname: str) -> Occupant | None:
        """Who is in it under *nickname* now, or None where nobody is known to be."""
        ...


class Facts(Protocol):
    """What is known about us and around us. All JIDs are normalised (`jids`).

    Attributes:
        own: Our bare JID; of a component its domain.
        full: Our full JID, as it was bound; of a component its domain.
        is_component: Whether everybody at our domain is us.
        receipts: Whether who asks for it is told that a message arrived (XEP-0184).
        identities: What names which message; reading tells it of each.
    """

    @property
    def own(self) -> str: ...
    @property
    def full(self) -> str: ...
    @property
    def is_component(self) -> bool: ...
    @property
    def receipts(self) -> bool: ...
    @property
    def identities(self) -> Identities: ...

    def trusts_ids(self, by: str) -> bool:
        """Whether *by*, our own bare JID or a room's, says that it removes forged stanza-ids (XEP-0359)."""
        ...

    def room(self, bare: str) -> RoomFacts | None:
        """The room *bare*, where we are in it or are about to be."""
        ...


@dataclass(frozen=True, slots=True)
class Archived:
    """Where a message stands in an archive (XEP-0313).

    Args:
        feed: "" for our own, "room:<bare JID>" for a room's.
        id: Its id there.
        at: When it was archived, where that is known.
    """

    feed: str
    id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stanza says.

    Args:
        events: To admit, in this order.
        notices: Ephemeral events.
        replies: What to post once the events are safe.
        archived: Where it stands in an archive, if whoever says so is to be believed; never a sender.
    """

    events: tuple[Event, ...] = ()
    notices: tuple[Event, ...] = ()
    replies: tuple[Element, ...] = ()
    archived: Archived | None = None
