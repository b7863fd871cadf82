"""A lock among all who share the ledger: one inside, for as long as it likes, and told when it is lost."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import anyio
import pytest
import trio
from anyio.lowlevel import checkpoint

from convergekit import MemoryStore
from convergekit.engine.locks import LOCK, Locks
from convergekit.errors import LeaseLostError, StoreError
from convergekit.testing import FakeClock
from tests.engine.workers import Ledger, Peer

pytestmark = pytest.mark.anyio
_log = logging.getLogger(__name__)


class Process:
    """One of those who share a ledger."""

    def __init__(self, ledger: Ledger, clock: FakeClock) -> None:
        self.peer = Peer(ledger)
        self.locks = Locks(cast(Any, self.peer), clock, _log)


class Two:
    """Two processes on one ledger, and their time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        ledger = Ledger(self.clock)
        self.one, self.two = Process(ledger, self.clock), Process(ledger, self.clock)

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        while seconds > 0:
            self.clock.advance(step)
            seconds -= step
            for _ in range(20):
                await checkpoint()


@asynccontextmanager
async def keeping(two: Two, locks: Locks) -> AsyncGenerator[list[str]]:
    """Somebody holds the lock "a" of *locks*; yields what happened to them."""
    happened: list[str] = []

    async def hold() -> None:
        try:
            async with locks.held("a"):
                happened.append("in")
                try:
                    await anyio.sleep_forever()
                finally:
                    happened.append("out")
        except LeaseLostError:
            happened.append("told")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            await two.pass_time(1)
            yield happened
            tasks.cancel_scope.cancel()


async def test_one_is_inside_and_other_names_do_not_wait() -> None:
    """Whether they share a process or only the ledger."""
    two, inside = Two(), list[str]()

    async def work(process: Process, name: str) -> None:
        for _ in range(3):
            async with process.locks.held(name):
                assert name not in inside
                inside.append(name)
                await checkpoint()
                inside.remove(name)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(work, (two.one, two.two)[number % 2], "ab"[number // 2 % 2])
            await two.pass_time(60, step=0.1)
        async with two.one.locks.held("a"), two.one.locks.held("b"), two.two.locks.held("c"):
            pass


async def test_in_one_process_they_take_turns_and_a_ledger_that_nobody_shares_is_not_asked() -> None:
    """First come, first served; and a clock that a test moves by a day loses nobody a lock."""
    clock, turns = FakeClock(), list[int]()
    store = MemoryStore()
    locks = Locks(store, clock, _log)

    async def work(number: int) -> None:
        async with locks.held("a"):
            turns.append(number)
            clock.advance(86_400)
            await checkpoint()

    async with store.opened(clock):
        async with locks.held("a"), anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(work, number)
                await anyio.wait_all_tasks_blocked()
            first = list(turns)
            tasks.cancel_scope.cancel()
        async with anyio.create_task_group() as tasks, locks.held("a"):
            for number in range(3):
                tasks.start_soon(work, number)
                await anyio.wait_all_tasks_blocked()
    assert (first, turns) == ([], [0, 1, 2])


async def test_whoever_fails_or_is_cancelled_lets_it_go() -> None:
    """At once; and the error is their own."""
    two = Two()
    with anyio.fail_after(60):
        with pytest.raises(ValueError, match="mine"):
            async with two.one.locks.held("a"):
                raise ValueError("mine")
        async with keeping(two, two.two.locks):
            with anyio.move_on_after(0):
                async with two.two.locks.held("a"):
                    pytest.fail("two are inside")
        async with keeping(two, two.one.locks):
            pass
        async with two.two.locks.held("a"):
            pass


async def test_it_is_kept_for_as_long_as_it_is_held() -> None:
    """An hour, if need be."""
    two = Two()
    async with keeping(two, two.one.locks) as happened:
        await two.pass_time(3600, step=5)
        assert await two.two.peer.own("lock:a", "somebody else", 1) is None
        assert happened == ["in"]


async def test_whoever_has_lost_it_is_cancelled_and_told() -> None:
    """The ledger has given it to somebody else: the next renewal says so."""
    two = Two()
    async with keeping(two, two.one.locks) as happened:
        store = two.one.peer._ledger.store
        owner, token, _ = store._owners["lock:a"]
        store._owners["lock:a"] = (owner, token, two.clock.now())
        assert await two.two.peer.own("lock:a", "somebody else", 60) is not None
        assert happened == ["in"]
        await two.pass_time(LOCK / 3)
        assert happened == ["in", "out", "told"]


async def test_a_cancellation_that_comes_in_pieces_ends_at_the_lock() -> None:
    """On Trio several tasks are cancelled by as many exceptions, and a group of these comes out."""
    two, told = Two(), list[str]()

    async def hold() -> None:
        try:
            async with two.one.locks.held("a"), anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.sleep_forever)
                if anyio.get_cancelled_exc_class() is trio.Cancelled:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(trio.sleep_forever)
                        await trio.sleep_forever()
                await anyio.sleep_forever()
        except LeaseLostError:
            told.append("told")

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold)
            await two.pass_time(1)
            two.one.peer.away = True
            await two.pass_time(LOCK)
    assert told == ["told"]


@pytest.mark.parametrize("hangs", [False, True], ids=["fails", "hangs"])
async def test_whoever_cannot_renew_it_is_out_before_another_is_in(
    hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time has run out, and nobody there to say so."""
    monkeypatch.setattr("convergekit.engine.ownership._CLOSING", 0.05)
    two = Two()
    async with keeping(two, two.one.locks) as happened:
        two.one.peer.away, two.one.peer.hangs = not hangs, hangs
        await two.pass_time(LOCK - 3)
        assert happened == ["in"]
        await two.pass_time(3)
        assert happened[:2] == ["in", "out"]
        with suppress(StoreError):
            async with two.two.locks.held("a"):
                happened.append("another")
    assert "told" in happened
    assert "another" in happened


async def test_a_block_that_ends_by_itself_is_told_all_the_same() -> None:
    """What it has done last was not done alone."""
    two = Two()

    async def hold() -> None:
        async with two.one.locks.held("a"):
            two.one.peer.away = True
            with anyio.CancelScope(shield=True):
                await two.pass_time(LOCK + 1)

    with pytest.raises(LeaseLostError, match="lock:a was lost"):
        await hold()


async def test_a_ledger_that_is_away_lets_nobody_in() -> None:
    """The block is not begun."""
    two = Two()
    two.one.peer.away = True
    with pytest.raises(StoreError):
        async with two.one.locks.held("a"):
            pytest.fail("it was begun")
    two.one.peer.away = False
    async with two.one.locks.held("a"):
        pass
