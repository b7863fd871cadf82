"""Turns and pauses of a channel, which all workers of a ledger share."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit import ChannelOptions, Hub, MemoryStore, Status
from convergekit.abc import Outgoing
from convergekit.engine.options import Rate
from convergekit.engine.pacing import Pace
from convergekit.errors import ThrottledError
from convergekit.testing import FakeClock
from tests.engine.kit import ProbeConfig
from tests.engine.workers import Workers


class Counted(MemoryStore):
    """A ledger that counts how often a turn cost it something."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    async def put(self, *args: Any, **options: Any) -> bool:
        self.puts += 1
        return await super().put(*args, **options)


def pace(store: MemoryStore, clock: FakeClock, who: str, rate: Rate | None) -> Pace:
    return Pace(rate, clock, store, "c", lambda: who)


# The law


@given(
    count=st.integers(1, 40),
    per=st.sampled_from([0.5, 1.0, 10.0]),
    steps=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 0.4)), max_size=150),
)
def test_no_two_turns_of_any_workers_are_closer_than_the_rate_says(
    count: int, per: float, steps: list[tuple[int, float]]
) -> None:
    """Whoever asks, and whenever."""

    async def run() -> None:
        clock, store, taken = FakeClock(), MemoryStore(), list[datetime]()
        async with store.opened(clock):
            paces = [pace(store, clock, str(number), Rate(count=count, per=per)) for number in range(3)]
            for who, seconds in steps:
                clock.advance(seconds)
                turn = await paces[who].take()
                if turn is not None:
                    assert clock.now() <= turn <= clock.now() + timedelta(seconds=0.1)
                    taken.append(turn)
        every = timedelta(seconds=per / count)
        assert all(after - before >= every for before, after in itertools.pairwise(sorted(taken)))

    anyio.run(run)


@pytest.mark.anyio
async def test_a_lone_worker_has_every_turn_and_a_fast_channel_costs_a_commit_a_second() -> None:
    """It knows in advance which turns are its own."""
    clock, store = FakeClock(), Counted()
    async with store.opened(clock):
        mine, taken = pace(store, clock, "me", Rate(count=100)), 0
        for _ in range(10_000):
            taken += await mine.take() is not None
            clock.advance(0.001)

    assert 990 <= taken <= 1011  # some of them a moment from now
    assert store.puts <= 20


@pytest.mark.anyio
async def test_a_slow_channel_has_no_more_turns_than_one_at_a_time() -> None:
    """What a worker has taken and does not use is lost for a moment only: somebody else has the next one."""
    clock, store = FakeClock(), MemoryStore()
    async with store.opened(clock):
        mine, other = (pace(store, clock, who, Rate(count=1, per=10)) for who in ("me", "other"))
        assert await mine.take() == clock.now()
        assert await other.take() is None
        assert other.limit(5) == 0
        claims_at = other.claims_at()
        assert claims_at is not None
        clock.advance((claims_at - clock.now()).total_seconds())
        assert other.limit(5) == 1
        assert await other.take() is not None
        assert await mine.take() is None
        assert clock.monotonic() < 10.1


@pytest.mark.anyio
async def test_parts_whose_marks_were_stored_together_leave_one_by_one() -> None:
    """A slow commit makes no burst."""
    clock, store, left = FakeClock(), MemoryStore(), list[float]()

    async def send(mine: Pace) -> None:
        await mine.leave()
        left.append(clock.monotonic())

    async with store.opened(clock):
        mine = pace(store, clock, "me", Rate(count=10))
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(send, mine)
            for _ in range(4):
                await anyio.wait_all_tasks_blocked()
                clock.advance(0.1)

    assert left == pytest.approx([0, 0.1, 0.2])


# Hubs


@pytest.mark.anyio
@pytest.mark.parametrize("count", [1, 20])
async def test_two_workers_share_a_rate(count: int) -> None:
    """Together they send as much as one might, and no more; also when one of them dies."""
    at: list[float] = []

    async with Workers().running() as workers:

        async def sending(out: Outgoing) -> None:
            at.append(workers.clock.monotonic())

        async def probe(hub: Hub) -> None:
            await hub.add_channel(
                "probe", ProbeConfig(), options=ChannelOptions(rate=Rate(count=count)), sending=sending
            )

        first = await workers.start(probe)
        second = await workers.start(probe)
        web = await workers.start(role="submit")
        await web.hub.add_channel("probe", ProbeConfig(), options=ChannelOptions(rate=Rate(count=count)))
        for number in range(8 * count):
            await web.hub.submit("hello", to=f"probe:{number}")
        await workers.pass_time(3, step=0.5 / count)
        sent = len(at)
        assert 0.7 * 3 * count <= sent <= 3 * count + 1
        await first.die()
        await workers.pass_time(3, step=0.5 / count)
        assert len(at) - sent >= 0.5 * 3 * count
        await second.close()

    assert all(after - before >= 1 / count - 1e-6 for before, after in itertools.pairwise(at))


@pytest.mark.anyio
@pytest.mark.parametrize("rate", [None, Rate(count=100)], ids=["no rate", "rate"])
async def test_a_pause_that_one_worker_was_asked_for_is_all_workers_pause(rate: Rate | None) -> None:
    """And that of whoever comes next, after all of them have gone."""
    at: list[float] = []

    async with Workers().running() as workers:

        async def sending(out: Outgoing) -> None:
            at.append(workers.clock.monotonic())
            if len(at) == 1:
                raise ThrottledError("slow down", retry_after=60, scope="channel")

        async def probe(hub: Hub) -> None:
            await hub.add_channel("probe", ProbeConfig(), options=ChannelOptions(rate=rate), sending=sending)

        first, second = await workers.start(probe), await workers.start(probe)
        await workers.pass_time(5)
        handle = await first.hub.submit("hello", to="probe:a")
        await workers.breathe()
        await workers.pass_time(3)
        others = [await second.hub.submit("hello", to=f"probe:{number}") for number in range(5)]
        await workers.pass_time(20)
        assert at == [5]
        await first.close()
        await second.close()
        third = await workers.start(probe)
        await workers.pass_time(30)
        assert at == [5]
        assert not third.hub._engine.channels["probe"].room(0)
        await workers.pass_time(12)

        assert at[1] >= 65
        assert len(at) == 7
        stored = await third.peer.load(handle.id)
        assert stored.status is Status.ACCEPTED
        assert len(others) == 5


@pytest.mark.anyio
async def test_a_channel_without_a_rate_costs_the_ledger_nothing() -> None:
    """There is nothing to share but pauses."""
    clock, store = FakeClock(), Counted()
    async with store.opened(clock):
        mine = pace(store, clock, "me", None)
        for _ in range(100):
            assert await mine.take() is not None
            await mine.tell()

    assert store.puts == 0
