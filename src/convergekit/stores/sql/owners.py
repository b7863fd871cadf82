"""Who owns what between processes: names that one holder has for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Connection, text

from convergekit.abc import Fence

from . import small
from .clock import LedgerClock
from .connections import Connections
from .database import Database
from .operations import Call, Do
from .rows import moment
from .statements import Statements
from .transaction import Transaction

__all__ = ["Owners"]

T = TypeVar("T")
_OWNING: Final = text("SET LOCAL lock_timeout = '2s'")


class Owners:
    """See the module; the methods are those of `Store`.

    Args:
        database: Where the ledger is.
        statements: Of it.
        clock: The ledger's.
        do: Has an operation done in the writer's next transaction.
    """

    def __init__(self, database: Database, statements: Statements, clock: LedgerClock, do: Do) -> None:
        self._database = database
        self._statements = statements
        self._clock = clock
        self._do = do
        # Apart from those that read: who wants to keep what it owns does not wait for them.
        self._connections = Connections(database, clock)

    def start(self) -> None:
        """In the event loop that the ledger is opened in."""
        self._connections.start()

    async def own(self, name: str, holder: str, seconds: float) -> Fence | None:
        """See `Store.own`."""
        owned = await self._settle(lambda transaction: small.own(transaction, name, holder, seconds))
        return None if owned is None else Fence(name, owned[0], moment(owned[1]))

    async def disown(self, fence: Fence) -> None:
        """See `Store.disown`."""
        await self._settle(lambda transaction: small.disown(transaction, fence.name, fence.token))

    async def _settle(self, work: Callable[[Transaction], T]) -> T:
        """In a transaction of its own on PostgreSQL: all workers look at the same few rows, and one that was stopped in
        the midst of that must not hold up what the others write.
        """
        if self._database.is_sqlite:
            return await self._do(Call(work))

        def apart(connection: Connection) -> T:
            connection.execute(_OWNING)
            transaction = Transaction(connection, self._statements, self._clock)
            transaction.begin()
            return work(transaction)

        return await self._connections.write(apart)
