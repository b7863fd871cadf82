"""Submits and completions in few lanes at once, from several stores: nothing is left in a lane that nobody looks at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from sqlalchemy import ColumnElement, exists, func, select

from convergekit.abc import Direction, Lease, Store
from convergekit.engine.clock import SystemClock
from convergekit.errors import StoreError
from convergekit.stores.sql import SqlStore
from convergekit.stores.sql.schema import item, lane
from convergekit.stores.sql.statements import Statements
from convergekit.testing.store._kit import closed, dispatch, event

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])]

LANES = [f"tg:{name}" for name in ("ann", "bob", "eve")]
EACH = 40


async def submit(store: Store, direction: Direction, who: str, writer: int) -> None:
    """One after another: what a lane holds is served nearly as fast as it comes, so it is empty again and again."""
    for number in range(EACH):
        name = f"{direction}-{who}-{writer}-{number:04}"
        if direction == "in":
            await store.admit("c", [event(name, who)])
        else:
            await store.submit([dispatch(name, who)])


async def end(store: Store, lease: Lease) -> None:
    """Done, and the lane is given back in the same transaction."""
    if lease.dispatch is None:
        await store.finish(lease)
    else:
        assert await store.save(closed(lease.dispatch), lease=lease, release=True)


async def serve(store: Store, direction: Direction, served: list[str], is_over: Callable[[], bool]) -> None:
    while not is_over():
        leases = (await store.claim(direction, limit=2, seconds=60)).leases
        for each in leases:
            served.append(each.entry.event.key if each.entry is not None else each.delivery)
            await end(store, each)
        if not leases:
            await anyio.sleep(0.005)


@asynccontextmanager
async def opened(stores: list[SqlStore]) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for each in stores:
            await stack.enter_async_context(each.opened(SystemClock()))
        yield


async def counted(store: SqlStore, *conditions: ColumnElement[bool]) -> int:
    """Open items."""
    query = select(func.count()).select_from(item).where(*conditions)
    return await store.read(lambda connection: connection.execute(query).scalar_one())


def in_order(names: list[str]) -> bool:
    """Whether what one writer submitted to one lane came out in that order."""
    lanes: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        lanes[name.rpartition("-")[0]].append(name)
    return all(each == sorted(each) for each in lanes.values())


async def raced(url: str, *, patience: float = 120) -> None:
    """Three submit into three lanes each way, and three serve them."""
    stores = [SqlStore(url, create=True) for _ in range(6)]
    wanted = 3 * len(LANES) * EACH
    served: dict[Direction, list[str]] = {"in": [], "out": []}
    async with opened(stores):
        with anyio.fail_after(patience):
            async with anyio.create_task_group() as tasks:
                for direction in served:
                    for writer, store in enumerate(stores[:3]):
                        for who in LANES:
                            tasks.start_soon(submit, store, direction, who, writer)
                    for store in stores[3:]:
                        tasks.start_soon(
                            serve, store, direction, served[direction], lambda of=direction: len(served[of]) >= wanted
                        )
        assert await counted(stores[0], ~exists().where(lane.c.key == item.c.lane)) == 0
        assert await counted(stores[0]) == 0

    for names in served.values():
        assert [name for name, times in Counter(names).items() if times > 1] == []
        assert in_order(names)


async def test_nothing_is_stranded_on_postgresql(postgres_url: str) -> None:
    """A submit that comes just as the lane's last item is done finds the lane, or makes it anew."""
    await raced(postgres_url)


async def test_nothing_is_stranded_on_sqlite(quick_path: Path) -> None:
    """The same, where writers take turns."""
    await raced(f"sqlite:///{quick_path}/ledger.db")


async def test_without_locks_something_is(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the race does take place, and this is how it would be seen."""
    monkeypatch.setattr(Statements, "_locked", lambda self, statement, **more: statement)
    monkeypatch.setattr("convergekit.stores.sql.store.statements", Statements)  # and not those that there are already

    with pytest.raises((AssertionError, BaseExceptionGroup, StoreError, TimeoutError)):
        await raced(postgres_url, patience=10)
