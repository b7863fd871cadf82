"""Claim and complete, whatever else the ledger holds: against its own rate with little in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from convergekit.abc import Lease, Store
from convergekit.engine.clock import SystemClock
from convergekit.model import DeliveryState, DispatchState

from ..measure import Effort, Goal, Line, Side, compare, missing
from .cluster import cluster
from .fill import Backlog, fill
from .ours import CHANNEL, at, store_at

__all__ = ["run"]

GOALS = {"SQLite": Goal(">=", 0.8), "PostgreSQL": Goal(">=", 0.6)}
ROUNDS = 5
BASE, BASE_OUT = "10k finished", "10k finished, out"


def backlogs(effort: Effort, waiting: int) -> dict[str, Backlog]:
    """What is measured, with *waiting* messages that the rounds may claim."""
    few, many = effort.items(10_000), effort.items(1_000_000)
    base = Backlog(finished=few, pending=waiting, lanes=1_000)
    return {
        BASE: base,
        "1M finished": replace(base, finished=many),
        "1M pending over 100k lanes": replace(base, pending=many, lanes=effort.items(100_000)),
        "one lane of 20k in front": replace(base, long=effort.items(20_000)),
        BASE_OUT: replace(base, direction="out"),
        "100k lanes of a paused channel in front": replace(base, direction="out", paused=effort.items(100_000)),
    }


async def run(effort: Effort) -> Iterator[Line]:
    """One claim after another, what each found completed at once; on both engines."""
    lines: list[Line] = []
    with TemporaryDirectory(prefix="bench-") as folder:
        lines += await _compared("SQLite", effort, [at(Path(folder) / f"{number}.db") for number in range(6)])
    server = cluster()
    if server is None:
        return iter([*lines, missing("claim and complete, PostgreSQL", 0.0, "PostgreSQL", GOALS["PostgreSQL"])])
    with server:
        lines += await _compared("PostgreSQL", effort, [server.url(server.database()) for _ in range(6)])
    return iter(lines)


async def _compared(engine: str, effort: Effort, urls: list[str]) -> list[Line]:
    items, rounds = effort.items(4_000, at_least=100), min(effort.rounds, ROUNDS)
    wanted = backlogs(effort, items * (rounds + 2))
    async with AsyncExitStack() as stack:
        sides: dict[str, Side] = {}
        for (name, backlog), url in zip(wanted.items(), urls, strict=True):
            await fill(url, backlog)
            store = store_at(url)
            await stack.enter_async_context(store.opened(SystemClock()))
            sides[name] = _side(store, backlog, items)
        found = await compare(sides, rounds)
    return list(_lines(engine, wanted, found))


def _lines(engine: str, wanted: Mapping[str, Backlog], found: Mapping[str, float]) -> Iterator[Line]:
    for name, backlog in wanted.items():
        base = BASE if backlog.direction == "in" else BASE_OUT
        if name != base:
            metric = f"claim and complete, {engine}, {name} (a second)"
            yield Line.of(metric, found[name], f"own, {base}", found[base], GOALS[engine])


def _side(store: Store, backlog: Backlog, items: int) -> Side:
    async def complete(lease: Lease) -> None:
        if lease.dispatch is None:
            await store.finish(lease)
            return
        delivery = lease.dispatch.by_id(lease.delivery).model_copy(update={"state": DeliveryState.CLOSED})
        done = {"deliveries": lease.dispatch.replaced(delivery), "state": DispatchState.SATISFIED}
        if await store.save(lease.dispatch.model_copy(update=done), lease=lease, release=True) is None:
            raise RuntimeError("somebody else has changed what was claimed")

    async def one_round() -> float:
        left, began = items, time.perf_counter()
        while left > 0:
            claim = await store.claim(backlog.direction, limit=min(store.batch, left), seconds=120, slots=slots)
            if not claim.leases:
                raise RuntimeError("there was nothing to claim")
            async with anyio.create_task_group() as tasks:
                for lease in claim.leases:
                    tasks.start_soon(complete, lease)
            left -= len(claim.leases)
        return items / (time.perf_counter() - began)

    slots = {CHANNEL: items} if backlog.direction == "out" else None
    return one_round
