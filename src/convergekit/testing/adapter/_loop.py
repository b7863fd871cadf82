"""An event loop for one piece of work, in a thread of its own: whatever the work does, there is an end to it.

An adapter that holds on against every cancellation, or never lets go of the loop, would otherwise end a run of tests
without a word, and for ever.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from threading import Thread
from time import monotonic
from types import AsyncGeneratorType, CoroutineType
from typing import Final

import anyio
from anyio.lowlevel import EventLoopToken, current_token

from convergekit.errors import place_of

from ._virtual import Time, time_of

__all__ = ["EscapesError", "HangsError", "run"]

_PERSISTENCE: Final = 5.0  # seconds; then it is left where it is, since a call in C may never end


class HangsError(Exception):
    """The work had not ended in time."""


class EscapesError(Exception):
    """Something came out of the work that is no error, and would have ended the process."""


def run(work: Callable[[Time], Awaitable[None]], backend: str, *, seconds: float, grace: float = 1.0) -> None:
    """Run *work* on a new event loop.

    Args:
        work: Gets the time of that loop.
        backend: The loop.
        seconds: Real ones, after which it is cancelled ...
        grace: ... and after so many more ended by force, where that does not help.

    Raises:
        HangsError: It had not ended by then. What *work* itself raises comes out as well.
        EscapesError: It has raised what is no `Exception`: `SystemExit`, or the like.
    """
    trial = _Trial(work, backend)
    trial.start()
    trial.wait(seconds)
    if not trial.is_alive():
        trial.ended()
        return
    trial.cancel()
    trial.wait(grace)
    if not trial.is_alive():
        raise HangsError(f"it had not ended after {seconds:g} s")
    trial.kill()
    raise HangsError(f"it had not ended after {seconds:g} s, and does not end when it is cancelled")


def _keep_for_ever() -> None:
    """Let no coroutine that there is now ever be collected.

    That closes it where it stands, and one that catches everything and goes on would do so in the collector, for ever.
    """
    for each in gc.get_objects():
        if isinstance(each, CoroutineType | AsyncGeneratorType):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


class _Killed(SystemExit):
    """Raised where the work is just now: asyncio lets no other exception than this one out of its loop."""


class _Trial(Thread):
    def __init__(self, work: Callable[[Time], Awaitable[None]], backend: str) -> None:
        super().__init__(name="convergekit contract", daemon=True)
        self._work, self._backend, self._time = work, backend, time_of(backend)
        self._scope: anyio.CancelScope | None = None
        self._token: EventLoopToken | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            anyio.run(self._main, backend=self._backend, backend_options=self._time.options)
        except BaseException as error:  # for whoever waits for us
            self._error = error

    async def _main(self) -> None:
        self._token = current_token()
        with anyio.CancelScope() as self._scope:
            await self._work(self._time)

    def wait(self, seconds: float) -> None:
        """Wait so long for its end, and longer while somebody looks at it in a debugger."""
        until = monotonic() + seconds
        while self.is_alive() and (monotonic() < until or self._is_looked_at()):
            self.join(max(0.05, until - monotonic()))

    def ended(self) -> None:
        """Raise what it has raised."""
        if self._error is None:
            return
        for leaf in _leaves(self._error):
            if not isinstance(leaf, Exception):
                raise EscapesError(f"it raised {type(leaf).__name__} at {place_of(leaf)}, which ends the whole process")
        raise self._error

    def cancel(self) -> None:
        """Cancel it, if it has begun."""
        if self._scope is not None:
            self._soon(self._scope.cancel)

    def kill(self) -> None:
        """Raise in the midst of it, again and again: once it will be where nobody catches that."""
        _keep_for_ever()
        until = monotonic() + _PERSISTENCE
        while self.is_alive() and monotonic() < until and self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(_Killed))
            self._soon(lambda: None)  # it may sleep
            self.join(0.02)

    def _soon(self, function: Callable[[], object]) -> None:
        native = None if self._token is None else self._token.native_token
        soon = getattr(native, "call_soon_threadsafe", None) or getattr(native, "run_sync_soon", None)
        if soon is not None:
            # It may have come to its end just now, or have been ended in the midst of that, with its sockets closed.
            with suppress(RuntimeError, OSError):
                soon(function)

    def _is_looked_at(self) -> bool:
        frame = sys._current_frames().get(self.ident or 0)
        while frame is not None:
            if frame.f_globals.get("__name__") == "bdb":
                return True
            frame = frame.f_back
        return False
