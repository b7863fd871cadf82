"""Where reading a feed goes on. Pure.

Ids are given out on many machines, so what is shown later may have a smaller one. So as long as the newest item is
young, reading begins a little before it, and what was handed on there is known by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from ..snowflakes import LARGEST, first_id, moment_of, read_id

__all__ = ["Place", "latest"]

_A_DAY: Final = timedelta(days=1)
#: How much smaller the id of something may be that is shown later; and for how long that may happen.
_LATE: Final = timedelta(seconds=30)
_YOUNG: Final = timedelta(minutes=2)
#: More are not kept.
_RECENT: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a feed; its JSON form is the cursor.

    Args:
        since: Id of the newest item that was admitted; 0 where there was none.
        looked: The day (UTC) on which the feed was last looked through up to it, or None.
        recent: Ids that were admitted and are not much smaller than `since`.
    """

    since: int
    looked: datetime | None = None
    recent: tuple[int, ...] = ()

    @classmethod
    def of(cls, cursor: Any) -> Self | None:
        """What *cursor* says; None for a feed that is new, or where it makes no sense."""
        if not isinstance(cursor, Mapping):
            return None
        said = read_id(cursor.get("since"))
        if said is None and cursor.get("since") != "0":
            return None
        recent = cursor.get("recent")
        ids = (read_id(each) for each in (recent if isinstance(recent, list) else ()))
        return cls(int(said or 0), _day(cursor.get("looked")), tuple(int(id) for id in ids if id is not None))

    def to_cursor(self) -> dict[str, Any]:
        """Its JSON form."""
        looked = {"looked": f"{self.looked:%Y-%m-%d}"} if self.looked is not None else {}
        recent = {"recent": [str(id) for id in self.recent]} if self.recent else {}
        return {"since": str(self.since), **looked, **recent}

    def is_new(self, id: int) -> bool:
        """Whether what has this *id*, and was found from `floor` on, was not admitted yet."""
        return id > self._before and id not in self.recent

    def floor(self, now: datetime) -> int:
        """Id from where on the feed is looked through."""
        at = moment_of(str(self.since))
        return self._before if at is not None and now - at < _YOUNG else self.since

    def after(self, ids: Iterable[int], *, latest: int = LARGEST) -> Self:
        """The same once *ids* are admitted; none that is above *latest* moves it, or nothing below would be heard."""
        ids = list(ids)
        moved = type(self)(max((self.since, *(id for id in ids if id <= latest))), self.looked)
        near = sorted(id for id in {*self.recent, *ids} if id > moved._before)
        return type(self)(moved.since, self.looked, tuple(near[-_RECENT:]))

    @property
    def _before(self) -> int:
        """Id of what is too old to be shown late; what is not kept in a crowd counts as that."""
        at = moment_of(str(self.since))
        before = self.since if at is None else min(self.since, int(first_id(at - _LATE)))
        return max(before, min(self.recent[0], self.since)) if len(self.recent) >= _RECENT else before

    def looked_at(self, now: datetime) -> Self:
        """The same after it was looked through. By days, so that a feed that is silent is not written each time."""
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return type(self)(self.since, day, self.recent)

    def is_ahead(self, now: datetime) -> bool:
        """Whether it lies more than a day in the future: nothing would be heard until then."""
        return self.since > latest(now)

    def is_out_of(self, kept: timedelta, now: datetime) -> bool:
        """Whether what X keeps for *kept* may have gone since the feed was looked through. A day is allowed for."""
        return self.looked is not None and now - self.looked > kept + _A_DAY


def latest(now: datetime) -> int:
    """The greatest id that can have been given out, whatever our clock says: up to a day from now."""
    return int(first_id(now + _A_DAY)) - 1


def _day(said: Any) -> datetime | None:
    try:
        return datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
