"""Time and identity, as arguments."""

from __future__ import annotations

import logging
import random as _random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic
from typing import Final

import anyio

from convergekit.abc import Clock
from convergekit.errors import StoreError

__all__ = ["Alarm", "Ids", "Patience", "SystemClock", "within"]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE: Final = 5.0


class SystemClock:
    """The machine's own clocks, of which the wall clock can be set: see `SettableClock`."""

    def __init__(self) -> None:
        self._ahead: timedelta | None = None

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC) if self._ahead is None else datetime.now(UTC) + self._ahead

    def set(self, now: datetime) -> None:
        """See `SettableClock.set`."""
        self._ahead = now - datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await anyio.sleep(max(0.0, seconds))


class Ids:
    """Makes ids that sort by time: 48 bits of milliseconds, 16 of a counter, 64 random (after RFC 9562 §5.7)."""

    def __init__(self, clock: Clock, random: _random.Random) -> None:
        self._clock = clock
        self._random = random
        self._count = 0

    def __call__(self) -> str:
        """The next id: 32 hexadecimal digits."""
        self._count = (self._count + 1) & 0xFFFF
        return f"{self.since(self._clock.now())}{self._count:04x}{self._random.getrandbits(64):016x}"

    @staticmethod
    def since(moment: datetime) -> str:
        """What sorts before every id that is made from *moment* on, and behind those of the millisecond before."""
        return f"{int(moment.timestamp() * 1000):012x}"


class Alarm:
    """Calls *ring* once the earliest moment that was set has come. Runs as one task, however often it is set.

    Args:
        clock: Time.
        ring: Called without awaiting anything.
        nap: Seconds after which it looks again what time it is, for a wall clock may be set while one sleeps.
    """

    def __init__(self, clock: Clock, ring: Callable[[], None], *, nap: float = inf) -> None:
        self._clock = clock
        self._ring = ring
        self._nap = nap
        self._at: datetime | None = None
        self._asleep: anyio.CancelScope | None = None
        self._set = anyio.Event()

    def set(self, moment: datetime | None) -> None:
        """Ring at *moment* too; None changes nothing."""
        if moment is None or (self._at is not None and self._at <= moment):
            return
        self._at = moment
        self._set.set()
        if self._asleep is not None:
            self._asleep.cancel()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            if self._at is None:
                self._set = anyio.Event()
                await self._set.wait()
                continue
            seconds = (self._at - self._clock.now()).total_seconds()
            if seconds > 0:
                with anyio.CancelScope() as self._asleep:
                    await self._clock.sleep(min(seconds, self._nap))
                self._asleep = None
                continue
            self._at = None
            self._ring()


class Patience:
    """One task's pauses while the ledger is away: 1, 2, 4, then every 5 seconds, for as long as it takes.

    Args:
        clock: Time.
        what: What cannot be done meanwhile, for the log: "claiming".
    """

    def __init__(self, clock: Clock, what: str) -> None:
        self._clock = clock
        self._what = what
        self._failures = 0

    async def wait(self, error: StoreError) -> None:
        """Say so, at the first failure, the second, the fourth ...; return when it is time to try again."""
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            _log.error("%s failed for the %s. time: %s; it is tried again", self._what, self._failures, error)
        await self._clock.sleep(min(_LONGEST_PAUSE, 2.0 ** (self._failures - 1)))

    def over(self) -> None:
        """It worked."""
        if self._failures:
            _log.warning("%s works again", self._what)
            self._failures = 0


async def within(clock: Clock, seconds: float, work: Callable[[], Awaitable[object]]) -> bool:
    """Await *work* for at most *seconds* of *clock*; tells whether it came to its end. Its errors come out bare."""
    trouble: Exception | None = None
    ended = False
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            nonlocal trouble, ended
            try:
                await work()
                ended = True
            except Exception as error:
                trouble = error
            tasks.cancel_scope.cancel()

        tasks.start_soon(run)
        await clock.sleep(seconds)
        tasks.cancel_scope.cancel()
    if trouble is not None:
        raise trouble
    return ended
