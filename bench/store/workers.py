"""Workers on PostgreSQL whose handlers wait for something: four of them, each a process, against one."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import anyio
from anyio.abc import Process

from convergekit import Hub, MessageReceived

from ..measure import Effort, Goal, Line, Side, compare, missing
from .cluster import Cluster, cluster
from .fill import Backlog, fill
from .ours import CHANNEL, MediumConfig, store_at

__all__ = ["run"]

IO = 0.02
HANDLERS = 16
METRIC = f"4 workers, PostgreSQL, {IO * 1000:g} ms of I/O (messages a second)"
PEER, GOAL = "1 worker", Goal(">=", 3)
_HANDLED = "handled"


async def run(effort: Effort) -> Iterator[Line]:
    """Each serves sixteen lanes at a time."""
    server = cluster()
    if server is None:
        return iter([missing(METRIC, 0.0, "PostgreSQL", GOAL)])
    seconds = 4.0 * effort.scale
    with server:
        sides = {str(workers): _side(server, workers, seconds) for workers in (1, 4)}
        found = await compare(sides, min(effort.rounds, 3))
    return iter([Line.of(METRIC, found["4"], PEER, found["1"], GOAL)])


def _side(server: Cluster, workers: int, seconds: float) -> Side:
    """Counted once all of them have begun, so that nobody's start is in it."""
    most = int(workers * HANDLERS / IO * (seconds + 5))

    async def one_round() -> float:
        database = server.database()
        await fill(server.url(database), Backlog(pending=most, lanes=2_000))
        async with AsyncExitStack() as stack:
            command = [sys.executable, "-m", __name__, server.url(database)]
            started = [
                await stack.enter_async_context(await anyio.open_process(command, stderr=None)) for _ in range(workers)
            ]
            try:
                for process in started:
                    await _first_handled(process)
                rate = await _rate(server, database, seconds)
            finally:
                for process in started:
                    process.terminate()
        server.run("postgres", f"DROP DATABASE {database} WITH (FORCE)")
        return rate

    return one_round


async def _first_handled(process: Process) -> None:
    assert process.stdout is not None
    said = await process.stdout.receive()
    if said.decode().strip() != _HANDLED:
        raise RuntimeError("a worker did not begin")


async def _rate(server: Cluster, database: str, seconds: float) -> float:
    began, before = time.perf_counter(), _open(server, database)
    await anyio.sleep(seconds)
    ended, after = time.perf_counter(), _open(server, database)
    if after == 0:
        raise RuntimeError("the workers ran out of work")
    return (before - after) / (ended - began)


def _open(server: Cluster, database: str) -> int:
    ((items,),) = server.run(database, "SELECT count(*) FROM convergekit_item")
    assert isinstance(items, int)
    return items


async def _work(url: str) -> None:
    hub, begun = Hub(store=store_at(url), handlers=HANDLERS), False

    @hub.on_message
    async def handle(message: MessageReceived) -> None:
        nonlocal begun
        if not begun:
            begun = True
            print(_HANDLED, flush=True)
        await anyio.sleep(IO)

    async with hub:
        await hub.add_channel(CHANNEL, MediumConfig())
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(_work, sys.argv[1])
