"""Those who queue on PostgreSQL, each with twenty connections, and on tables that are logged.

procrastinate: with `lock` and `queueing_lock`, which is what a lane and a key are to us.
pgqueuer: over a pool of asyncpg, with a `dedupe_key`.
DBOS: its client, with a `deduplication_id` and as many threads as connections (an event loop's own are six here).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from secrets import token_hex

from .drive import LANES, Submit, text

__all__ = ["Peer", "installed"]

CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them.

    Args:
        name: With its version.
        opened: Given the URL of an empty database, makes what it needs there.
        table: Where its rows can be counted.
    """

    name: str
    opened: Callable[[str], AbstractAsyncContextManager[Submit]]
    table: str


@asynccontextmanager
async def procrastinate(url: str) -> AsyncGenerator[Submit]:
    """`defer_async`."""
    from procrastinate import App, PsycopgConnector

    connector = PsycopgConnector(conninfo=url, min_size=CONNECTIONS, max_size=CONNECTIONS)
    logging.getLogger("procrastinate").setLevel(logging.ERROR)

    async def submit(number: int) -> None:
        lane = f"lane {number % LANES}"
        job = app.configure_task("send", lock=lane, queueing_lock=token_hex(16))
        await job.defer_async(body=text(number))

    async with App(connector=connector).open_async() as app:
        await app.schema_manager.apply_schema_async()
        yield submit


@asynccontextmanager
async def pgqueuer(url: str) -> AsyncGenerator[Submit]:
    """`enqueue`."""
    import asyncpg
    from pgqueuer.db import AsyncpgPoolDriver
    from pgqueuer.queries import Queries

    async with asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        await queries.install()

        async def submit(number: int) -> None:
            await queries.enqueue("send", text(number).encode(), dedupe_key=token_hex(16))

        yield submit


@asynccontextmanager
async def dbos(url: str) -> AsyncGenerator[Submit]:
    """The client's `enqueue`."""
    from dbos import DBOSClient, run_dbos_database_migrations

    logging.getLogger("dbos").setLevel(logging.ERROR)
    await asyncio.to_thread(run_dbos_database_migrations, system_database_url=url)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(CONNECTIONS))
    client = await asyncio.to_thread(DBOSClient, system_database_url=url, system_database_pool_size=CONNECTIONS)

    async def submit(number: int) -> None:
        options = {"workflow_name": "send", "queue_name": "out", "deduplication_id": token_hex(16)}
        await client.enqueue_async(options, text(number))  # type: ignore[arg-type]

    try:
        yield submit
    finally:
        await asyncio.to_thread(client.destroy)


_ALL: Mapping[str, Peer] = {
    "procrastinate": Peer("procrastinate 3.10.0", procrastinate, "procrastinate_jobs"),
    "pgqueuer": Peer("pgqueuer 1.6.0", pgqueuer, "pgqueuer"),
    "dbos": Peer("DBOS 3.4.0", dbos, "dbos.workflow_status"),
}


def installed() -> Mapping[str, Peer]:
    """Those that are there in the version that is asked for."""
    return {package: peer for package, peer in _ALL.items() if _version(package) == peer.name.split()[1]}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
