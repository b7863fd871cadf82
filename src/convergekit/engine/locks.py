"""Locks that hold among all who share the ledger.

Rules kept here:

- Inside one process those who wait are served in turn; between processes it is a race.
- A lock is a name that is owned (`ownership.Term`), so it ends with a process that has died, `LOCK` seconds after its
  last sign of life. Whoever holds it is told when it is lost: what is done under it is cancelled, and at the end there
  is a `LeaseLostError`. So nobody goes on in the belief of being alone.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final
from uuid import uuid4

import anyio

from convergekit.abc import Clock, Store
from convergekit.errors import LeaseLostError, StoreError

from .ownership import Term

__all__ = ["LOCK", "Locks"]

LOCK: Final = 30.0
_SOONEST: Final = 0.01  # between two tries to have what another process holds; doubled each time ...
_LATEST: Final = 0.2  # ... up to this
_CLOSING: Final = 5.0


class Locks:
    """Some of the ledger's locks. Those who use the same names share one of these in a process.

    Args:
        store: The ledger.
        clock: Time.
        log: Where to tell.
    """

    def __init__(self, store: Store, clock: Clock, log: logging.Logger) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._queues: dict[str, anyio.Lock] = {}

    @asynccontextmanager
    async def held(self, name: str) -> AsyncGenerator[None]:
        """Be the only one inside, under *name*.

        Raises:
            LeaseLostError: At the end: the lock was lost meanwhile, and what was done under it was cancelled.
            StoreError: The ledger failed, and we were never inside.
        """
        queue = self._queues.setdefault(name, anyio.Lock())
        try:
            async with queue:
                if getattr(self._store, "is_shared", True):
                    async with self._alone(f"lock:{name}"):
                        yield
                else:
                    yield
        finally:
            state = queue.statistics()
            if not state.locked and not state.tasks_waiting:
                self._queues.pop(name, None)

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncGenerator[None]:
        """The same, among processes."""
        term = await self._taken(name)
        trouble: Exception | None = None
        is_lost = False

        async def keep() -> None:
            nonlocal is_lost
            await term.keep()
            is_lost = True
            tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(keep)
                try:
                    yield
                except Exception as error:  # no more: on Trio a group of cancellations is a cancellation, too
                    trouble = error  # raised below: the caller's own error is not to come out as a group
                tasks.cancel_scope.cancel()
        finally:
            await term.let_go()
        if trouble is not None:
            raise trouble
        if is_lost:
            raise LeaseLostError(f"the {name} was lost, and somebody else may have it")

    async def _taken(self, name: str) -> Term:
        pause, holder = _SOONEST, uuid4().hex
        term = Term(self._store, self._clock, name, lambda: holder, LOCK, self._log)
        try:
            while not await term.take():
                await self._clock.sleep(pause)
                pause = min(_LATEST, pause * 2)
        except BaseException:  # it may be ours since a moment ago, and nobody would know
            with anyio.move_on_after(_CLOSING, shield=True), suppress(StoreError):
                await self._store.own(name, holder, 0.0)
            raise
        return term
