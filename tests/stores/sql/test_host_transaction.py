"""A host's own rows and our messages commit together or not at all."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, create_engine, insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from convergekit import Hub, MemoryStore, MessageReceived, Transaction, sync
from convergekit.engine import engine as engines
from convergekit.errors import ConfigurationError, KeyConflictError, StoreError
from convergekit.stores import SqlStore
from convergekit.stores.sql import signals

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
tables = MetaData()
orders = Table("orders", tables, Column("id", Integer, primary_key=True), Column("what", String))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, quick_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{quick_path}/app.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    tables.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def hub(url: str, engine: Engine) -> AsyncGenerator[Hub]:
    hub = Hub(store=SqlStore(url, create=True))
    await hub.add_channel("loop", {"adapter": "loopback"})
    async with hub:
        yield hub


def medium_of(hub: Hub) -> Any:
    adapter: Any = hub.channel("loop").adapter
    return adapter.medium


def bought(connection: Connection | Session, number: int) -> None:
    connection.execute(insert(orders).values(id=number, what="a book"))


def known(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(select(orders.c.id)).scalars())


async def test_both_commit(hub: Hub, engine: Engine) -> None:
    with engine.begin() as connection:
        bought(connection, 1)
        sent = await hub.submit("bought", to=ANN, key="order-1", connection=connection)
        assert await hub.store.load(sent.id) is None
    with anyio.fail_after(60):
        await sent.wait()
    assert known(engine) == [1]
    assert medium_of(hub).texts() == ["bought"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # a file is looked at more often
async def test_the_same_process_sends_it_at_once(
    postgres_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's commit rings, and nobody has to look."""
    for module in (engines, signals):
        monkeypatch.setattr(module, "_FLOOR", 3600.0)
    store = SqlStore(postgres_url, create=True)
    hub = Hub(store=store)
    await hub.add_channel("loop", {"adapter": "loopback"})
    async with hub:
        await until(lambda: store._signals._listening is not None)  # from then on it looks
        await hub.send("first", to=ANN)
        await hub.idle()
        with engine.begin() as connection:
            sent = await hub.submit("bought", to=ANN, connection=connection)
        with anyio.fail_after(60):
            await sent.wait()


async def test_neither_commits(hub: Hub, engine: Engine) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        bought(connection, 1)
        lost = await hub.submit("bought", to=ANN, key="order-1", connection=connection)
        transaction.rollback()
    await hub.send("other", to=ANN)
    assert known(engine) == []
    assert await hub.store.load(lost.id) is None
    assert medium_of(hub).texts() == ["other"]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # a file has one writer at a time
async def test_no_lane_is_locked_while_the_host_takes_its_time(hub: Hub, engine: Engine) -> None:
    with engine.begin() as connection:
        first = await hub.submit("first", to=ANN, connection=connection)
        with anyio.fail_after(60):
            await hub.send("second", to=ANN)
    with anyio.fail_after(60):
        await first.wait()
    assert medium_of(hub).texts() == ["second", "first"]


async def test_a_session_will_do(hub: Hub, engine: Engine) -> None:
    with Session(engine) as session:
        bought(session, 2)
        sent = await hub.submit("bought", to=ANN, connection=session)
        session.commit()
    with anyio.fail_after(60):
        await sent.wait()
    assert known(engine) == [2]


async def test_several_recipients_are_one_transaction(hub: Hub, engine: Engine) -> None:
    with engine.begin() as connection:
        handles = await hub.submit("bought", to=[ANN, "loopback:bob"], connection=connection)
    with anyio.fail_after(60):
        for handle in handles:
            await handle.wait()
    assert len(medium_of(hub).texts()) == 2


async def test_a_key_is_unique_there_too_and_a_conflict_ends_no_transaction(hub: Hub, engine: Engine) -> None:
    before = await hub.send("bought", to=ANN, key="k")
    with engine.begin() as connection:
        again = await hub.submit("bought", to=ANN, key="k", connection=connection)
        assert again.id == before.id
        with pytest.raises(KeyConflictError, match="'k'"):
            await hub.submit("other", to=ANN, key="k", connection=connection)
        bought(connection, 3)
        new = await hub.submit("bought", to=ANN, key="l", connection=connection)
        assert (await hub.submit("bought", to=ANN, key="l", connection=connection)).id == new.id
    with anyio.fail_after(60):
        await new.wait()
    assert known(engine) == [3]
    assert medium_of(hub).texts() == ["bought", "bought"]


async def test_another_database_is_refused(hub: Hub, tmp_path: Path) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    with other.begin() as connection, pytest.raises(ConfigurationError, match="another database"):
        await hub.submit("x", to=ANN, connection=connection)
    other.dispose()
    with pytest.raises(ConfigurationError, match="Session"):
        await hub.submit("x", to=ANN, connection="mine")


async def test_another_ledger_on_the_same_server_is_another_database(postgres_url: str, ledger_url: str) -> None:
    """It has the same tables, and would take the message."""
    engine = create_engine(ledger_url)
    async with Hub(store=SqlStore(postgres_url, create=True), role="submit") as hub:
        await hub.add_channel("loop", {"adapter": "loopback"})
        with engine.begin() as connection, pytest.raises(ConfigurationError, match="another database"):
            await hub.submit("x", to=ANN, connection=connection)
    engine.dispose()


async def test_a_ledger_in_memory_takes_no_part() -> None:
    hub = Hub(store=MemoryStore())
    await hub.add_channel("loop", {"adapter": "loopback"})
    async with hub:
        with pytest.raises(ConfigurationError, match="memory"):
            await hub.submit("x", to=ANN, connection=object())


async def test_a_write_lock_that_is_kept_for_long_is_named(quick_path: Path) -> None:
    url = f"sqlite:///{quick_path}/app.db"
    hub = Hub(store=SqlStore(url))
    await hub.add_channel("loop", {"adapter": "loopback"})
    patient, engine = create_engine(url), create_engine(url, connect_args={"timeout": 0})
    async with hub:
        with patient.connect() as holder, engine.connect() as connection:
            holder.exec_driver_sql("BEGIN IMMEDIATE")  # the hub's own writer may have the lock in this moment
            with pytest.raises(StoreError, match="write lock"):
                await hub.submit("x", to=ANN, connection=connection)
            holder.rollback()
    patient.dispose()
    engine.dispose()


async def test_who_waits_for_a_transaction_of_its_own_is_told(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can wait for ever: what holds the lock waits for this call."""
    monkeypatch.setattr("convergekit.stores.sql.database._BUSY", 0.05)
    url = f"sqlite:///{quick_path}/app.db"
    hub = Hub(store=SqlStore(url), role="submit")
    await hub.add_channel("loop", {"adapter": "loopback"})
    engine = create_engine(url)
    async with hub:
        with engine.connect() as holder:
            holder.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match=r"SQLITE_BUSY.*another connection holds .*submit\(.*connection="):
                await hub.submit("x", to=ANN)
            holder.rollback()
        await hub.submit("x", to=ANN)
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://two.db", "sqlite://srv/two.db"])
def test_a_slash_that_is_missing_is_named(url: str) -> None:
    with pytest.raises(ConfigurationError, match="three slashes: sqlite:///"):
        SqlStore(url)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asynchronous_connections_and_sessions_will_do(anyio_backend: str, postgres_url: str) -> None:
    pytest.importorskip("greenlet", reason="SQLAlchemy's asyncio needs greenlet")
    hub = Hub(store=SqlStore(postgres_url, create=True))
    await hub.add_channel("loop", {"adapter": "loopback"})
    engine = create_async_engine(postgres_url)
    async with hub:
        async with engine.begin() as connection:
            await connection.run_sync(tables.create_all)
            first = await hub.submit("first", to=ANN, connection=connection)
        async with AsyncSession(engine) as session:
            second = await hub.submit("second", to=ANN, connection=session)
            await session.commit()
        with anyio.fail_after(60):
            await first.wait()
            await second.wait()
    await engine.dispose()


def test_plain_code_that_blocks_will_do(url: str, engine: Engine) -> None:
    with sync.Hub(store=SqlStore(url, create=True), role="submit") as hub, pytest.raises(ConfigurationError):
        hub.submit("x", to=ANN)
    store = SqlStore(url)
    blocking = sync.Hub(store=store)
    blocking.add_channel("loop", {"adapter": "loopback"})
    with blocking:
        with engine.begin() as connection:
            bought(connection, 4)
            sent = blocking.submit("bought", to=ANN, connection=connection)
        sent.wait(timeout=60)
    assert known(engine) == [4]


# A handler's own rows


async def test_what_a_handler_writes_commits_with_done(hub: Hub, engine: Engine) -> None:
    @hub.on_message
    async def order(message: MessageReceived, transaction: Transaction) -> str:
        transaction.add(lambda connection: bought(connection, 7))
        return "bought"

    medium_of(hub).say(text="a book", sender=ANN)
    await until(lambda: known(engine) == [7])
    await until(lambda: medium_of(hub).texts() == ["bought"])


async def test_a_write_that_fails_is_a_handler_that_failed(hub: Hub, engine: Engine) -> None:
    """Its neighbours in the same commit are none the worse, and nothing of it is there."""
    tried: list[str] = []

    def refused(connection: Connection) -> None:
        bought(connection, 8)
        raise ValueError("no")

    @hub.on_message
    async def order(message: MessageReceived, transaction: Transaction) -> str:
        tried.append(message.text)
        if message.text == "bad" and tried.count("bad") == 1:
            transaction.add(refused)
        return message.text

    for text in ("one", "bad", "two"):
        medium_of(hub).say(text=text, sender=f"loopback:{text}")
    await until(lambda: sorted(medium_of(hub).texts()) == ["bad", "one", "two"])
    assert known(engine) == []
    assert tried.count("bad") == 2


async def test_whoever_passes_an_event_on_writes_nothing(hub: Hub, engine: Engine) -> None:
    from convergekit import Skip

    @hub.on_message
    async def first(message: MessageReceived, transaction: Transaction) -> None:
        transaction.add(lambda connection: bought(connection, 1))
        raise Skip

    @hub.on_message
    async def second(message: MessageReceived, transaction: Transaction) -> None:
        transaction.add(lambda connection: bought(connection, 2))

    medium_of(hub).say(text="a book", sender=ANN)
    await until(lambda: known(engine) == [2])


async def until(holds: Any) -> None:
    with anyio.fail_after(60):
        while not holds():  # noqa: ASYNC110 - it is seen from outside
            await anyio.sleep(0.01)
