"""Time that passes as it does, but where a check skips it: then a wait in which nothing happens takes no time.

So a time-out of a minute is tried in a moment, also where the far side is a real server: what is skipped is only what
would have been waited for in vain. The loop of asyncio has no such clock, so one is made here; this is the only module
of the contract that names a loop.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["Time", "time_of"]

#: Real seconds without anything, a byte from a socket or the end of a thread's work, after which nothing is expected.
_IDLE: Final = 0.02


class Time(ABC):
    """The time of one event loop, which is not running yet.

    Attributes:
        options: What the loop is to be started with: `backend_options` of `anyio.run`.
    """

    options: dict[str, Any]

    @contextmanager
    def skipped(self) -> Generator[None]:
        """Inside, no wait takes longer than it takes to see that nothing happens."""
        self.skip(True)
        try:
            yield
        finally:
            self.skip(False)

    @abstractmethod
    def skip(self, on: bool) -> None:
        """From now on, or no more."""


def time_of(backend: str) -> Time:
    """A new one for *backend*."""
    return _Trio() if backend == "trio" else _Asyncio()


class _Trio(Time):
    def __init__(self) -> None:
        from trio.testing import MockClock

        self._clock = MockClock(rate=1.0)
        self.options = {"clock": self._clock}

    def skip(self, on: bool) -> None:
        self._clock.autojump_threshold = _IDLE if on else math.inf


class _Asyncio(Time):
    def __init__(self) -> None:
        self._selector = _Selector()
        self.options = {"loop_factory": lambda: _Loop(self._selector)}

    def skip(self, on: bool) -> None:
        self._selector.skips = on


class _Selector(selectors.DefaultSelector):
    """Where the loop waits: for as long as it asks, or until it is plain that nothing comes."""

    skips = False
    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if not self.skips or timeout is None or timeout <= _IDLE:
            return super().select(timeout)
        ready = super().select(_IDLE)
        if not ready:
            self.skipped += timeout - _IDLE
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Selector) -> None:
        super().__init__(selector)
        self._skipping = selector

    def time(self) -> float:
        return super().time() + self._skipping.skipped
