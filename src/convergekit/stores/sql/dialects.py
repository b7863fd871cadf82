"""What SQLite and PostgreSQL say differently, each as one thing to say."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Dialect,
    Insert,
    Table,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text, TypeDecorator

__all__ = ["NOW", "among", "insertion"]

#: PostgreSQL's time when it gets the statement, in microseconds; unlike `clock_timestamp` an index can be asked for it.
NOW: Final[ColumnElement[int]] = literal_column("(extract(epoch FROM statement_timestamp()) * 1000000)::bigint")


# Lists of any length as one parameter, so that the text of a statement stays the same.


class _Many(TypeDecorator[Sequence[Any]]):
    """A list: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, numbers: bool = False) -> None:
        super().__init__()
        self.numbers = numbers

    def load_dialect_impl(self, dialect: Any) -> Any:
        """See `TypeDecorator`."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(BigInteger() if self.numbers else Text()))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        """See `TypeDecorator`."""
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


def among(column: ColumnElement[Any], name: str, *, numbers: bool = False, sqlite: bool) -> ColumnElement[bool]:
    """Whether *column* is one of the list that is passed as the parameter *name*."""
    many: BindParameter[Any] = bindparam(name, type_=_Many(numbers))
    if sqlite:
        return column.in_(select(literal_column("value")).select_from(func.json_each(many)))
    # Not `= ANY`: of a parameter that is no constant, each row that is looked at goes through the whole list.
    return column.in_(select(func.unnest(many).column_valued("each")))


def insertion(dialect: Dialect, table: Table) -> Any:
    """An insertion that knows what to do about conflicts."""
    insert: Callable[[Table], Insert] = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    return insert(table)
