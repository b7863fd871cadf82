"""402: nothing is asked until it is time to ask."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from convergekit.adapters.x.budgets.breaker import Breaker
from convergekit.errors import CreditError
from convergekit.testing import FakeContext
from tests.adapters.x.budgets.ledgers import Away, Hangs

pytestmark = pytest.mark.anyio


def breaker(context: FakeContext) -> Breaker:
    return Breaker(context, lambda: 0.0)


async def stopped(context: FakeContext) -> Breaker:
    """One that has just been told 402."""
    each = breaker(context)
    assert await each.enter() is False
    await each.leave(402, asked=False)
    return each


async def test_without_trouble_every_request_goes() -> None:
    each = breaker(FakeContext())
    await each.open()

    for status in (200, 201, 403, 404, 429, 500, None):
        assert await each.enter() is False
        await each.leave(status, asked=False)


async def test_402_stops_every_request_of_the_account() -> None:
    each = await stopped(FakeContext())

    with pytest.raises(CreditError, match="X is asked again at 2026-01-01 00:15 UTC") as caught:
        await each.enter()
    assert caught.value.code == "402"
    with pytest.raises(CreditError):
        each.check()


async def test_a_channel_that_is_entered_anew_asks_nothing_either() -> None:
    """The engine enters one that is down every five minutes, and a supervisor restarts what has died."""
    context = FakeContext()
    await stopped(context)

    for _ in range(2):
        context.clock.advance(300)
        with pytest.raises(CreditError):
            await breaker(context).open()
    context.clock.advance(300)
    await breaker(context).open()


async def test_one_request_finds_out_later_and_later() -> None:
    context, waits = FakeContext(), []
    each = await stopped(context)
    for _ in range(8):
        assert each.until is not None
        waits.append((each.until - context.clock.now()).total_seconds() / 60)
        context.clock.advance(waits[-1] * 60)
        assert await each.enter() is True
        await each.leave(402, asked=True)

    assert waits == [15, 30, 60, 60, 60, 60, 60, 60]


@pytest.mark.parametrize("status", [200, 201, 400, 403, 404])
async def test_an_answer_that_is_not_402_opens_the_account_again(status: int) -> None:
    context = FakeContext()
    each = await stopped(context)
    context.clock.advance(900)

    assert await each.enter() is True
    await each.leave(status, asked=True)

    assert await each.enter() is False
    await breaker(context).open()


@pytest.mark.parametrize("status", [None, 401, 429, 500, 503])
async def test_what_says_nothing_of_credit_is_asked_again_later(status: int | None) -> None:
    context = FakeContext()
    each = await stopped(context)
    context.clock.advance(900)
    assert await each.enter() is True

    await each.leave(status, asked=True)

    with pytest.raises(CreditError):
        await each.enter()
    context.clock.advance(900)
    assert await each.enter() is True


async def test_of_many_one_finds_out_and_the_others_wait_for_what_it_hears() -> None:
    context = FakeContext()
    asked: list[int] = []
    went: list[int] = []
    each = await stopped(context)
    context.clock.advance(900)

    async def one() -> None:
        if await each.enter():
            asked.append(1)
            await anyio.wait_all_tasks_blocked()
            assert went == []
            await each.leave(201, asked=True)
        went.append(1)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(one)

    assert (len(asked), len(went)) == (1, 50)


async def test_of_several_workers_one_finds_out() -> None:
    context = FakeContext()
    outcomes: list[bool | str] = []
    workers = [await stopped(context)] + [breaker(context) for _ in range(3)]
    context.clock.advance(900)

    for each in workers:
        try:
            await each.open()
            outcomes.append(await each.enter())
        except CreditError:
            outcomes.append("stopped")

    assert outcomes == [True, "stopped", "stopped", "stopped"]


async def test_what_was_under_way_when_the_first_was_told_counts_once() -> None:
    context = FakeContext()
    each = breaker(context)
    for _ in range(16):
        await each.enter()
    for _ in range(16):
        context.clock.advance(0.1)
        await each.leave(402, asked=False)

    assert (await context.state.get("breaker"))[0]["times"] == 1


async def test_another_worker_that_opened_the_account_opens_it_for_all() -> None:
    context = FakeContext()
    ours, theirs = await stopped(context), breaker(context)
    context.clock.advance(900)
    await theirs.open()
    assert await theirs.enter() is True
    await theirs.leave(201, asked=True)

    assert await ours.enter() is False


async def test_one_who_asks_and_is_cancelled_leaves_it_to_the_next() -> None:
    context = FakeContext()
    each = await stopped(context)
    context.clock.advance(900)
    state, context.state = context.state, Hangs()
    with anyio.move_on_after(0.01):
        await each.enter()
    context.state = state

    assert await each.enter() is True


async def test_a_ledger_that_is_away_stops_it_all_the_same() -> None:
    context = FakeContext()
    state, context.state = context.state, Away()
    each = await stopped(context)

    with pytest.raises(CreditError):
        each.check()
    context.state = state
    assert "not stored" in context.logged


@pytest.mark.parametrize("value", [[], "x", {}, {"until": "soon", "times": 1}, {"until": "2026-01-01", "times": 1}])
async def test_what_makes_no_sense_in_the_ledger_stops_nothing(value: Any) -> None:
    context = FakeContext()
    await context.state.put("breaker", value)
    each = breaker(context)

    await each.open()

    assert each.until is None
