"""The ledger in SQLite keeps every promise of a store."""

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


@pytest.fixture
async def store(clock: FakeClock, tmp_path: Path) -> AsyncGenerator[Store]:
    durable = SqlStore(f"sqlite:///{tmp_path}/ledger.db")
    async with durable.opened(clock):
        yield durable


class TestSqliteStore(StoreContract):
    """All of it."""
