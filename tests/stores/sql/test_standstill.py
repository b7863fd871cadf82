"""A worker that is stopped in the midst of a transaction does not hold up the others for as long as it stands."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from convergekit.engine.clock import SystemClock
from convergekit.stores.sql import SqlStore, database
from convergekit.stores.sql.database import Database
from convergekit.stores.sql.schema import lane
from tests.stores.kit import event

pytestmark = pytest.mark.anyio


async def test_what_it_has_locked_is_let_go(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may be paused for an hour; the server ends its transaction, and it begins anew when it goes on."""
    monkeypatch.setattr(database, "_STANDSTILL", 1.0)  # long beside what is done in it
    store, stopped = SqlStore(postgres_url, create=True), Database(postgres_url)
    async with store.opened(SystemClock()):
        await store.admit("c", [event("k1")])
        connection = stopped.connect()
        connection.begin()
        connection.execute(select(lane).with_for_update()).all()
        # ... and here it stands.
        with anyio.fail_after(60):
            await store.admit("c", [event("k2")])

        leases = (await store.claim("in", limit=1, seconds=60)).leases
    with suppress(DBAPIError):
        connection.close()
    stopped.dispose()

    assert [each.entry.event.key for each in leases if each.entry is not None] == ["k1"]
