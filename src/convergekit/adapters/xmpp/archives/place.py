"""Where we are in an archive. Pure.

An id counts for as long as the archive has that message; the moment stands in for it afterwards. The place moves only
with what was admitted, and not at all by what comes live while older messages may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from convergekit.abc import Cursor

from ..stanzas.times import moment

__all__ = ["Place", "Places"]


@dataclass(frozen=True, slots=True)
class Place:
    """Behind one message of an archive.

    Args:
        id: Its id there; None where the id is not known, or of no use any more.
        at: When it was archived or came, about. With neither, it is the beginning of the archive.
    """

    id: str | None = None
    at: datetime | None = None

    @classmethod
    def from_value(cls, value: Any) -> Self | None:
        """What `to_value` gave; None for None, which is stored before anything else is."""
        if not isinstance(value, Mapping):
            return None
        id, at = value.get("id"), value.get("at")
        return cls(id if isinstance(id, str) else None, moment(at) if isinstance(at, str) else None)

    def to_value(self) -> dict[str, Any]:
        """As the value of a cursor: JSON-able."""
        return {"id": self.id, "at": None if self.at is None else self.at.isoformat()}


class Places:
    """The places that live messages have moved, and that are not stored yet."""

    def __init__(self) -> None:
        self._live: set[str] = set()
        self._moved: dict[str, Place] = {}

    def clear(self) -> None:
        """Forget all; no feed is live."""
        self._live.clear()
        self._moved.clear()

    def go_live(self, feed: str) -> None:
        """All that is older is admitted: from now on live messages move the place."""
        self._live.add(feed)

    def is_live(self, feed: str) -> bool:
        """Whether nothing older is missing in *feed*."""
        return feed in self._live

    def stop(self, feed: str) -> None:
        """Something older may be missing."""
        self._live.discard(feed)
        self._moved.pop(feed, None)

    def move(self, feed: str, place: Place) -> None:
        """A live message that stands at *place* is about to be admitted."""
        if feed in self._live:
            self._moved.pop(feed, None)
            self._moved[feed] = place

    def next(self) -> Cursor | None:
        """The one that waits longest to be stored; call it for what is admitted together with it."""
        if not self._moved:
            return None
        feed = next(iter(self._moved))
        return Cursor(self._moved.pop(feed).to_value(), feed)
