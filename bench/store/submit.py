"""Durable submit on SQLite: the whole public API against what SQLite takes, and against the usual way to ask it."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure import Effort, Goal, Line, Side, compare, missing
from . import sqlite_peers
from .drive import drive, fresh_file, rate_of
from .ours import submits_into

__all__ = ["run"]

PRODUCERS = 256


async def run(effort: Effort) -> Iterator[Line]:
    """256 producers with 1 KB each, and one alone."""
    items = effort.items(12_000, at_least=PRODUCERS)
    alone = effort.items(1_500, at_least=50)
    sides: dict[str, Side] = {
        "ours": rate_of(submits_into, producers=PRODUCERS, items=items),
        "executemany": _executemany(max(items, 1_000)),
        "ours alone": _alone(alone),
        "one commit each": _one_commit_each(alone),
    }
    if (inserts := sqlite_peers.aiosqlite_inserts()) is not None:
        sides["aiosqlite"] = rate_of(inserts, producers=PRODUCERS, items=max(items // 12, 1))
    return iter(_lines(await compare(sides, effort.rounds)))


def _executemany(items: int) -> Side:
    async def one_round() -> float:
        async with fresh_file() as file:
            return sqlite_peers.executemany_rate(file, items)

    return one_round


def _one_commit_each(items: int) -> Side:
    async def one_round() -> float:
        async with fresh_file() as file:
            return sqlite_peers.one_commit_each_p50(file, items) * 1e6

    return one_round


def _alone(items: int) -> Side:
    async def one_round() -> float:
        async with fresh_file() as file, submits_into(file) as submit:
            return (await drive(submit, producers=1, items=items)).p50 * 1e6

    return one_round


def _lines(found: dict[str, float]) -> Iterator[Line]:
    rate = f"submit, SQLite, {PRODUCERS} producers (1 KB a second)"
    raw = f"raw sqlite3 {sqlite_peers.SQLITE}"
    limit, usual = Goal(">=", 0.25), Goal(">=", 12)
    yield Line.of(rate, found["ours"], f"{raw}, executemany, 1,000 a transaction", found["executemany"], limit)
    if "aiosqlite" in found:
        yield Line.of(rate, found["ours"], sqlite_peers.AIOSQLITE, found["aiosqlite"], usual)
    else:
        yield missing(rate, found["ours"], sqlite_peers.AIOSQLITE, usual)
    p50 = "submit, SQLite, 1 producer (us, half of them)"
    yield Line.of(p50, found["ours alone"], f"{raw}, one commit each", found["one commit each"], Goal("<=", 4))
