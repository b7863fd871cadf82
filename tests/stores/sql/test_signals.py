"""How a worker on PostgreSQL learns what others have done: told at once, rarely, and never by a host's transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psycopg
import pytest
from anyio import to_thread
from sqlalchemy import create_engine, select, text

from convergekit import Hub
from convergekit.engine.clock import SystemClock
from convergekit.stores import SqlStore
from convergekit.stores.sql import signals
from tests.stores.kit import dispatch

pytestmark = pytest.mark.anyio


@pytest.fixture
def ear(ledger_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Hears everything that is told."""
    dsn = ledger_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("LISTEN convergekit")
        yield connection


async def heard(ear: psycopg.Connection[Any], *, first: float = 60.0) -> list[int]:
    """Which server processes have told something, each time that they did, until nothing comes for a while."""

    def listen() -> list[int]:
        found: list[int] = []
        while new := [each.pid for each in ear.notifies(timeout=1.0 if found else first, stop_after=1)]:
            found += new
        return found

    return await to_thread.run_sync(listen)


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[SqlStore]:
    store = SqlStore(url)
    async with store.opened(SystemClock()):
        yield store


async def test_others_are_told_at_once(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before they would look by themselves."""
    monkeypatch.setattr(signals, "_FLOOR", 3600.0)
    async with opened(ledger_url) as one, opened(ledger_url) as other:
        with anyio.fail_after(60):
            await one.changed()  # it listens from now on
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one.changed)
                await anyio.wait_all_tasks_blocked()
                await other.submit([dispatch("1")])


async def test_looking_is_enough(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server, or a pooler in front of it, that passes nothing on costs a moment and nothing else."""

    async def deaf(self: Any) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(signals.Signals, "_listen", deaf)
    monkeypatch.setattr(signals, "_FLOOR", 0.05)
    async with opened(ledger_url) as one:
        with anyio.fail_after(60):
            await one.changed()


async def test_it_is_told_once_in_a_while(
    ledger_url: str, ear: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits that notify go one after another, so not every one of ours does."""
    monkeypatch.setattr(signals, "_EVERY", 3600.0)
    async with opened(ledger_url) as store:
        for number in range(10):
            await store.submit([dispatch(str(number), f"tg:{number}")])
        told = await heard(ear)

    assert len(told) == 1


async def test_a_hosts_transaction_tells_nobody(ledger_url: str, ear: psycopg.Connection[Any]) -> None:
    """It would wait for every other commit that notifies; we tell after it, on a connection of our own."""
    engine = create_engine(ledger_url)
    async with Hub(store=ledger_url, role="submit") as hub:
        await hub.add_channel("loop", {"adapter": "loopback"})
        with engine.begin() as connection:
            host = connection.execute(select(text("pg_backend_pid()"))).scalar_one()
            await hub.submit("bought", to="loopback:ann", connection=connection)
            assert await heard(ear, first=0.2) == []
        told = await heard(ear)
    engine.dispose()

    assert told
    assert host not in told
