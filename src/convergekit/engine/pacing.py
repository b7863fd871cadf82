"""How fast a channel may send: its rate, and a pause that the medium has asked for. All workers of a ledger share both.

Rules kept here:

- A worker does not wait for a turn that is not soon: a channel without one is not claimed from, so a slow channel
  costs the others nothing. What is claimed a moment ahead is ready when its turn comes, however long claiming takes.
- The ledger keeps one moment for each channel: nobody takes a turn before it. With a rate, whoever moves it on has the
  time until then to itself, and spaces its own turns in it; so a fast channel costs a commit a second, and not one a
  part. How many turns it takes at once is twice what it used of the last ones, up to `_AHEAD` seconds' worth.
- A turn lasts as long as the rate says and ends before that moment, and what is moved on begins there, or later. So no
  two turns come closer than the rate says, and turns that nobody uses are lost.
- A pause moves it on, too. A channel without a rate costs the ledger nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

import anyio

from convergekit.abc import Clock, Store

from .options import Rate

__all__ = ["Pace"]

_SCOPE: Final = "pace"
_AHEAD: Final = timedelta(seconds=1)
_SOON: Final = timedelta(seconds=0.1)
_LATE: Final = timedelta(seconds=0.5)  # a tenth of this, or of a turn, is what storing a reservation may take
_NOBODY: Final = ""


class Pace:
    """Turns of one channel.

    Args:
        rate: Limit on parts, spread evenly; None for none.
        clock: Time.
        store: The ledger.
        channel: Name.
        holder: Who we are; no other hub is that, ever.
    """

    def __init__(self, rate: Rate | None, clock: Clock, store: Store, channel: str, holder: Callable[[], str]) -> None:
        self._every = timedelta(microseconds=max(1, ceil(rate.per / rate.count * 1e6))) if rate is not None else None
        self._clock = clock
        self._store = store
        self._channel = channel
        self._holder = holder
        self._open_at: datetime | None = None  # no turn before
        self._left_at: datetime | None = None  # when the last part went, or will
        self._ours_until: datetime | None = None  # the moment in the ledger, where we have put it
        self._used = 0
        self._pause: datetime | None = None
        self._untold: datetime | None = None  # a pause that is not in the ledger yet
        self._one_by_one = anyio.Lock()

    def claims_at(self) -> datetime | None:
        """When something may be claimed for the next turn, as far as is known here; None for now."""
        if self._open_at is not None and self._open_at - _SOON > self._clock.now():
            return self._open_at - _SOON
        return None

    def limit(self, room: int) -> int:
        """How many of *room* deliveries may be claimed now: with a rate as many as have a turn soon."""
        if self.claims_at() is not None:
            return 0
        return room if self._every is None else min(room, 1 + (self._soonest() - self._next()) // self._every)

    async def take(self) -> datetime | None:
        """Take the next turn: when it is, which may be a moment from now; None where there is none so soon."""
        if self._every is None:
            return self._next() if self.claims_at() is None else None
        async with self._one_by_one:
            turn = self._next()
            if turn <= self._soonest() and not self._fits(turn, self._every):
                turn = await self._reserved(turn, self._every)
            if turn > self._soonest():
                self._not_before(turn)
                return None
            self._open_at = turn + self._every
            self._used += 1
            return turn

    async def leave(self) -> None:
        """Just before a part leaves: wait, where storing its mark has brought it too close to the one before."""
        if self._every is None:
            return
        now = self._clock.now()
        self._left_at = now if self._left_at is None else max(now, self._left_at + self._every)
        if self._left_at > now:
            await self._clock.sleep((self._left_at - now).total_seconds())

    @property
    def is_paused(self) -> bool:
        """Whether the medium has asked for a pause, also since a turn was taken."""
        return self._pause is not None and self._pause > self._clock.now()

    def pause(self, seconds: float) -> None:
        """No turn before so many seconds have passed. Tell the others by `tell`."""
        until = self._clock.now() + timedelta(seconds=seconds)
        self._pause = self._untold = until if self._pause is None else max(until, self._pause)
        self._not_before(until)

    async def tell(self) -> None:
        """Write down a pause that only we know of."""
        while (until := self._untold) is not None:
            moment, _, version = await self._stored()
            is_told = moment is not None and moment >= until
            if is_told or await self._store.put(_SCOPE, self._channel, _written(until, _NOBODY), version=version):
                self._untold = None

    async def refresh(self) -> None:
        """Learn of pauses and turns that others have written down, also in an earlier life."""
        moment, is_ours, _ = await self._stored()
        if moment is not None and not is_ours:
            self._not_before(moment)

    def _next(self) -> datetime:
        now = self._clock.now()
        return now if self._open_at is None else max(now, self._open_at)

    def _soonest(self) -> datetime:
        return self._clock.now() + _SOON

    def _fits(self, turn: datetime, every: timedelta) -> bool:
        return self._ours_until is not None and turn + every <= self._ours_until

    async def _reserved(self, turn: datetime, every: timedelta) -> datetime:
        """Have the time from *turn* on to ourselves, or from when nobody else has it; returns that moment.

        If it is not soon, nothing is reserved.
        """
        turns = max(1, min(2 * self._used, _AHEAD // every))
        while True:
            moment, is_ours, version = await self._stored()
            start = max(turn, self._clock.now())
            if moment is not None and not is_ours:
                start = max(start, moment)
            if start > self._soonest():
                return start
            until = start + turns * every + min(every, _LATE) / 10
            if await self._store.put(_SCOPE, self._channel, _written(until, self._holder()), version=version):
                self._ours_until, self._used = until, 0
                return start

    async def _stored(self) -> tuple[datetime | None, bool, int]:
        """(the moment in the ledger, whether we have put it there, its version)."""
        value, version = await self._store.get(_SCOPE, self._channel)
        if value is None:
            return None, False, version
        moment = datetime.fromisoformat(value["at"])
        return moment, value["by"] == self._holder() and moment == self._ours_until, version

    def _not_before(self, moment: datetime) -> None:
        self._open_at = moment if self._open_at is None else max(moment, self._open_at)


def _written(moment: datetime, by: str) -> dict[str, Any]:
    return {"at": moment.isoformat(), "by": by}
