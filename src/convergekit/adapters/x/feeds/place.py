"""Where reading a feed goes on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from ..snowflakes import first_id, read_id

__all__ = ["Place"]

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a feed; its JSON form is the cursor.

    Args:
        since: Id of the newest item that was admitted; 0 where there was none.
        looked: The day (UTC) on which the feed was last looked through up to it, or None.
    """

    since: int
    looked: datetime | None = None

    @classmethod
    def of(cls, cursor: Any) -> Self | None:
        """What *cursor* says; None for a feed that is new, or where it makes no sense."""
        if not isinstance(cursor, Mapping):
            return None
        said = read_id(cursor.get("since"))
        if said is None and cursor.get("since") != "0":
            return None
        return cls(int(said or 0), _day(cursor.get("looked")))

    def to_cursor(self) -> dict[str, str]:
        """Its JSON form."""
        looked = {"looked": f"{self.looked:%Y-%m-%d}"} if self.looked is not None else {}
        return {"since": str(self.since), **looked}

    def looked_at(self, now: datetime) -> Self:
        """The same after it was looked through. By days, so that a feed that is silent is not written each time."""
        return replace(self, looked=now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))

    def is_ahead(self, now: datetime) -> bool:
        """Whether it lies more than a day in the future: nothing would be heard until then."""
        return self.since >= int(first_id(now + _A_DAY))

    def is_out_of(self, kept: timedelta, now: datetime) -> bool:
        """Whether what X keeps for *kept* may have gone since the feed was looked through. A day is allowed for."""
        return self.looked is not None and now - self.looked > kept + _A_DAY


def _day(said: Any) -> datetime | None:
    try:
        return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
