"""Time under the control of a test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

import anyio
from anyio.lowlevel import checkpoint

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` that stands still until it is told to go on.

    Args:
        start: What `now` says at first.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`: returns once the test has let so much time pass."""
        if seconds <= 0:
            await checkpoint()
            return
        event = anyio.Event()
        heappush(self._sleepers, (self._elapsed + seconds, next(self._order), event))
        await event.wait()

    def advance(self, seconds: float) -> None:
        """Let *seconds*, which is not negative, pass at once, and wake all whose time has come."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed + 1e-9:
            heappop(self._sleepers)[2].set()
