"""What a session asks of the rooms and of the roster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol
from xml.etree.ElementTree import Element

from .facts import KnownRoom
from .stanzas.inbound import Reading

__all__ = ["EnteredRoom", "InRooms", "OfContacts"]


class InRooms(Protocol):
    """What a session asks of `Rooms`."""

    entered: Callable[[str], None]
    entering: Callable[[str], AbstractContextManager[object]]

    def room(self, jid: str) -> EnteredRoom | None:
        """The room *jid*, where we are in it or are about to be."""
        ...

    def read(self, element: Element, *, now: datetime) -> Reading | None:
        """What a presence changes; None where it is from no room."""
        ...

    @property
    def joined(self) -> Sequence[EnteredRoom]:
        """Those that we are in now."""
        ...

    def doubt(self, jid: str) -> None:
        """*jid* has refused what we said: it may be a room that has forgotten us."""
        ...

    async def rejoin(self, *, resumed: bool = False) -> None:
        """Be in all rooms again, when a session has begun; in bounded time."""
        ...

    async def keep(self) -> None:
        """Stay in them until cancelled."""
        ...


class EnteredRoom(KnownRoom, Protocol):
    """A room, and whether it has an archive."""

    @property
    def jid(self) -> str:
        """Its bare JID."""
        ...

    @property
    def has_archive(self) -> bool:
        """Whether it keeps what is said in it (XEP-0313)."""
        ...


class OfContacts(Protocol):
    """What a session asks of `Roster`."""

    def read(self, element: Element, *, now: datetime) -> Reading:
        """What a presence from elsewhere than a room, or a push of the roster, says."""
        ...

    async def begin(self, *, resumed: bool = False) -> None:
        """When a session has begun: learn the roster, and be seen."""
        ...

    async def keep(self) -> None:
        """What is to be done beside the session, until cancelled."""
        ...
