"""The ledger in memory keeps every promise of a store, and knows everything when it is opened again."""

from collections.abc import AsyncGenerator

import anyio
import pytest

from convergekit.abc import Store
from convergekit.errors import NotRunningError, StoreError
from convergekit.stores import MemoryStore
from convergekit.testing import FakeClock, StoreContract

from .kit import changed, claim, dispatch, event, keys, lease, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(clock: FakeClock) -> AsyncGenerator[Store]:
    memory = MemoryStore()
    async with memory.opened(clock):
        yield memory


class TestMemoryStore(StoreContract):
    """All of it."""


async def test_a_closed_store_says_so(clock: FakeClock) -> None:
    store = MemoryStore()
    for call in (
        store.admit("c", [event("1")]),
        store.claim("in", limit=1, seconds=1),
        store.submit([dispatch("1")]),
        store.save(dispatch("1")),
        store.awake(),
    ):
        with pytest.raises(NotRunningError, match="async with hub"):
            await call
    async with store.opened(clock):
        assert await served(store) == []


async def test_two_hubs_cannot_share_one(clock: FakeClock) -> None:
    store = MemoryStore()
    async with store.opened(clock):
        with pytest.raises(StoreError, match="open already"):
            async with store.opened(clock):
                pass
        await store.admit("c", [event("1")])


async def test_what_was_held_when_it_closed_is_served_again(clock: FakeClock) -> None:
    store = MemoryStore()
    async with store.opened(clock):
        await store.admit("c", [event("1"), event("2")])
        (one,) = await store.submit([dispatch("1", wake=0)])
        await lease(store)
        await lease(store, "out")
        await store.awake()
        await store.save(changed(one, state="cancelled"))
    async with store.opened(clock):
        held = await lease(store)
        assert (keys([held]), held.recovered) == (["1"], True)
        assert (await claim(store, "out")).leases == []
        assert (await store.awake())[0] == ["1"]


def test_it_may_be_opened_in_another_event_loop(clock: FakeClock) -> None:
    store = MemoryStore()

    async def use() -> None:
        async with store.opened(clock):
            await store.put("s", "k", 1)

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(use, backend=backend)
