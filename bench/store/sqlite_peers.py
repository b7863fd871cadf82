"""SQLite without us. WAL and synchronous=FULL for all, and the same row: a key that is unique, a lane, a body.

The row is that of a plain queue table: nothing of what a ledger keeps beside the body is in it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from secrets import token_hex
from statistics import median

from sqlalchemy import column, insert, table
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import create_async_engine

from .drive import LANES, Submit, checked, text

__all__ = ["AIOSQLITE", "SQLITE", "aiosqlite_inserts", "executemany_rate", "one_commit_each_p50"]

AIOSQLITE = "aiosqlite 0.22.1 + SQLAlchemy async, pool of 1"
SQLITE = sqlite3.sqlite_version

_FULL = 2
_TABLE = """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, lane TEXT NOT NULL,
        state INTEGER NOT NULL, due REAL NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX message_open ON message (lane, id) WHERE state < 2;
"""
_INSERT = "INSERT INTO message (key, lane, state, due, body) VALUES (?, ?, 0, 0, ?)"


def executemany_rate(file: Path, items: int) -> float:
    """Rows a second, a thousand in each transaction: as much as SQLite takes."""
    with closing(_opened(file)) as connection:
        batches = [list(_rows(start, min(1000, items - start))) for start in range(0, items, 1000)]
        began = time.perf_counter()
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, batch)
            connection.execute("COMMIT")
        wall = time.perf_counter() - began
        _check(connection, items)
    return items / wall


def one_commit_each_p50(file: Path, items: int) -> float:
    """Seconds that half of the inserts take at most, each with its own commit."""
    took: list[float] = []
    with closing(_opened(file)) as connection:
        for row in list(_rows(0, items)):
            start = time.perf_counter()
            connection.execute(_INSERT, row)  # without BEGIN: committed by itself
            took.append(time.perf_counter() - start)
        _check(connection, items)
    return median(took)


def aiosqlite_inserts() -> Callable[[Path], AbstractAsyncContextManager[Submit]] | None:
    """One insert and one commit for each call, through an asynchronous engine; None where it is not installed."""
    try:
        installed = version("aiosqlite")
    except PackageNotFoundError:
        return None
    return _aiosqlite_inserts if installed == AIOSQLITE.split()[1] else None


@asynccontextmanager
async def _aiosqlite_inserts(file: Path) -> AsyncGenerator[Submit]:
    with closing(_opened(file)):
        pass
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", pool_size=1, max_overflow=0, pool_timeout=600)
    statement = insert(table("message", *(column(name) for name in ("key", "lane", "state", "due", "body"))))
    count = 0

    async def submit(number: int) -> None:
        nonlocal count
        ((key, lane, body),) = _rows(number, 1)
        async with engine.begin() as connection:
            await connection.execute(statement, {"key": key, "lane": lane, "state": 0, "due": 0.0, "body": body})
        count += 1

    async with engine.connect() as connection:  # the only one that the pool holds
        await connection.execute(sql("PRAGMA synchronous=FULL"))
    yield submit
    async with engine.connect() as connection:
        if (await connection.execute(sql("PRAGMA synchronous"))).scalar_one() != _FULL:
            raise RuntimeError("aiosqlite: not every commit was on disk")
        checked((await connection.execute(sql("SELECT count(*) FROM message"))).scalar_one(), count, "aiosqlite")
    await engine.dispose()


def _rows(start: int, items: int) -> Iterator[tuple[str, str, str]]:
    for number in range(start, start + items):
        yield token_hex(16), f"lane {number % LANES}", text(number)


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(_TABLE)
    return connection


def _check(connection: sqlite3.Connection, items: int) -> None:
    if connection.execute("PRAGMA synchronous").fetchone() != (_FULL,):
        raise RuntimeError("sqlite3: not every commit was on disk")
    checked(connection.execute("SELECT count(*) FROM message").fetchone()[0], items, "sqlite3")
