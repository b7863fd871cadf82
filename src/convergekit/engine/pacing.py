"""How fast a channel may send: its rate, and a pause that the medium has asked for.

A worker never waits for a turn: a channel without one is not claimed from, so a slow channel costs the others nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from convergekit.abc import Clock

from .options import Rate

__all__ = ["Pace"]


class Pace:
    """Turns of one channel.

    Args:
        rate: Limit on parts, spread evenly; None for none.
        clock: Time.
    """

    def __init__(self, rate: Rate | None, clock: Clock) -> None:
        self._every = timedelta(seconds=rate.per / rate.count) if rate is not None else None
        self._clock = clock
        self._open_at: datetime | None = None

    def opens_at(self) -> datetime | None:
        """When the next turn can be taken; None for now."""
        if self._open_at is not None and self._open_at > self._clock.now():
            return self._open_at
        return None

    def limit(self, room: int) -> int:
        """How many of *room* deliveries may be claimed now: with a rate one at a time, since each takes a turn."""
        if self.opens_at() is not None:
            return 0
        return room if self._every is None else min(room, 1)

    def take(self) -> datetime | None:
        """Take a turn; where there is none now, when there will be."""
        opens_at = self.opens_at()
        if opens_at is None and self._every is not None:
            self._open_at = self._clock.now() + self._every
        return opens_at

    def pause(self, seconds: float) -> None:
        """No turn before so many seconds have passed."""
        until = self._clock.now() + timedelta(seconds=seconds)
        self._open_at = until if self._open_at is None else max(until, self._open_at)
