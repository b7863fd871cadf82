"""How SQLite is asked: each way finds the same."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from convergekit.abc import Query
from convergekit.content.words import phrases, words
from convergekit.model import Address, ConversationRef, MessageReceived
from convergekit.stores.sql import SqlStore
from convergekit.stores.sql.archive import search as searching
from convergekit.stores.sql.archive.search import Search
from convergekit.stores.sql.database import Database
from convergekit.stores.sql.said import Old, forget, match, prepared, record, said_of, topic
from convergekit.stores.sql.tables import metadata
from convergekit.testing import FakeClock
from convergekit.testing.store._archive import heard

SCRIPTS = st.text("aZ é\u0301ßİＡ 北京ターﾀﾞ한\u1112\u1161\u11abกำनमस्ते שָׁ ё½㎏\u00ad-.,\"'\\:*()&|!<>", max_size=60)


@pytest.fixture
def connection(quick_path: Path) -> Iterator[Connection]:
    database = Database(f"sqlite:///{quick_path}/said.db")
    with database.connect() as connection:
        with connection.begin():
            metadata.create_all(connection)
        yield connection
    database.dispose()


def spoken(text: str) -> MessageReceived:
    where = ConversationRef(channel="c", address=Address("tg:ann"))
    return MessageReceived(key="k", channel="c", conversation=where, sender=where.address, text=text)


def hits(connection: Connection, query: str) -> int:
    asked = match(phrases(query), sqlite=True)
    found = connection.exec_driver_sql("SELECT rowid FROM convergekit_words WHERE convergekit_words MATCH ?", (asked,))
    return len(found.all())


def test_what_was_recorded_is_found_by_each_of_its_words_and_forgotten_without_a_trace(connection: Connection) -> None:
    @given(SCRIPTS.filter(words))
    def law(text: str) -> None:
        with connection.begin() as transaction:
            row = said_of(spoken(text))
            record(connection, [(1, row)], 1)
            for word in {*text.split(), *words(text)}:
                if phrases(word):
                    assert hits(connection, word) == 1
            number = connection.exec_driver_sql("SELECT max(id) FROM convergekit_said").scalar_one()
            forget(connection, [Old(number, row)])
            assert all(hits(connection, word) == 0 for word in words(text))
            connection.exec_driver_sql("INSERT INTO convergekit_words(convergekit_words) VALUES ('optimize')")
            connection.exec_driver_sql("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, convergekit_words, row)")
            assert connection.exec_driver_sql("SELECT * FROM temp.terms").all() == []
            transaction.rollback()

    law()


@pytest.mark.anyio
@pytest.mark.parametrize("short", [0, 1000])
async def test_a_contact_of_few_words_and_one_of_many_are_searched_alike(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    monkeypatch.setattr(searching, "_SHORT", short)
    store = SqlStore(f"sqlite:///{quick_path}/ledger.db")
    async with store.opened(FakeClock()):
        await store.admit("c", [heard(str(n), f"parcel {n}", f"tg:{n % 3}", cc=[Address("tg:9")]) for n in range(60)])
        for contact, size in (("tg:1", 20), (["tg:1", "tg:2"], 40), (["tg:1", "tg:9"], 60), ("tg:5", 0)):
            numbers: list[int] = []
            place = None
            while True:
                page = await store.archive.search("parcel", contact=contact, limit=7, after=place, direction="in")
                numbers += [int(found.text.split()[1]) for found in page.found]
                place = page.next
                if place is None:
                    break
            assert (len(numbers), numbers) == (size, sorted(set(numbers), reverse=True))
        page = await store.archive.search("parcel", contact="tg:9", conversation="tg:1", oldest_first=True, limit=2)
        assert [found.text for found in page.found] == ["parcel 1", "parcel 4"]


def test_time_is_never_later_than_now_and_a_row_is_where_its_topics_lead(connection: Connection) -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
    rows = [spoken("a").model_copy(update={"at": at}) for at in (early, late, None)]
    with connection.begin():
        record(connection, [(number, said_of(row)) for number, row in enumerate(rows, 1)], 1_800_000_000_000_000)
        record(connection, [], 1)
        ats = connection.exec_driver_sql("SELECT at FROM convergekit_said ORDER BY id").scalars().all()
        assert ats == [1_767_225_600_000_000, 1_800_000_000_000_000, 1_800_000_000_000_000]
        about = connection.exec_driver_sql(
            "SELECT said FROM convergekit_about WHERE topic = ?", (topic("address", "tg:ann"),)
        )
        assert about.scalars().all() == [1, 2, 3]


@pytest.mark.anyio
async def test_large_html_is_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second a megabyte, in which nobody else would be served."""
    beside: list[Any] = []

    async def run_sync(function: Callable[[Any], Any], row: Any) -> Any:
        beside.append(row)
        return function(row)

    monkeypatch.setattr("convergekit.stores.sql.said.run_sync", run_sync)
    small, large = spoken("a"), spoken("").model_copy(update={"text": None, "html": "<p>word</p>" * 5000})
    found = await prepared([small, large])
    assert beside == [large]
    assert [row.words.split()[0] for row in found] == ["a", "word"]


def test_a_search_reads_no_more_than_it_shows(connection: Connection) -> None:
    """However much fits: the index is walked from its end, and nothing is sorted."""
    search = Search(Query(words="a"), phrases("a"), False)
    number, statement = search._in_words(connection)
    compiled = (
        statement.order_by(number.desc()).limit(21).compile(connection.engine, compile_kwargs={"literal_binds": True})
    )
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
    steps = [row.detail for row in plan]
    assert len(steps) == 1
    assert "VIRTUAL TABLE" in steps[0]


def test_a_message_says_what_it_is_about_once() -> None:
    row = said_of(spoken("a").model_copy(update={"cc": (Address("tg:ann"), Address("tg:bob"))}))
    assert len(row.topics) == len(set(row.topics)) == 3
