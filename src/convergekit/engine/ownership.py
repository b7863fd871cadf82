"""What only one process may do: owned through the ledger, renewed while it is done, given back at the end.

Rules kept here:

- Ownership lasts `OWNING` seconds, or as long as a lease if that is shorter, and is renewed each third. When a
  renewal is refused, or the time runs out without one (the process was stopped, the ledger is away), the work is
  cancelled at once.
- Our time is counted from before we asked, by a clock that never goes back: at no moment do we believe in more than
  the ledger has given.
- Whoever works under ownership admits under its `fence`. The last fence stays after the loss, so that what is left of
  the work is refused by the ledger, too.
- The work has ended before ownership is given back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final

import anyio

from convergekit.abc import Clock, Fence, Store
from convergekit.errors import StoreError

from .clock import within

__all__ = ["OWNING", "Ownership", "Term", "current_fence"]

OWNING: Final = 30.0
_SOON: Final = 1.0  # between two looks at what somebody else owns, if the ledger changes; six in `OWNING` if not
_ELSEWHERE: Final = "owned by another worker"
_LAPSED: Final = "%s was not renewed in time, and is another's to take"
_TAKEN: Final = "%s has been taken over by another worker"
_CLOSING: Final = 5.0

#: Under whose ownership this task works. Tasks inherit it from those that start them.
_current: ContextVar[Ownership | None] = ContextVar("convergekit.ownership", default=None)


def current_fence() -> Fence | None:
    """What this task has to admit under; None where it does nothing that is owned."""
    owner = _current.get()
    return None if owner is None else owner.fence


class Term:
    """A name in the ledger that is ours for a while: taken, kept, given back.

    Args:
        store: The ledger.
        clock: Time.
        name: What is owned.
        holder: Who we are; nobody else is that, ever.
        seconds: How long it is ours after each renewal.
        log: Where to tell.

    Attributes:
        fence: The last one that we had, or None.
    """

    def __init__(
        self, store: Store, clock: Clock, name: str, holder: Callable[[], str], seconds: float, log: logging.Logger
    ) -> None:
        self.fence: Fence | None = None
        self._store = store
        self._clock = clock
        self._name = name
        self._holder = holder
        self._seconds = seconds
        self._log = log
        self._ends = 0.0

    async def take(self) -> bool:
        """Own it, or go on owning it; tells whether it is ours.

        Raises:
            StoreError: The ledger cannot tell.
        """
        asked = self._clock.monotonic()
        fence = await self._store.own(self._name, self._holder(), self._seconds)
        if fence is None:
            return False
        self.fence, self._ends = fence, asked + self._seconds
        return True

    async def keep(self) -> None:
        """Renew it; return when that was refused, or when the time has run out."""
        pause, said = self._seconds / 3, False
        while True:
            await self._clock.sleep(pause)
            left = self._ends - self._clock.monotonic()
            if left <= 0:
                self._log.warning(_LAPSED, self._name)
                return
            try:
                owned = await self._renewed(left)
                if not owned:
                    self._log.warning(_LAPSED if owned is None else _TAKEN, self._name)
                    return
                pause, said = self._seconds / 3, False
            except StoreError as error:
                if not said:
                    self._log.warning("%s was not renewed: %s; ours for %.0f s more", self._name, error, left)
                pause, said = min(_SOON, left), True

    async def _renewed(self, left: float) -> bool | None:
        """Whether it is ours still; None where the ledger has not said so in time."""
        owned: bool | None = None

        async def take() -> None:
            nonlocal owned
            owned = await self.take()

        await within(self._clock, left, take)
        return owned

    async def let_go(self) -> None:
        """Let somebody else have it at once."""
        if self.fence is None:
            return
        # Shielded, so that another can take over at once; bounded, since a ledger may hang.
        with anyio.move_on_after(_CLOSING, shield=True):
            try:
                await self._store.disown(self.fence)
            except StoreError as error:
                self._log.warning("%s was not given back: %s; it is free when its time has run out", self._name, error)


class Ownership:
    """The right to one thing.

    Args:
        store: The ledger.
        clock: Time.
        name: What is owned.
        holder: Who we are; no other hub is that, ever.
        seconds: How long it is ours after each renewal.
        log: Where to tell.
        changed: Called after `reason` has changed.

    Attributes:
        reason: Why we wait for it, or None.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        name: str,
        holder: Callable[[], str],
        seconds: float,
        log: logging.Logger,
        changed: Callable[[], None],
    ) -> None:
        self.reason: str | None = None
        self._clock = clock
        self._seconds = seconds
        self._changed = changed
        self._term = Term(store, clock, name, holder, seconds, log)
        self._given_up = False
        self._waiting: anyio.CancelScope | None = None
        self._working: anyio.CancelScope | None = None
        self._look = anyio.Event()

    @property
    def fence(self) -> Fence | None:
        """The last one that we had, or None."""
        return self._term.fence

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process owns it, as far as we know."""
        return self.reason == _ELSEWHERE

    async def during(self, work: Callable[[], Awaitable[None]], tried: Callable[[], None]) -> None:
        """Do *work* whenever we own it; return once it has ended by itself, or after `give_up`.

        Args:
            work: Cancelled when ownership is lost, and begun anew when it is ours again.
            tried: Called when we have asked, and have to wait.
        """
        while await self._taken(tried):
            try:
                if await self._kept(work):
                    return
            finally:
                await self._term.let_go()

    def look(self) -> None:
        """It may be free now: ask soon."""
        self._look.set()

    def lost(self) -> None:
        """It is not ours any more: end the work."""
        if self._working is not None:
            self._working.cancel()

    def give_up(self) -> None:
        """Wait for it no longer. Work that has begun goes on to its end."""
        self._given_up = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def _taken(self, tried: Callable[[], None]) -> bool:
        """Whether it is ours now; waits until it is, or until we give up."""
        try:
            with anyio.CancelScope() as self._waiting:
                while not self._given_up:
                    self._look = anyio.Event()
                    asked = self._clock.monotonic()
                    if await self._is_ours_now():
                        return True
                    tried()
                    await within(self._clock, self._seconds / 6, self._look.wait)
                    await self._clock.sleep(max(0.0, asked + _SOON - self._clock.monotonic()))
        finally:
            self._waiting = None
            self._says(None)
        return False

    async def _is_ours_now(self) -> bool:
        try:
            owned = await self._term.take()
        except StoreError as error:
            self._says(f"the ledger cannot tell who owns it: {error}")
            return False
        if not owned:
            self._says(_ELSEWHERE)
        return owned

    async def _kept(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do *work*; tells whether it came to its end while it was ours."""
        ended = False
        token = _current.set(self)
        try:
            async with anyio.create_task_group() as tasks:
                self._working = tasks.cancel_scope
                tasks.start_soon(self._keep)
                await work()
                ended = not tasks.cancel_scope.cancel_called  # it may have been lost at the very end
                tasks.cancel_scope.cancel()
        finally:
            self._working = None
            _current.reset(token)
        return ended

    async def _keep(self) -> None:
        await self._term.keep()
        self.lost()

    def _says(self, reason: str | None) -> None:
        if reason != self.reason:
            self.reason = reason
            self._changed()
