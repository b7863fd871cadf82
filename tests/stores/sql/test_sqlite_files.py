"""What stands behind "on the disk" in a file of SQLite: how connections are set up, and how large the log may grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convergekit.stores import SqlStore
from convergekit.stores.sql import database, upkeep
from convergekit.stores.sql.database import Database
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

_FULL = 2


@pytest.mark.parametrize("connect", ["connect", "reading"])
def test_a_commit_is_on_the_disk_and_what_is_deleted_is_gone(quick_path: Path, connect: str) -> None:
    """No kill shows it, only a power cut: so the settings themselves are looked at, on every kind of connection."""
    ledger = Database(f"sqlite:///{quick_path}/ledger.db")
    try:
        with getattr(ledger, connect)() as connection:
            said = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "secure_delete", "wal_autocheckpoint")
            }
    finally:
        ledger.dispose()

    assert said == {"journal_mode": "wal", "synchronous": _FULL, "secure_delete": 1, "wal_autocheckpoint": 0}


@pytest.fixture
def wal(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a ledger whose log may have 256 KiB, and is looked at by nobody beside the writer."""
    monkeypatch.setattr(database, "_WAL_CAP", 256 * 1024)
    monkeypatch.setattr(upkeep, "_CHECKPOINT", 3600.0)
    return quick_path / "ledger.db-wal"


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


async def fill(durable: SqlStore) -> None:
    """Two megabytes, one commit after another."""
    for number in range(100):
        await durable.put("s", str(number), 20_000 * "x")


async def test_the_log_has_a_cap(wal: Path) -> None:
    """Then the writer empties it before it goes on."""
    durable = SqlStore(f"sqlite:///{wal.parent}/ledger.db")
    async with durable.opened(FakeClock()):
        await fill(durable)

        assert 0 < size(wal) < 512 * 1024
        assert await durable.get("s", "99") == (20_000 * "x", 1)


async def test_the_log_is_emptied_beside_the_commits(wal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that hardly anybody ever waits for it; and leaving leaves one file."""
    done: list[Any] = []
    checkpoint = Database.checkpoint

    def noted(self: Database, *args: Any) -> bool:
        done.append(args[1:])
        return checkpoint(self, *args)

    monkeypatch.setattr(upkeep, "_CHECKPOINT", 0.0)
    monkeypatch.setattr(Database, "checkpoint", noted)
    durable = SqlStore(f"sqlite:///{wal.parent}/ledger.db")
    async with durable.opened(FakeClock()):
        await fill(durable)

    assert () in done  # passive: it waits for nobody
    assert done[-1] == ("TRUNCATE",)
    assert size(wal) == 0
