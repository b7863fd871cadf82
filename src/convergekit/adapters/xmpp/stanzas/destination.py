"""Where something is said, and among whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from convergekit.model import Address

from ..jids import address_of

__all__ = ["Destination", "DestinationKind"]


class DestinationKind(Enum):
    """Among whom something is said."""

    DIRECT = "direct"
    """To somebody's account, or to one device of it."""
    ROOM = "room"
    """To all in a room."""
    PRIVATE = "private"
    """To one occupant of a room, through it."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where something is said.

    Args:
        jid: As it is written on the wire.
        kind: What it is.
        conversation: The JID, normalised, by which `Identities` and reports know it: bare, or of the occupant.
        sender: Of a component, from whom, as it is written on the wire; else None, for the server says it.
    """

    jid: str
    kind: DestinationKind
    conversation: str
    sender: str | None = None

    @property
    def is_room(self) -> bool:
        """Whether all in a room are meant."""
        return self.kind is DestinationKind.ROOM

    @property
    def address(self) -> Address:
        """Whose reports are about what is said here."""
        return address_of(self.conversation)
