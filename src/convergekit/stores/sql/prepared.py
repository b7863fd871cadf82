"""Statements of SQLAlchemy Core as the driver takes them: compiled once, and from then on executed by the driver.

For a row of five values SQLAlchemy takes longer to hand the statement on than SQLite to execute it, and every submit
waits for a dozen of them. So what a batch says again and again goes past it; how it is written stays the same.

PostgreSQL is told as little often as can be, for it is the way there that takes time: many rows are one INSERT, which
takes each column as an array; and what does not depend on the answer to what was said before goes without waiting for
that (`together`).

What the driver raises is its own, and no `DBAPIError`: `Database` knows both.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, Boolean, Connection, Dialect, Insert, String, Text, bindparam, func, select
from sqlalchemy.types import TypeEngine

__all__ = ["Prepared", "Values", "driver", "together"]

#: What a statement is given: by the names of its parameters, or of its columns.
Values = Mapping[str, Any]


class Prepared:
    """One statement, whose parameters are always the same ones.

    Args:
        statement: Of SQLAlchemy Core.
        dialect: Of its database.
        example: Values as they will be given; of an INSERT they name the columns.
    """

    __slots__ = ("_given", "_many", "_row", "_text")

    def __init__(self, statement: Any, dialect: Dialect, example: Values) -> None:
        names = list(example) if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=dialect, column_keys=names)
        self._text = str(compiled)
        self._given = _given(compiled, dialect)
        self._many = None if names is None or dialect.name == "sqlite" else _arrays(statement, names, dialect)
        columns = [getattr(column, "key", None) or "" for column in statement.exported_columns]
        row: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]  # it knows only literal names
        self._row: Callable[[Any], Any] = row._make

    def ask(self, connection: Connection, values: Values) -> Callable[[], list[Any]]:
        """Execute; what is returned waits for the rows, which know their columns by name."""
        cursor = driver(connection).execute(self._text, self._given(values))
        return lambda: list(map(self._row, cursor.fetchall()))

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Execute for each of *rows*, of which there is at least one."""
        given = self._given
        if len(rows) == 1:
            driver(connection).execute(self._text, given(rows[0]))
        elif self._many is not None:
            driver(connection).execute(self._many, {name: [row[name] for row in rows] for name in rows[0]})
        else:
            cursor = driver(connection).cursor()
            cursor.executemany(self._text, list(map(given, rows)))
            cursor.close()


def driver(connection: Connection) -> Any:
    """The driver's own connection, in the same transaction."""
    return connection.connection.dbapi_connection


def together(connection: Connection) -> AbstractContextManager[object]:
    """Inside, PostgreSQL is not waited for but where its answer is asked for; its errors may come as late as that."""
    if connection.dialect.name == "sqlite":
        return nullcontext()
    pipeline: AbstractContextManager[object] = driver(connection).pipeline()
    return pipeline


def _arrays(statement: Insert, names: Sequence[str], dialect: Dialect) -> str:
    """The same as one INSERT of many rows; they go in in the order of the arrays. None may be in it twice."""
    columns = statement.table.c
    # Not as VARCHAR(n): what is cast to that is cut without a word, and what is stored as that is refused.
    kinds = [Text() if isinstance(columns[name].type, String) else columns[name].type for name in names]
    given = [bindparam(name, type_=ARRAY(kind)) for name, kind in zip(names, kinds, strict=True)]
    text = str(statement.from_select(names, select(*map(func.unnest, given))).compile(dialect=dialect))
    return text.replace(")s::", ")b::")  # in binary form: to write a list as text takes ten times as long


def _given(compiled: Any, dialect: Dialect) -> Callable[[Values], Any]:
    """From values by name to what the driver takes."""
    binds = [(name, bind) for bind, name in compiled.bind_names.items()]
    fixed = {name: bind.value for name, bind in binds if not bind.required}
    written = {name: write for name, bind in binds if (write := _written(bind.type, dialect)) is not None}
    order: list[str] | None = compiled.positiontup
    if order and not fixed and not written:
        return itemgetter(*order) if len(order) > 1 else lambda values: (values[order[0]],)

    def given(values: Values) -> Any:
        full = {**fixed, **values}
        for name, write in written.items():
            full[name] = write(full[name])
        return full if order is None else [full[name] for name in order]

    return given


def _written(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(kind, Boolean):
        return None  # SQLAlchemy only looks whether it is one
    write: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return write
