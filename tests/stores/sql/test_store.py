"""What the ledger in a database does beyond the contract of every store."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from convergekit.abc import Admission
from convergekit.engine.clock import SystemClock
from convergekit.errors import ConfigurationError, NotRunningError, StoreError
from convergekit.stores import SqlStore
from convergekit.stores.sql import schema, small
from convergekit.stores.sql.operations import Call
from convergekit.testing import FakeClock
from tests.stores.kit import claim, closed, dispatch, event, keys, lease, served

pytestmark = pytest.mark.anyio


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


async def counted(store: SqlStore, table: Any) -> int:
    return int(
        await store.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())
    )


# One batch, many callers


async def together(*calls: Any) -> list[Any]:
    """Run *calls* so that they meet in one batch; exceptions are answers."""
    answers: list[Any] = [None] * len(calls)

    async def call(place: int, work: Any) -> None:
        try:
            answers[place] = await work
        except Exception as error:
            answers[place] = error

    async with anyio.create_task_group() as tasks:
        for place, work in enumerate(calls):
            tasks.start_soon(call, place, work)
    return answers


async def test_one_who_fails_does_not_fail_its_neighbours(store: SqlStore) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(insert(schema.value).values(scope="s", key="k", version=1, body="x"))
        raise RuntimeError("a row that the database does not take")

    answers = await together(
        *[store.submit([dispatch(f"a{number}")]) for number in range(10)],
        store.write(broken),
        *[store.admit("c", [event(f"e{number}")]) for number in range(10)],
    )
    failed = [answer for answer in answers if isinstance(answer, Exception)]
    assert [type(each) for each in failed] == [StoreError]
    assert len(await served(store, "out")) == 10
    assert len(await served(store)) == 10
    assert await store.get("s", "k") == (None, 0)


async def test_the_same_event_and_the_same_key_in_one_batch_are_one(store: SqlStore) -> None:
    admitted = await together(*[store.admit("c", [event("1")]) for _ in range(5)])
    assert sorted(admitted) == [(Admission.DUPLICATE,)] * 4 + [(Admission.NEW,)]
    found = await together(
        *[store.submit([dispatch(str(number), key="k", fingerprint="f")]) for number in range(5)],
    )
    assert len({each[0].id for each in found}) == 1
    assert len(await served(store, "out")) == 1
    contest = [store.submit([dispatch(name, key="l", fingerprint=name)]) for name in ("one", "other")]
    assert sorted(type(each).__name__ for each in await together(*contest)) == ["KeyConflictError", "tuple"]
    assert len(await served(store, "out")) == 1


async def test_of_two_changes_in_one_batch_the_second_is_refused(store: SqlStore) -> None:
    (one,) = await store.submit([dispatch("1")])
    changes = await together(*[store.save(closed(one)) for _ in range(3)])
    assert sorted(each is None for each in changes) == [False, True, True]


# Lanes


async def test_nothing_is_left_in_the_small_tables(store: SqlStore) -> None:
    """They hold open work and nothing else, so that claiming costs the same however much is done."""
    await store.admit("c", [event(str(number), f"tg:{number % 7}") for number in range(50)])
    await store.submit([dispatch(str(number), f"tg:{number % 7}") for number in range(50)])
    await served(store)
    await served(store, "out")
    assert await counted(store, schema.lane) == 0
    assert await counted(store, schema.item) == 0
    assert await counted(store, schema.entry) == 50


async def test_a_lane_without_its_row_gets_it_back(store: SqlStore) -> None:
    await store.admit("c", [event("1"), event("2", "tg:bob")])
    await store.submit([dispatch("3"), dispatch("later", due=100)])
    await store.write(lambda connection: connection.execute(delete(schema.lane)))
    assert (await claim(store)).leases == []
    assert await store._do(Call(small.rescue)) == 3
    assert await store._do(Call(small.rescue)) == 0
    assert sorted(await served(store)) == ["1", "2"]
    assert await served(store, "out") == ["3"]


async def test_an_event_that_cannot_be_read_any_more_is_no_reason_to_stop(store: SqlStore) -> None:
    await store.admit("c", [event("1"), event("2", "tg:bob")])
    first = select(func.min(schema.entry.c.id)).scalar_subquery()
    torn = update(schema.entry).where(schema.entry.c.id == first).values(body="{")
    await store.write(lambda connection: connection.execute(torn))
    assert await served(store) == ["2"]
    (dead,) = await store.dead_entries()
    assert "read" in (dead.reason or "")


async def test_a_message_that_cannot_be_read_any_more_holds_up_nobody(store: SqlStore) -> None:
    await store.submit([dispatch("1"), dispatch("2")])
    torn = update(schema.dispatch).where(schema.dispatch.c.id == "1").values(body="{")
    await store.write(lambda connection: connection.execute(torn))
    assert await served(store, "out") == ["2"]
    assert (await store.counts()).deliveries["c", "dead"] == 1
    assert await store.dead_deliveries() == []


# Life


async def test_everything_is_there_when_it_is_opened_again(url: str, clock: FakeClock) -> None:
    first = SqlStore(url, database_clock=False)
    async with first.opened(clock):
        await first.admit("c", [event("1")])
        await first.submit([dispatch("2"), dispatch("3", "tg:bob", due=100, wake=50)])
        held = await lease(first)
        assert keys([held]) == ["1"]
    async with SqlStore(url, database_clock=False).opened(clock):
        pass
    clock.advance(100)
    second = SqlStore(url, database_clock=False)
    async with second.opened(clock):
        again = await lease(second)
        assert (keys([again]), again.recovered) == (["1"], True)
        assert (await second.awake())[0] == ["3"]
        assert sorted(await served(second, "out")) == ["2", "3"]
    async with first.opened(clock):
        assert await first.admit("c", [event("1")]) == (Admission.DUPLICATE,)


async def test_two_who_share_a_ledger_never_hold_one_lane(url: str, clock: FakeClock) -> None:
    async with SqlStore(url, database_clock=False).opened(clock):
        pass
    one, two = SqlStore(url, database_clock=False), SqlStore(url, database_clock=False)
    async with one.opened(clock), two.opened(clock):
        await one.admit("c", [event(str(number), f"tg:{number}") for number in range(200)])
        mine, theirs = await together(claim(one, limit=150), claim(two, limit=150))
        found = keys(mine.leases) + keys(theirs.leases)
        assert len(found) == len(set(found))
        more = (await claim(one, limit=150)).leases
        assert len(found) + len(more) == 200


async def test_a_change_from_elsewhere_is_noticed_and_ones_own_is_not_on_a_file(url: str, clock: FakeClock) -> None:
    one, two = SqlStore(url, database_clock=False), SqlStore(url, database_clock=False)
    async with one.opened(clock), two.opened(clock):
        await one.changed()  # nobody has told it what came before
        noticed = anyio.Event()

        async def watch() -> None:
            await one.changed()
            noticed.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            if url.startswith("sqlite"):
                for number in range(5):
                    await one.admit("c", [event(f"own{number}")])
                    await anyio.sleep(0.05)
                assert not noticed.is_set()
            with anyio.fail_after(60):
                while not noticed.is_set():
                    await two.admit("c", [event(f"theirs{datetime.now(UTC)}")])
                    await anyio.sleep(0.02)


async def test_what_changed_before_the_first_look_is_noticed(quick_path: Path, clock: FakeClock) -> None:
    """It was taken for what had always been there, and who had just begun looked again after five seconds."""
    url = f"sqlite:///{quick_path}/ledger.db"
    one, two = SqlStore(url), SqlStore(url)
    async with one.opened(clock), two.opened(clock):
        await two.admit("c", [event("k")])
        with anyio.fail_after(60):
            await one.changed()


async def test_workers_mean_the_databases_time(postgres_url: str) -> None:
    """A machine whose clock is an hour off holds leases as long as the others."""
    wrong = SystemClock()
    wrong.set(datetime.now(UTC) + timedelta(hours=1))
    store = SqlStore(postgres_url, create=True)
    async with store.opened(wrong):
        await store.admit("c", [event("1")])
        held = await lease(store, seconds=60)
        assert abs(held.until - datetime.now(UTC) - timedelta(seconds=60)) < timedelta(minutes=5)
        assert abs(wrong.now() - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_closed_store_says_so(url: str) -> None:
    store = SqlStore(url, database_clock=False)
    for call in (store.admit("c", [event("1")]), store.submit([dispatch("1")]), store.load("1"), store.get("s", "k")):
        with pytest.raises(NotRunningError, match="async with hub"):
            await call


async def test_it_is_opened_by_one_hub(store: SqlStore, clock: FakeClock) -> None:
    with pytest.raises(StoreError, match="open already"):
        async with store.opened(clock):
            pass


async def test_what_is_raised_inside_comes_out_as_it_is(url: str, clock: FakeClock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with SqlStore(url, database_clock=False).opened(clock):
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("sqlite://", "memory:"),
        ("sqlite:///:memory:", "memory:"),
        ("mysql://host/db", "mysql|URL"),
        ("nonsense", "URL"),
    ],
)
def test_what_cannot_be_a_ledger_is_refused(url: str, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        SqlStore(url)


async def test_a_server_that_is_away_is_named_and_its_password_is_not(clock: FakeClock) -> None:
    store = SqlStore("postgresql://user:geheim@127.0.0.1:1/db")
    assert "geheim" not in repr(store)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1") as caught:
        async with store.opened(clock):
            pass
    assert "geheim" not in str(caught.value)
