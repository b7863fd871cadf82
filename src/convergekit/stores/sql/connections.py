"""Connections beside the writer's, on worker threads: to look, and for what takes so long that it would hold up all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from sqlalchemy import Connection

from convergekit.errors import StoreError

from .clock import LedgerClock
from .database import AWAY, Database

__all__ = ["Connections", "Work"]

T = TypeVar("T")
_MOST: Final = 4


class Work(Protocol):
    """Runs a function with a connection, on another thread, in one transaction; raises `StoreError`.

    The function may be run again when the transaction is.
    """

    def __call__(self, function: Callable[[Connection], T], /) -> Awaitable[T]:
        """Return what *function* returned, once the transaction is over."""
        ...


class Connections:
    """See the module.

    Args:
        database: Where the ledger is.
        clock: The ledger's, which knows whether it is open.
    """

    def __init__(self, database: Database, clock: LedgerClock) -> None:
        self._database = database
        self._clock = clock
        self._limiter: CapacityLimiter | None = None

    def start(self) -> None:
        """In the event loop that the ledger is opened in."""
        self._limiter = CapacityLimiter(_MOST)

    async def read(self, function: Callable[[Connection], T], /) -> T:
        """Run *function* with a connection that only reads; once more where the database was away for a moment."""
        self._clock.now()
        return await run_sync(self._read, function, limiter=self._limiter)

    def _read(self, function: Callable[[Connection], T]) -> T:
        for pause in (*AWAY[:2], None):
            try:
                with self._database.reading() as connection:
                    return function(connection)
            except StoreError:
                raise
            except Exception as error:
                if pause is None or not self._database.is_away(error):
                    raise self._database.failed(error) from error
                time.sleep(pause)
        raise AssertionError

    async def write(self, function: Callable[[Connection], T], /) -> T:
        """Run *function* in a transaction of its own."""
        self._clock.now()
        return await run_sync(self._write, function, limiter=self._limiter)

    def _write(self, function: Callable[[Connection], T]) -> T:
        try:
            with self._database.connect() as connection, connection.begin():
                return function(connection)
        except StoreError:
            raise
        except Exception as error:
            raise self._database.failed(error) from error
