"""What a channel hears by, kept going: its `listen`, or one feed that is polled.

A failing one is restarted with exponential back-off, full jitter and a cap, and the back-off begins anew after a
stable time. An `AccountError` ends it: a person has to act. So does a `LeaseLostError`: another process hears it now.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from convergekit.abc import Clock, Cursor, RetryPolicy
from convergekit.errors import AccountError, ConvergeError, LeaseLostError, NotRunningError, ThrottledError

from .context import EngineContext
from .strays import NO_STRAYS

__all__ = ["RESTART", "STABLE", "Hearing", "first_of", "in_words", "polling"]

RESTART: Final = RetryPolicy(base=1.0, factor=2.0, cap=300.0)
STABLE: Final = 60.0


class Hearing(TaskStatus[None]):
    """One supervised way in. It is the `task_status` that it hands to `listen`.

    Args:
        what: For logs: "listen", "poll inbox".
        work: Hears until it is cancelled; calls `task_status.started()` once it is connected.
        clock: Time.
        random: For jitter.
        log: The channel's.
        changed: Called after `reason` has changed.

    Attributes:
        reason: Why nothing is heard now, or None.
        tried: Set once it is connected, or has failed for the first time.
    """

    def __init__(
        self,
        what: str,
        work: Callable[[TaskStatus[None]], Awaitable[None]],
        clock: Clock,
        random: Random,
        log: logging.Logger,
        changed: Callable[[], None],
    ) -> None:
        self.reason: str | None = None
        self.tried = anyio.Event()
        self._what = what
        self._work = work
        self._clock = clock
        self._random = random
        self._log = log
        self._changed = changed
        self._failures = 0
        self._connected_at: float | None = None

    def started(self, value: None = None) -> None:
        """It is connected."""
        if self._connected_at is None:
            self._connected_at = self._clock.monotonic()
        self.tried.set()
        self._says(None)

    async def run(self) -> AccountError | LeaseLostError | None:
        """Hear until cancelled, or there is nothing more to hear, or a person has to act, or another hears it."""
        try:
            while True:
                self._connected_at = None
                try:
                    with NO_STRAYS:
                        await self._work(self)
                    self._says(None)
                    return None
                except NotRunningError:
                    return None  # the hub closes
                except Exception as error:
                    trouble = first_of(error)
                if isinstance(trouble, AccountError | LeaseLostError):
                    return trouble
                await self._clock.sleep(self._failed(trouble))
        finally:
            self.tried.set()

    def _failed(self, trouble: BaseException) -> float:
        """Say so; returns the seconds until the next try."""
        connected = self._connected_at
        if connected is not None and self._clock.monotonic() - connected >= STABLE:
            self._failures = 0
        self._failures += 1
        seconds = RESTART.delay(self._failures, self._random.random)
        if isinstance(trouble, ThrottledError):
            seconds = max(seconds, trouble.retry_after)
        self._log.warning("%s failed: %s; again in %.1f s", self._what, in_words(trouble), seconds)
        self._says(f"{self._what} failed: {in_words(trouble)}")
        self.tried.set()
        return seconds

    def _says(self, reason: str | None) -> None:
        if reason != self.reason:
            self.reason = reason
            self._changed()


async def polling(
    adapter: Any, feed: str, context: EngineContext, clock: Clock, *, task_status: TaskStatus[None]
) -> None:
    """Poll one feed for ever; its cursor is stored together with the events before it."""
    cursor = await context.cursor(feed)
    while True:
        polled = await adapter.poll(feed, cursor)
        if polled.events or polled.cursor != cursor:
            await context.admit(*polled.events, cursor=Cursor(polled.cursor, feed))
            cursor = polled.cursor
        task_status.started()
        if not polled.more:
            await clock.sleep(adapter.poll_interval if polled.wait is None else polled.wait)


def first_of(error: BaseException) -> BaseException:
    """Of a group, what ends a hearing if there is such, else the first: what a person should be told."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [first_of(each) for each in error.exceptions]
    return next((leaf for leaf in leaves if isinstance(leaf, AccountError | LeaseLostError)), leaves[0])


def in_words(error: BaseException) -> str:
    """For people and logs. Only our own errors are quoted: a library's text may hold a secret."""
    reason = getattr(error, "reason", None) or str(error)
    return str(reason) if isinstance(error, ConvergeError) else type(error).__name__
