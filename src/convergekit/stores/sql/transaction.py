"""One transaction, as everything that runs in it sees it: what it can be asked and told, and what time it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, select, update

from . import schema as s
from .clock import LedgerClock
from .prepared import Values, together
from .statements import Statements

__all__ = ["Transaction"]


class Transaction:
    """See the module.

    Args:
        connection: In a transaction.
        statements: Of its database.
        clock: The ledger's; `now` is its time in microseconds, or the database's own, for which `begin` asks.
        unsure: Whether the same was committed before and the answer was lost: what is found may be our own.
    """

    def __init__(
        self, connection: Connection, statements: Statements, clock: LedgerClock, *, unsure: bool = False
    ) -> None:
        self.connection = connection
        self.sql = statements
        self.given = clock.given()
        self.now = self.given or 0
        self.unsure = unsure
        self.placed = False  # whether something may be served that could not be before
        self._clock = clock
        self._token: int | None = None

    def begin(self, *questions: tuple[Any, Values]) -> list[list[Any]]:
        """Learn what time it is, and ask *questions* with that; the rows of each."""
        if self.given is not None:
            return self.ask_all(*questions)
        asked = self._clock.asked()
        ((self.now,),), *answers = self.ask_all((self.sql.now, {}), *questions)
        self._clock.follow(self.now, asked)
        return answers

    def ask(self, statement: Any, values: Values | None = None) -> list[Any]:
        """Execute *statement*, whose parameters are always the same ones; the rows."""
        return self._asked(statement, values or {})()

    def _asked(self, statement: Any, values: Values) -> Callable[[], list[Any]]:
        return self.sql.prepared(statement, values, self.connection.dialect).ask(self.connection, values)

    def ask_all(self, *questions: tuple[Any, Values] | None) -> list[list[Any]]:
        """Execute each statement, in this order; the rows of each, and none where None was asked."""
        with together(self.connection):
            asked = [list if each is None else self._asked(*each) for each in questions]
        return [answer() for answer in asked]

    def tell(self, statement: Any, *rows: Values) -> None:
        """Execute *statement* for each of *rows*, of which there is at least one."""
        self.sql.prepared(statement, rows[0], self.connection.dialect).run(self.connection, rows)

    def token(self) -> int:
        """Greater than any before; one for all that this transaction claims, for each is of other lanes."""
        if self._token is None:
            ((token,),) = self.ask(_COUNT if self.sql.is_sqlite else _NEXT_TOKEN)
            self._token = int(token)
        return self._token


_COUNT: Final = (
    update(s.meta).where(s.meta.c.name == "token").values(number=s.meta.c.number + 1).returning(s.meta.c.number)
)
_NEXT_TOKEN: Final = select(s.tokens.next_value())
