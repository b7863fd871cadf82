"""The ledger in SQLite and in PostgreSQL keeps every promise of a store."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from convergekit.abc import Store
from convergekit.stores.sql import SqlStore
from convergekit.testing import FakeClock
from convergekit.testing.store import StoreContract

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class TestSqliteStore(StoreContract):
    """All of it, in a file."""

    @pytest.fixture
    async def store(self, clock: FakeClock, quick_path: Path) -> AsyncGenerator[Store]:
        durable = SqlStore(f"sqlite:///{quick_path}/ledger.db")
        async with durable.opened(clock):
            yield durable


class TestPostgresqlStore(StoreContract):
    """All of it, on a server."""

    @pytest.fixture
    async def store(self, clock: FakeClock, ledger_url: str) -> AsyncGenerator[Store]:
        durable = SqlStore(ledger_url, database_clock=False)
        async with durable.opened(clock):
            yield durable
