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
    """Somebody in a room, as the room itself says."""

    @property
    def jid(self) -> str | None:
        """Their real JID, where the room shows it."""
        ...

    @property
    def occupant_id(self) -> str | None:
        """Theirs in this room whatever they call themselves (XEP-0421), where the room's is to be believed."""
        ...

    @property
    def stay(self) -> int:
        """Another one each time that somebody enters under this nickname."""
        ...


class RoomFacts(Protocol):
    """A room that we are in, or are about to be in."""

    @property
    def nickname(self) -> str:
        """Ours."""
        ...

    @property
    def trusts_occupant_ids(self) -> bool:
        """Whether the room says that it makes occupant ids (XEP-0421): then nobody else can."""
        ...

    def occupant(self, nickname: str) -> Occupant | None:
        """Who is in it under *nickname* now, or None where nobody is known to be."""
        ...


class Facts(Protocol):
    """What is known about us and around us. All JIDs are normalised (`jids`)."""

    @property
    def own(self) -> str:
        """Our bare JID; of a component its domain."""
        ...

    @property
    def full(self) -> str:
        """Our full JID, as it was bound; of a component its domain."""
        ...

    @property
    def is_component(self) -> bool:
        """Whether everybody at our domain is us."""
        ...

    @property
    def receipts(self) -> bool:
        """Whether who asks for it is told that a message arrived (XEP-0184)."""
        ...

    @property
    def identities(self) -> Identities:
        """What names which message; reading tells it of each."""
        ...

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
        refused: What in it is not believed, for the log; None where nothing is.
    """

    events: tuple[Event, ...] = ()
    notices: tuple[Event, ...] = ()
    replies: tuple[Element, ...] = ()
    archived: Archived | None = None
    refused: str | None = None
