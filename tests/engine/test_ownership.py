"""Ownership by itself: cut off anywhere, it leaves nothing running and nothing owned for longer than its time."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import anyio
import pytest

from convergekit import MessageReceived
from convergekit.engine.options import Rate
from convergekit.engine.ownership import OWNING, Ownership, current_fence
from convergekit.engine.pacing import Pace
from convergekit.testing import FakeClock
from tests.engine.kit import CutStore, Points

pytestmark = pytest.mark.anyio
_log = logging.getLogger(__name__)


class Cut(CutStore):
    """Ownership can be cut off, too."""

    async def own(self, *args: Any) -> Any:
        await self.point()
        answer = await super().own(*args)
        await self.point()
        return answer

    async def disown(self, *args: Any) -> None:
        await self.point()
        await super().disown(*args)
        await self.point()


def _ownership(store: Cut, clock: FakeClock, who: str) -> Ownership:
    return Ownership(store, clock, "channel:c", lambda: who, OWNING, _log, lambda: None)


async def test_cut_off_anywhere_the_work_has_ended_and_another_may_begin() -> None:
    """At once where it could be given back, else when its time has run out."""
    for at in itertools.count(1):
        clock, store, points = FakeClock(), Cut(), Points(at)
        working = 0

        async def work() -> None:
            nonlocal working
            working += 1
            try:
                while True:
                    await anyio.sleep_forever()
            finally:
                working -= 1

        async with store.opened(clock):
            store.point = points
            with anyio.fail_after(60), anyio.CancelScope() as points.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_ownership(store, clock, "a").during, work, lambda: None)
                    for _ in range(4):
                        await anyio.wait_all_tasks_blocked()
                        clock.advance(OWNING / 3)
                    await anyio.wait_all_tasks_blocked()
                    tasks.cancel_scope.cancel()
            points.scope = None
            assert working == 0
            clock.advance(OWNING)
            assert await store.own("channel:c", "b", OWNING) is not None
        if points.seen < at:
            break
    assert at > 8


class Hanging(Cut):
    """From the second call on, the ledger does not answer."""

    calls = 0

    async def own(self, *args: Any) -> Any:
        self.calls += 1
        if self.calls > 1:
            await anyio.sleep_forever()
        return await super().own(*args)


async def test_it_says_whether_it_has_lapsed_or_somebody_else_has_it(caplog: pytest.LogCaptureFixture) -> None:
    """A ledger that does not answer is to be looked at, and another worker is as it should be."""

    async def told(store: Cut, *, taken: bool) -> str:
        caplog.clear()
        clock = FakeClock()
        async with store.opened(clock), anyio.create_task_group() as tasks:
            mine = _ownership(store, clock, "a")
            tasks.start_soon(mine.during, anyio.sleep_forever, lambda: None)
            await anyio.wait_all_tasks_blocked()
            if taken:
                assert mine.fence is not None
                await store.disown(mine.fence)
                await store.own("channel:c", "b", OWNING)
            for _ in range(4):
                clock.advance(OWNING / 3)
                await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        (line,) = caplog.messages
        return line

    assert await told(Hanging(), taken=False) == "channel:c was not renewed in time, and is another's to take"
    assert await told(Cut(), taken=True) == "channel:c has been taken over by another worker"


async def test_who_works_under_it_is_refused_once_another_has_it() -> None:
    """Also what it has started; and nobody else is concerned."""
    clock, store = FakeClock(), Cut()
    fences: list[Any] = []

    async def work() -> None:
        async with anyio.create_task_group() as tasks:

            async def deeper() -> None:
                fences.append(current_fence())

            tasks.start_soon(deeper)

    async with store.opened(clock):
        await _ownership(store, clock, "a").during(work, lambda: None)
        assert current_fence() is None
        (fence,) = fences
        assert fence is not None
        await store.own("channel:c", "b", OWNING)
        with pytest.raises(Exception, match="owns") as caught:
            await store.admit("c", [MessageReceived(key="k", channel="c")], fence=fence)
        assert type(caught.value).__name__ == "LeaseLostError"


async def test_a_turn_that_is_cut_off_is_lost_and_blocks_nobody() -> None:
    """The rate is kept, and the next one comes in time."""
    for at in itertools.count(1):
        clock, store, points = FakeClock(), Cut(), Points(at)
        taken = []

        async with store.opened(clock):
            mine, other = (Pace(Rate(count=2), clock, store, "c", lambda who=who: who) for who in "ab")  # type: ignore[misc]
            store.point = points
            with anyio.CancelScope() as points.scope:
                for _ in range(4):
                    if (turn := await mine.take()) is not None:
                        taken.append(turn)
                    clock.advance(0.5)
            points.scope = None
            clock.advance(1.1)
            turn = await other.take()
            assert turn is not None
            taken.append(turn)
            clock.advance(1.1)
            assert await mine.take() is not None
        assert all((after - before).total_seconds() >= 0.5 for before, after in itertools.pairwise(taken))
        if points.seen < at:
            break
    assert at > 4
