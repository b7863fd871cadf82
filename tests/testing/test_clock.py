"""`FakeClock` keeps the promises of `Clock`, as the machine's own does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import anyio
import pytest

from convergekit.abc import Clock
from convergekit.engine.clock import SystemClock
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[FakeClock, SystemClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Callable[[], Clock] = request.param
    return made()


def test_it_is_a_clock(clock: Clock) -> None:
    assert isinstance(clock, Clock)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_time_is_a_checkpoint(clock: Clock, seconds: float) -> None:
    """Others run meanwhile, and a cancellation arrives."""
    order = list[str]()

    async def twice(name: str) -> None:
        for _ in range(2):
            order.append(name)
            await clock.sleep(seconds)

    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            tasks.start_soon(twice, name)
    assert sorted(order[:2]) == ["a", "b"]
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clock.sleep(seconds)
    assert scope.cancelled_caught


async def test_whoever_sleeps_wakes_when_the_time_has_come_and_not_before(clock: Clock) -> None:
    start, started, woken = clock.now(), clock.monotonic(), list[float]()

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        assert (clock.now() - start).total_seconds() >= seconds - 0.001
        assert clock.monotonic() - started >= seconds - 0.001
        woken.append(seconds)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for seconds in (0.02, 0.01):
                tasks.start_soon(sleeper, seconds)
            if isinstance(clock, FakeClock):
                for _ in range(2):
                    await anyio.wait_all_tasks_blocked()
                    clock.advance(0.01)
    # A loop that stood still until both were due wakes them in any order, as Trio does by intent.
    assert woken == [0.01, 0.02] if isinstance(clock, FakeClock) else sorted(woken) == [0.01, 0.02]


# What only the fake promises


async def test_it_stands_still_whoever_sleeps() -> None:
    """One that went on by itself would let the first who sleeps decide what time it is for all others."""
    clock = FakeClock()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 3600)
        await anyio.wait_all_tasks_blocked()
        assert (clock.now(), clock.monotonic()) == (FakeClock().now(), 0)
        clock.advance(3600)


async def test_who_is_cancelled_in_his_sleep_disturbs_nobody() -> None:
    clock = FakeClock()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.sleep, 1)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    clock.advance(1)
    assert clock.monotonic() == 1


def test_it_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        FakeClock().advance(-1)
