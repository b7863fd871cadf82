"""A ledger in a file that somebody else locks, reads all the time, replaces or takes away."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from convergekit.errors import StoreError
from convergekit.stores import SqlStore
from convergekit.stores.sql import database
from convergekit.testing import FakeClock
from tests.stores.kit import dispatch
from tests.stores.sql.test_store import together

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(quick_path: Path) -> Path:
    return quick_path / "ledger.db"


@pytest.fixture
async def store(file: Path) -> AsyncGenerator[SqlStore]:
    store = SqlStore(f"sqlite:///{file}")
    async with store.opened(FakeClock()):
        yield store


def wal_size(file: Path) -> int:
    return os.stat(f"{file}-wal").st_size


def is_there(file: Path) -> bool:
    return file.exists()


# Locked


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY", 0.5)


async def test_a_lock_that_is_kept_is_waited_for_once_and_not_by_each_in_turn(
    impatient: None, file: Path, store: SqlStore
) -> None:
    """A batch that failed was split down to its parts, each of which waited again: hours, for a thousand callers."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    answers = await together(*[store.submit([dispatch(f"d{n}", f"tg:{n}")]) for n in range(40)])
    other.execute("ROLLBACK")
    other.close()
    assert time.monotonic() - begun < 15  # each in turn takes 20
    assert {type(each) for each in answers} == {StoreError}
    assert "locked" in str(answers[0])
    await store.submit([dispatch("after")])


# Read all the time


@pytest.fixture
def small_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WAL_CAP", 256 * 1024)


async def test_whoever_reads_all_the_time_does_not_hold_up_those_who_write(
    small_cap: None, file: Path, store: SqlStore
) -> None:
    """Once the log was at its cap, each commit waited half a minute for the reader to end."""
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM convergekit_meta").fetchall()
    number = 0
    with anyio.fail_after(60):
        while wal_size(file) < 512 * 1024:
            await store.put("s", f"{number}", "x" * 10_000)
            number += 1
        begun = time.monotonic()
        for _ in range(20):
            await store.put("s", f"{number}", "y")
            number += 1
        assert time.monotonic() - begun < 15
        reader.execute("ROLLBACK")
        reader.close()
        for _ in range(200):
            await store.put("s", f"{number}", "x" * 10_000)
            number += 1
        assert wal_size(file) < 1536 * 1024


# Replaced, or taken away


@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_what_is_written_to_a_file_that_is_no_longer_there_is_not_called_stored(
    file: Path, store: SqlStore, how: str
) -> None:
    """It went into a file without a name, and was gone with the process."""
    await store.submit([dispatch("a")])
    if how == "removed":
        for each in file.parent.glob("ledger.db*"):
            if each.is_file():
                each.unlink()
    else:
        sqlite3.connect(f"{file}.new").close()
        os.replace(f"{file}.new", file)
    with pytest.raises(StoreError, match="removed or replaced"):
        await store.submit([dispatch("b")])
    with pytest.raises(StoreError, match="removed or replaced"):
        await store.submit([dispatch("c")])
    assert is_there(file) == (how == "replaced")
