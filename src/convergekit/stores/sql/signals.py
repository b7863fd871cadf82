"""How a process learns that another one has changed the ledger.

Polling is the floor, and must do alone: SQLite is asked whether its file has changed, PostgreSQL is looked at each
second. On PostgreSQL a notification makes it quicker: at most one in 20 ms and never inside a transaction that
anybody waits for, since commits that notify go one after another.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from anyio.lowlevel import EventLoopToken, current_token
from anyio.to_thread import run_sync
from sqlalchemy import text

from .database import Database
from .writer import soon

__all__ = ["Signals"]

_log = logging.getLogger(__name__)
_CHANNEL: Final = "convergekit"
_EVERY: Final = 0.02
_FLOOR: Final = 1.0
_SOON: Final = 0.05
_AWAY: Final = 2.0


class Signals:
    """See the module.

    Args:
        database: Whose.
        identity: Ours, so that nobody is woken by itself.
        data_version: Asks SQLite, on the writer's own connection, for a number that others change.
    """

    def __init__(self, database: Database, identity: str, data_version: Callable[[], Awaitable[int]]) -> None:
        self._database = database
        self._identity = identity
        self._data_version = data_version
        self._rung = anyio.Event()
        self._placed = anyio.Event()
        self._token: EventLoopToken | None = None
        self._seen: int | None = None
        self._pause = _SOON
        self._listening: Any = None
        self._telling: Any = None

    async def run(self) -> None:
        """Listen and tell, until cancelled."""
        self._rung, self._placed = anyio.Event(), anyio.Event()
        self._token = current_token()
        try:
            if self._database.is_sqlite:
                await anyio.sleep_forever()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen)
                tasks.start_soon(self._tell)
        finally:
            self._token = None

    def placed(self) -> None:
        """Something may be served now: others are told. From any thread."""
        if not self._database.is_sqlite:  # whose file they look at by themselves; to wake our loop for nothing is dear
            self._soon(lambda: self._placed.set())

    def posted(self) -> None:
        """A host has committed on a connection of its own: like a change from elsewhere. From any thread."""

        def ring() -> None:
            self._placed.set()
            self._rung.set()

        self._soon(ring)

    def _soon(self, call: Callable[[], object]) -> None:
        if self._token is not None:
            soon(self._token, call)

    async def changed(self) -> None:
        """Return when another process may have changed something."""
        if not self._database.is_sqlite:
            with anyio.move_on_after(_FLOOR):
                await self._rung.wait()
            self._rung = anyio.Event()
            return
        while True:
            with anyio.move_on_after(self._pause) as waiting:
                await self._rung.wait()
            self._rung = anyio.Event()
            if not waiting.cancelled_caught:
                return
            before, self._seen = self._seen, await self._data_version()
            if before != self._seen:  # also at the first look: nobody told us what came before
                self._pause = _SOON
                return
            self._pause = min(_FLOOR, self._pause * 2)

    async def _tell(self) -> None:
        while True:
            await self._placed.wait()
            self._placed = anyio.Event()
            try:
                await run_sync(self._notify)
            except Exception as error:
                _log.debug("a notification was not sent: %s", self._database.failed(error))
                self._database.forget(self._telling)
                self._telling = None
            await anyio.sleep(_EVERY)

    def _notify(self) -> None:
        if self._telling is None:
            self._telling = self._database.reading().execution_options(isolation_level="AUTOCOMMIT")
        self._telling.execute(
            text("SELECT pg_notify(:channel, :payload)"), {"channel": _CHANNEL, "payload": self._identity}
        )

    async def _listen(self) -> None:
        while True:
            try:
                if self._listening is None:
                    self._listening = await run_sync(self._begin_listening)
                    self._rung.set()  # nobody told us what came before
                driver = self._listening.connection.driver_connection
                await anyio.wait_readable(driver.fileno())
                if await run_sync(self._hear, driver):
                    self._rung.set()
            except Exception as error:
                _log.debug("listening failed: %s", self._database.failed(error))
                self._database.forget(self._listening)
                self._listening = None
                await anyio.sleep(_AWAY)

    def _begin_listening(self) -> Any:
        connection = self._database.reading().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(f"LISTEN {_CHANNEL}"))
        return connection

    def _hear(self, driver: Any) -> bool:
        """Whether anybody else has notified."""
        return any(notice.payload != self._identity for notice in list(driver.notifies(timeout=0)))

    def close(self) -> None:
        """Close the connections. The database is about to be left."""
        self._database.forget(self._telling)
        self._telling = None
        self._database.forget(self._listening)
        self._listening = None
