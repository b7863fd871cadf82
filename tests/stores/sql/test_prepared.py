"""Statements that go past SQLAlchemy say the same as those that do not, for one row and for many."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    create_engine,
    insert,
)
from sqlalchemy import select as select_

from convergekit.stores import SqlStore
from convergekit.stores.sql import statements
from convergekit.stores.sql.prepared import Prepared, Values, together
from convergekit.testing import FakeClock
from tests.stores.kit import dispatch

thing = Table(
    "thing",
    MetaData(),
    Column("place", BigInteger().with_variant(SmallInteger(), "sqlite"), primary_key=True, autoincrement=True),
    Column("name", String(4).with_variant(String(4, collation="C"), "postgresql"), nullable=False),
    Column("number", BigInteger),
    Column("body", Text),
)


@pytest.fixture
def connection(postgres_url: str) -> Iterator[Connection]:
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        thing.create(connection)
        connection.commit()
        yield connection
    engine.dispose()


def told(connection: Connection, *rows: Values) -> None:
    Prepared(insert(thing), connection.dialect, rows[0]).run(connection, rows)


def there(connection: Connection) -> list[tuple[str, int | None, str | None]]:
    everything = select_(thing.c.name, thing.c.number, thing.c.body).order_by(thing.c.place)
    return [tuple(row) for row in connection.execute(everything)]


ROWS = [
    {"name": "a", "number": 1 << 60, "body": '{"it\'s": "\\\\ \u00e9 \U0001f54a {,} NULL"}'},
    {"name": "", "number": None, "body": None},
    {"name": "b", "number": -1, "body": ""},
]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_many_rows_are_what_they_are_one_by_one(connection: Connection, count: int) -> None:
    told(connection, *ROWS[:count])
    assert there(connection) == [tuple(row.values()) for row in ROWS[:count]]


def test_a_column_of_nothing_is_one(connection: Connection) -> None:
    told(connection, *[{"name": name, "number": None, "body": None} for name in "ab"])
    assert there(connection) == [("a", None, None), ("b", None, None)]


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_too_long_is_refused_and_not_cut(connection: Connection, count: int) -> None:
    rows = [{"name": "abcde", "number": 1, "body": "x"}] * count
    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        told(connection, *rows)


def test_the_order_of_rows_is_the_order_of_their_numbers(connection: Connection) -> None:
    names = [f"{number:04}" for number in reversed(range(500))]
    told(connection, *[{"name": name, "number": 1, "body": "x"} for name in names])
    assert [name for name, _, _ in there(connection)] == names


def test_what_is_told_together_fails_no_later_than_at_the_end(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.StringDataRightTruncation), together(connection):
        told(connection, {"name": "abcde", "number": 1, "body": "x"})


def test_what_fails_comes_before_what_was_asked_after_it(connection: Connection) -> None:
    """And not that the question was never heard."""
    question = Prepared(select_(thing.c.name), connection.dialect, {})

    def ask() -> None:
        with together(connection):
            told(connection, {"name": "abcde", "number": 1, "body": "x"})
            question.ask(connection, {})()

    with pytest.raises(psycopg.errors.StringDataRightTruncation):
        ask()


@pytest.mark.anyio
async def test_what_one_store_has_compiled_is_compiled_for_all_of_them(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with a store for each tenant would else do so for each of them, which takes longer than to open it."""
    compiled: list[object] = []

    def prepared(statement: object, *rest: object) -> Prepared:
        compiled.append(statement)
        return Prepared(statement, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(statements, "Prepared", prepared)
    for number in range(2):
        compiled.clear()
        store = SqlStore(f"sqlite:///{quick_path}/{number}.db")
        async with store.opened(FakeClock()):
            await store.submit([dispatch("a")])
            assert await store.load("a") is not None
    assert compiled == []
