"""The ledger's time: the hub's clock, or the database's own where several machines have to mean the same by it."""

from __future__ import annotations

from datetime import datetime
from threading import Lock
from typing import Final

from convergekit.abc import Clock, SettableClock
from convergekit.errors import NotRunningError, StoreError

from .rows import micros, moment

__all__ = ["LedgerClock"]

_STEP: Final = 50_000  # microseconds by which clocks may differ


class LedgerClock:
    """The clock of an open ledger.

    Args:
        is_its_own: Whether time is the database's, so that workers whose clocks differ agree on leases.
    """

    def __init__(self, *, is_its_own: bool) -> None:
        self.is_its_own = is_its_own
        self._clock: Clock | None = None
        self._settable: SettableClock | None = None
        self._moved = 0  # microseconds by which we have set the hub's clock ahead
        self._lock = Lock()  # several threads ask

    def start(self, clock: Clock) -> None:
        """The ledger is open, with the clock of its hub; raises `StoreError` where it was open already."""
        if self._clock is not None:
            raise StoreError("this store is open already; give each hub a store of its own")
        self._clock = clock
        self._settable = clock if self.is_its_own and isinstance(clock, SettableClock) else None

    def stop(self) -> None:
        """The ledger is closed."""
        self._clock = self._settable = None

    def now(self) -> datetime:
        """What time it is; raises `NotRunningError` where the ledger is closed."""
        if self._clock is None:
            raise NotRunningError("the store is closed: use it inside `async with hub`")
        return self._clock.now()

    def seconds(self) -> float:
        """The same, since 1970."""
        return micros(self.now()) / 1e6

    def given(self) -> int | None:
        """What a transaction is told: microseconds, or None where it has to ask."""
        return None if self.is_its_own else micros(self.now())

    def asked(self) -> int:
        """When the database is asked for its time, for `follow`: microseconds, by the machine's clock."""
        clock = self._settable
        if clock is None:
            return 0
        with self._lock:
            return micros(clock.now()) - self._moved

    def follow(self, now: int, asked: int) -> None:
        """Let the hub's clock show the database's time, so that all workers mean the same by it.

        Its *now* was at some moment between *asked* and this one, and which is not known: the process may have stood
        still in between. So the clock is set only where it was ahead before, or is behind after; and not at every
        little difference.
        """
        clock = self._settable
        if clock is None:
            return
        with self._lock:
            shown = micros(clock.now())
            ahead, behind = asked + self._moved - now, now - shown
            if max(ahead, behind) < _STEP:
                return
            step = behind if behind > 0 else -ahead
            clock.set(moment(shown + step))
            self._moved += step
