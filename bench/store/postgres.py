"""Durable submit on PostgreSQL: the whole public API against those who queue there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from ..measure import Effort, Goal, Line, Side, compare, missing
from . import postgres_peers
from .cluster import Cluster, cluster
from .drive import Submit, checked, drive
from .ours import store_at, submitting

__all__ = ["run"]

OURS, BEST = "ours", "best of procrastinate, pgqueuer, DBOS"
GOALS = {256: Goal(">=", 8), 16: Goal(">=", 3)}


async def run(effort: Effort) -> Iterator[Line]:
    """256 and 16 producers with 1 KB each; a line for each peer, and one for the best of them."""
    server = cluster()
    if server is None:
        return iter(
            [missing(_metric(producers), float("nan"), "PostgreSQL", goal) for producers, goal in GOALS.items()]
        )
    with server:
        found = await _rates(server, effort)
    return iter(line for producers, goal in GOALS.items() for line in _lines(found, producers, goal))


async def _rates(server: Cluster, effort: Effort) -> dict[tuple[str, int], float]:
    peers = postgres_peers.installed()
    async with AsyncExitStack() as stack:
        opened = {OURS: await stack.enter_async_context(_ours(server))}
        for package, peer in peers.items():
            opened[peer.name] = await stack.enter_async_context(_counted(server, package, peer))
        items = {name: effort.items(8_000 if name == OURS else 800, at_least=256) for name in opened}
        sides = {
            (name, producers): _side(submit, producers, items[name])
            for name, submit in opened.items()
            for producers in GOALS
        }
        named = {f"{name} {producers}": side for (name, producers), side in sides.items()}
        figures = await compare(named, effort.rounds)
    return {key: figures[f"{key[0]} {key[1]}"] for key in sides}


def _side(submit: Submit, producers: int, items: int) -> Side:
    async def one_round() -> float:
        return (await drive(submit, producers=producers, items=items)).rate

    return one_round


@asynccontextmanager
async def _ours(server: Cluster) -> AsyncGenerator[Submit]:
    name = server.database()
    async with _counting(server, name, "convergekit_dispatch", OURS, submitting(store_at(server.url(name)))) as submit:
        yield submit


@asynccontextmanager
async def _counted(server: Cluster, package: str, peer: postgres_peers.Peer) -> AsyncGenerator[Submit]:
    name = server.database()
    async with _counting(server, name, peer.table, peer.name, peer.opened(server.dsn(name))) as submit:
        yield submit


@asynccontextmanager
async def _counting(server, database, table, who, opened) -> AsyncGenerator[Submit]:
    """What was acknowledged has to be in *table*, which has to be one that survives a crash."""
    count = 0
    async with opened as submit:

        async def counted(number: int) -> None:
            nonlocal count
            await submit(number)
            count += 1

        yield counted
        checked(server.durable_rows(database, table), count, who)


def _metric(producers: int) -> str:
    return f"submit, PostgreSQL, {producers} producers (1 KB a second)"


def _lines(found: dict[tuple[str, int], float], producers: int, goal: Goal) -> Iterator[Line]:
    ours = found[OURS, producers]
    theirs = {name: rate for (name, many), rate in found.items() if name != OURS and many == producers}
    if not theirs:
        yield missing(_metric(producers), ours, BEST, goal)
        return
    best = max(theirs, key=theirs.__getitem__)
    for name, rate in theirs.items():
        yield Line.of(_metric(producers), ours, name, rate, goal if name == best else None)
