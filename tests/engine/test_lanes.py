"""Workers that serve lanes: no task per message, no more wakes than are of use, nothing left lying."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import MemoryStore, MessageReceived
from convergekit.abc import Claim, Lease
from convergekit.engine.lanes import LEASE_SECONDS, LanePool
from convergekit.errors import StoreError
from convergekit.model import ConversationRef
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

Serve = Callable[[Lease], Awaitable[None]]


class Counted(MemoryStore):
    """A ledger that counts claims, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = 0
        self.failing = 0

    async def claim(self, *args: Any, **options: Any) -> Claim:
        self.claims += 1
        if self.failing:
            self.failing -= 1
            raise StoreError("the disk is away")
        return await super().claim(*args, **options)


class Rig:
    """A pool over a ledger in memory."""

    def __init__(
        self, serve: Serve | None = None, *, size: int = 4, clock: FakeClock | None = None, **options: Any
    ) -> None:
        self.clock = clock or FakeClock()
        self.store = Counted()
        self.served: list[str] = []
        self.pool = LanePool(self.store, self.clock, "in", serve or self.finish, size=size, **options)

    async def finish(self, lease: Lease) -> None:
        assert lease.entry is not None
        self.served.append(lease.entry.event.key)
        await self.store.finish(lease)

    async def admit(self, *keys: str, channel: str = "loop") -> None:
        """Events called "conversation:number"."""
        for key in keys:
            ref = ConversationRef(channel=channel, address=f"loopback:{key.partition(':')[0]}")
            await self.store.admit(channel, [MessageReceived(key=key, channel=channel, conversation=ref, text=key)])

    async def settle(self) -> None:
        for _ in range(30):
            await checkpoint()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        with anyio.fail_after(60):
            async with self.store.opened(self.clock), anyio.create_task_group() as tasks:
                tasks.start_soon(self.pool.run)
                await self.settle()
                yield
                tasks.cancel_scope.cancel()


async def test_a_burst_with_a_quick_handler_wakes_one_worker() -> None:
    """Handlers that never wait need no second one, and no task is made per message."""
    rig = Rig(size=64)
    async with rig.running():
        await rig.admit(*[f"{number % 7}:{number}" for number in range(30)])
        rig.pool.wake()
        await rig.pool.idle()

        assert len(rig.served) == 30
        assert rig.pool._workers <= 2


async def test_lanes_are_served_in_parallel_and_each_in_order() -> None:
    """As many at the same time as there are workers; the items of one lane one by one."""
    now, most, open_lanes = 0, 0, set()
    gate = anyio.Event()

    async def serve(lease: Lease) -> None:
        nonlocal now, most
        assert lease.lane not in open_lanes, "two workers in one lane"
        open_lanes.add(lease.lane)
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        open_lanes.discard(lease.lane)
        await rig.finish(lease)

    rig = Rig(serve, size=3)
    async with rig.running():
        await rig.admit(*[f"{lane}:{number}" for number in range(4) for lane in "abcde"])
        rig.pool.wake()
        await rig.settle()
        assert now == 3
        gate.set()
        await rig.pool.idle()

    assert most == 3
    assert len(rig.served) == 20
    for lane in "abcde":
        assert [key for key in rig.served if key[0] == lane] == [f"{lane}:{number}" for number in range(4)]


async def test_wakes_while_a_claim_is_under_way_are_not_lost() -> None:
    """What is stored between the look and the parking is found."""
    rig = Rig()
    looked = anyio.Event()
    claim = rig.store.claim

    async def slow_claim(*args: Any, **options: Any) -> Claim:
        found = await claim(*args, **options)
        if not looked.is_set():
            looked.set()
            for _ in range(5):
                await checkpoint()
        return found

    rig.store.claim = slow_claim  # type: ignore[method-assign]
    async with rig.running():
        await looked.wait()
        await rig.admit("a:1")
        rig.pool.wake()
        await rig.settle()

        assert rig.served == ["a:1"]


async def test_what_becomes_due_is_served_though_another_lane_is_slow() -> None:
    """Even if nobody was idle when the ledger was last looked at."""
    slow = anyio.Event()

    async def serve(lease: Lease) -> None:
        assert lease.entry is not None
        if lease.entry.event.key == "slow:1":
            await slow.wait()
        await rig.finish(lease)

    rig = Rig(serve)
    async with rig.store.opened(rig.clock):  # an earlier life: a handler has failed, and is to be tried again
        await rig.admit("later:1")
        (lease,) = (await rig.store.claim("in", limit=1, seconds=60)).leases
        await rig.store.postpone(lease, due=rig.clock.now() + timedelta(seconds=10), hold=60, reason="failed")
        await rig.admit("slow:1")
    async with rig.running():
        assert rig.served == []
        rig.clock.advance(11)
        await rig.settle()
        assert rig.served == ["later:1"]
        slow.set()


async def test_a_ledger_that_fails_is_asked_again_and_not_by_everybody() -> None:
    """One worker tries, a second later; nothing is lost."""
    rig = Rig()
    async with rig.running():
        rig.store.failing, before = 2, rig.store.claims
        await rig.admit("a:1", "b:1")
        rig.pool.wake()
        rig.pool.wake()
        await rig.settle()
        assert rig.store.claims == before + 1
        assert not rig.pool.is_idle
        for _ in range(3):
            rig.clock.advance(1)
            await rig.settle()

        assert sorted(rig.served) == ["a:1", "b:1"]


class Jumps(FakeClock):
    """A wall clock that is set while others sleep by the one that never jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


async def test_a_clock_that_is_set_to_after_the_end_of_a_lease_ends_it_soon() -> None:
    """As after a pause of the whole machine: to others it has ended, though here no time seems to have passed."""
    begun, cancelled = anyio.Event(), anyio.Event()

    async def serve(lease: Lease) -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.set()
            raise

    clock = Jumps()
    rig = Rig(serve, clock=clock, cancels=True)
    async with rig.running():
        await rig.admit("a:1")
        rig.pool.wake()
        await begun.wait()
        await rig.settle()
        clock.ahead = timedelta(seconds=LEASE_SECONDS)
        clock.advance(LEASE_SECONDS / 20)
        await rig.settle()

        assert cancelled.is_set()


async def test_a_lease_is_renewed_while_it_is_served_and_ends_with_a_dead_holder() -> None:
    """A slow handler keeps its lane; one that has gone away does not."""
    go = anyio.Event()

    async def serve(lease: Lease) -> None:
        await go.wait()
        await rig.finish(lease)

    rig = Rig(serve)
    async with rig.running():
        await rig.admit("a:1")
        rig.pool.wake()
        for _ in range(30):
            rig.clock.advance(LEASE_SECONDS / 4)
            await rig.settle()
        go.set()
        await rig.settle()
        assert rig.served == ["a:1"]  # it was still its own

        await rig.admit("b:1")
        assert (await rig.store.claim("in", limit=1, seconds=LEASE_SECONDS)).leases  # and then nothing more is heard
        rig.pool.wake()
        await rig.settle()
        assert rig.served == ["a:1"]
        rig.clock.advance(LEASE_SECONDS + 1)
        await rig.settle()
        assert rig.served == ["a:1", "b:1"]


async def test_what_was_claimed_and_not_served_is_given_back() -> None:
    """Whoever comes next need not wait for the leases to end."""
    rig = Rig(size=1)
    rig.store.batch = 4
    taken = anyio.Event()

    async def never(lease: Lease) -> None:
        taken.set()
        await anyio.sleep_forever()

    rig.pool = LanePool(rig.store, rig.clock, "in", never, size=2)
    async with rig.store.opened(rig.clock):
        await rig.admit(*[f"{number}:1" for number in range(6)])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.pool.run)
            await taken.wait()
            tasks.cancel_scope.cancel()
        await rig.pool.aclose()

        left = (await rig.store.claim("in", limit=10, seconds=60)).leases
        assert len(left) >= 4


async def test_a_channel_without_room_does_not_stop_the_others() -> None:
    """And it is looked at again when it has room."""
    room = {"loop": 0, "other": 9}
    rig = Rig(slots=lambda taken: {name: count for name, count in room.items() if count})
    async with rig.running():
        await rig.admit("a:1")
        await rig.admit("b:1", channel="other")
        rig.pool.wake()
        await rig.settle()
        assert rig.served == ["b:1"]
        room["loop"] = 1
        rig.pool.wake()
        await rig.settle()

    assert rig.served == ["b:1", "a:1"]


async def test_a_worker_does_not_inherit_the_context_of_who_woke_it() -> None:
    """It lives long, and serves others: a request's id or a trace's span is not its own."""
    request: ContextVar[str] = ContextVar("request", default="nobody's")
    seen: list[str] = []

    async def serve(lease: Lease) -> None:
        seen.append(request.get())
        await rig.finish(lease)

    rig = Rig(serve)
    async with rig.running():
        token = request.set("somebody's")
        await rig.admit("a:1", "b:1")
        rig.pool.wake()
        await rig.settle()
        request.reset(token)

    assert seen == ["nobody's", "nobody's"]
