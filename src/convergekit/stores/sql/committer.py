"""The writer's thread: each batch of operations becomes one transaction.

Rules kept here:

- All of a batch or none. If it fails it is halved, until whoever is to blame is alone: a bad row never fails its
  neighbours. Where the database is at fault nobody is to blame, and all are told.
- A transaction that lost a race, or lost the database, is tried again, also after a commit without an answer: then it
  is *unsure*, and every operation finds out whether what is there is its own.
- After an error the connection's state is not known, and the next attempt takes another.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from . import steps
from .clock import LedgerClock
from .database import AWAY, Database
from .hosted import HostError
from .operations import Operation
from .statements import Statements
from .transaction import Transaction

__all__ = ["Committer"]

_log = logging.getLogger(__name__)
_AGAIN: Final = 8  # times that a transaction which lost a race is tried again


class Committer:
    """See the module. Only the writer's thread calls `write`; `close` comes after it has ended.

    Args:
        database: Where the ledger is.
        statements: Of it.
        clock: The ledger's.
        placed: Called when something may be served that could not be before.
    """

    def __init__(
        self, database: Database, statements: Statements, clock: LedgerClock, placed: Callable[[], None]
    ) -> None:
        self._database = database
        self._statements = statements
        self._clock = clock
        self._placed = placed
        self._connection: Connection | None = None
        self._unsure = False  # whether a commit was sent, and its answer was lost

    def write(self, operations: Sequence[Operation[Any]]) -> None:
        """Write *operations* in one transaction; if it fails, find out which of them is to blame."""
        try:
            placed = self._transaction(operations)
        except BaseException as error:  # of whatever kind: this is a thread that all write with
            if len(operations) == 1:
                operations[0].error = self._blamed(error)
            elif self._database.is_away(error) or self._database.is_locked(error):
                for operation in operations:
                    operation.error = self._blamed(error)
            else:
                half = len(operations) // 2
                for part in (operations[:half], operations[half:]):
                    for operation in part:
                        operation.error = None
                    self.write(part)
            return
        if placed:
            self._placed()

    def _blamed(self, error: BaseException) -> BaseException:
        if isinstance(error, HostError):
            return error.error
        return self._database.failed(error, unsure=self._unsure)

    def _transaction(self, operations: Sequence[Operation[Any]]) -> bool:
        """All of *operations* or none; tells whether something may be served that could not be before."""
        away, lost = iter(AWAY), 0
        self._unsure = False
        while True:
            try:
                return self._attempt(operations)
            except BaseException as error:
                self._forget_connection()
                if self._database.is_away(error):
                    pause = next(away, None)
                    if pause is None:
                        raise
                    time.sleep(pause)
                elif self._database.is_retryable(error) and lost < _AGAIN:
                    lost += 1
                else:
                    raise
            for operation in operations:
                operation.error = None

    def _attempt(self, operations: Sequence[Operation[Any]]) -> bool:
        connection = self._connection
        if connection is None:
            self._database.see_to_file()  # to connect would make a new one
            connection = self._connection = self._database.connect()
        self._database.see_to_file()
        self._database.keep_wal_small(connection)
        begun = connection.begin()
        transaction = Transaction(connection, self._statements, self._clock, unsure=self._unsure)
        steps.run(transaction, operations)
        try:
            begun.commit()
        except Exception as error:
            if self._database.is_away(error):
                self._unsure = True
            raise
        self._unsure = False
        return transaction.placed

    def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        self._database.forget(connection)

    def close(self) -> None:
        """Leave one file behind, on SQLite, and close the connection."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._database.is_sqlite:
                self._database.checkpoint(connection, "TRUNCATE")
            connection.close()
        except Exception as error:
            _log.warning("%s", self._database.failed(error))
