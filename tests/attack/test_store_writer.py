"""The writer of a ledger in a database: nobody who writes with it may end it, hold it up, or undo what others wrote."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, create_engine, text, update

from convergekit.abc import Admission
from convergekit.engine.locks import Locks
from convergekit.errors import InvalidInputError, KeyConflictError, StoreError
from convergekit.stores import SqlStore
from convergekit.stores.sql import schema
from convergekit.testing import FakeClock
from tests.stores.kit import claim, dispatch, event, served
from tests.stores.sql.batches import Held, in_one_batch

pytestmark = pytest.mark.anyio
_log = logging.getLogger(__name__)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, quick_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{quick_path}/ledger.db"
    return str(request.getfixturevalue("ledger_url"))


@pytest.fixture
async def store(url: str, clock: FakeClock) -> AsyncGenerator[SqlStore]:
    store = SqlStore(url, database_clock=False)
    async with store.opened(clock):
        yield store


@pytest.fixture
def orders(url: str) -> Iterator[Callable[[], list[str]]]:
    """A table of the host's, and what is in it."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS orders"))
        connection.execute(text("CREATE TABLE orders (who TEXT)"))

    def there() -> list[str]:
        with engine.connect() as connection:
            return sorted(connection.execute(text("SELECT who FROM orders")).scalars())

    yield there
    engine.dispose()


def order(who: str) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text("INSERT INTO orders VALUES (:who)"), {"who": who})


# A host's own writing


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_a_host_that_wants_to_end_the_process_does_not_end_the_writer(
    store: SqlStore, error: type[BaseException]
) -> None:
    """It ended the writer's thread: everybody after it waited for ever."""

    def write(connection: Connection) -> None:
        raise error

    await store.admit("c", [event("a"), event("b", "tg:bob")])
    first, second = (await claim(store)).leases
    with anyio.fail_after(60):
        answers: list[Any] = [None, None]

        async def finish(place: int, each: Any, *writes: Any) -> None:
            try:
                answers[place] = await store.finish(each, writes=writes)
            except BaseException as caught:
                answers[place] = caught

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(finish, 0, first, write)
            tasks.start_soon(finish, 1, second)
        assert isinstance(answers[0], Exception)
        assert answers[1] == ()
        await store.submit([dispatch("a")])


def _commits(connection: Connection) -> None:
    connection.commit()


def _rolls_back(connection: Connection) -> None:
    connection.rollback()


def _closes(connection: Connection) -> None:
    connection.close()


def _invalidates(connection: Connection) -> None:
    connection.invalidate()


def _begins_and_swallows(connection: Connection) -> None:
    with suppress(Exception):
        connection.rollback()


def _says_commit(connection: Connection) -> None:
    connection.exec_driver_sql("COMMIT")


def _says_rollback(connection: Connection) -> None:
    connection.exec_driver_sql("ROLLBACK")


def _session_commits(connection: Connection) -> None:
    from sqlalchemy.orm import Session

    with Session(bind=connection) as session:
        session.execute(text("INSERT INTO orders VALUES ('session')"))
        session.commit()


def _session_rolls_back(connection: Connection) -> None:
    from sqlalchemy.orm import Session

    with Session(bind=connection) as session:
        session.execute(text("INSERT INTO orders VALUES ('session')"))
        session.rollback()


@pytest.mark.parametrize(
    "bad",
    [_commits, _rolls_back, _closes, _invalidates, _begins_and_swallows, _says_commit, _says_rollback,
     _session_commits, _session_rolls_back],
)  # fmt: skip
async def test_a_host_that_ends_the_transaction_ends_nobody_elses(
    store: SqlStore, orders: Callable[[], list[str]], bad: Callable[[Connection], None]
) -> None:
    """What a neighbour wrote in the same batch was lost, or there twice."""
    await store.admit("c", [event("a"), event("b", "tg:bob"), event("c", "tg:cid")])
    leases = (await claim(store)).leases
    before, mine, behind = leases
    answers = await in_one_batch(
        store,
        store.finish(before, writes=[order("before")]),
        store.finish(mine, writes=[order("mine"), bad]),
        store.finish(behind, writes=[order("behind")]),
        *[store.submit([dispatch(f"d{number}", f"tg:{number}")]) for number in range(5)],
    )
    assert answers[0] == ()
    assert answers[2] == ()
    there = orders()
    assert there.count("before") == 1
    assert there.count("behind") == 1
    if isinstance(answers[1], Exception):
        assert "mine" not in there
    else:
        assert there.count("mine") == 1
    counts = (await store.counts()).entries
    assert sum(counts.values()) == 3
    assert not any(isinstance(each, Exception) for each in answers[3:])


# What cannot be read


@pytest.mark.parametrize("how", ["scheduled", "posted"])
async def test_a_scheduled_or_posted_message_that_cannot_be_read_holds_up_nobody(
    store: SqlStore, clock: FakeClock, url: str, how: str
) -> None:
    """Every batch wants to place what is due: one that it could not read failed all of them, for good."""
    if how == "scheduled":
        await store.submit([dispatch("a", due=10)])
    else:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            await store.post(connection, [dispatch("a")])
        engine.dispose()
    bad = update(schema.dispatch).where(schema.dispatch.c.id == "a").values(body='{"of": "another time"}')
    await store.write(lambda connection: connection.execute(bad))
    clock.advance(20)
    await store.submit([dispatch("b", "tg:bob")])
    assert await store.admit("c", [event("e")]) == (Admission.NEW,)
    assert await served(store, "out") == ["b"]
    assert await served(store, "in") == ["e"]


# In the host's transaction


async def test_a_conflict_leaves_nothing_of_the_others_in_the_hosts_transaction(store: SqlStore, url: str) -> None:
    """The first of two recipients was written before the second was refused; the host committed half a submit."""
    await store.submit([dispatch("old", "tg:bob", key="k", fingerprint="one")])
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    both = [dispatch(id, who, key="k", fingerprint="two") for id, who in (("a", "tg:ann"), ("b", "tg:bob"))]
    with engine.begin() as connection, pytest.raises(KeyConflictError):
        await store.post(connection, both)
    engine.dispose()
    assert [each.id for each in await store.dispatches()] == ["old"]


# A lock


async def test_who_is_cancelled_while_it_takes_a_lock_does_not_keep_it(url: str, clock: FakeClock) -> None:
    """The lock was the ledger's for half a minute, and nobody had it."""
    one, two = (SqlStore(url, database_clock=False) for _ in range(2))
    first, second = Held(), Held()
    async with one.opened(clock), two.opened(clock):
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()

            async def take() -> None:
                with scope:
                    async with Locks(one, clock, _log).held("l"):
                        await anyio.sleep_forever()

            tasks.start_soon(one.write, first)
            await first.begun()
            tasks.start_soon(one.write, second)
            tasks.start_soon(take)  # in one batch with it
            await anyio.wait_all_tasks_blocked()
            first.go_on()
            await second.begun()
            scope.cancel()
            second.go_on()
        with anyio.fail_after(60):
            async with Locks(two, clock, _log).held("l"):
                pass


# What cannot be written


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", "\ud800", "a\x00b", {"k": "\x00"}, [float("inf")]])
async def test_a_value_that_is_no_json_is_refused_and_nobody_else_is(store: SqlStore, value: Any) -> None:
    """It was a failure of the ledger, for which a handler's lane waits until its lease ends."""
    others = [store.submit([dispatch(f"d{n}", f"tg:{n}")]) for n in range(10)]
    answer, *others = await in_one_batch(store, store.put("s", "k", value), *others)
    assert not any(isinstance(each, Exception) for each in others)
    if isinstance(value, (str, dict, list)):
        assert answer is True
        assert await store.get("s", "k") == (value, 1)
    else:
        assert isinstance(answer, InvalidInputError)


@pytest.mark.parametrize("bad", ["\x00", "\ud800"])
async def test_keys_of_any_characters(store: SqlStore, bad: str) -> None:
    answers = await in_one_batch(
        store,
        store.put(f"s{bad}", f"k{bad}", 1),
        store.own(f"s{bad}", "me", 10),
        store.cursor("c", bad),
        store.find("c", ids=[bad], delivery=bad, address=bad),
        store.load(bad),
        store.versions([bad]),
        store.revive(bad),
        store.dead_entries(channel=bad, start=bad),
        store.dead_deliveries(channel=bad, start=bad),
        store.dispatches(recipient=bad),
        *[store.submit([dispatch(f"d{n}", f"tg:{n}")]) for n in range(10)],
    )
    for each in answers[:10]:
        if isinstance(each, BaseException):
            assert isinstance(each, StoreError), each
    assert not any(isinstance(each, Exception) for each in answers[10:])


async def test_as_many_as_anybody_watches(store: SqlStore) -> None:
    """PostgreSQL takes 65,535 parameters: whoever waited for more messages than that learnt of none."""
    await store.submit([dispatch("a")])
    ids = [f"{number}" for number in range(70_000)]
    assert await store.versions(["a", *ids]) == {"a": 0}
    assert await store.find("c", ids=ids) is None
    assert await store.unpark("c", ids) == []
