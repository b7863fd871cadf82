"""The one face of limits, money and credit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest
from pydantic import SecretStr, ValidationError

from convergekit.adapters.x.budgets import Budgets, Cost, Priority
from convergekit.adapters.x.budgets.limits import Route
from convergekit.adapters.x.config import BudgetConfig, OAuth2Config, XConfig
from convergekit.errors import CreditError, ThrottledError
from convergekit.testing import FakeContext
from tests.adapters.x.budgets.ledgers import Hangs

pytestmark = pytest.mark.anyio


def config(**settings: Any) -> XConfig:
    return XConfig(oauth2=OAuth2Config(client_id="app", refresh_token=SecretStr("r")), user_id="9", **settings)


def budgets(context: FakeContext, **settings: Any) -> Budgets:
    return Budgets(config(**settings), context, random=lambda: 0.0)


def day(amount: str) -> dict[str, Any]:
    return {"budget": BudgetConfig(day=Decimal(amount))}


async def post(each: Budgets, status: int | None = 201, **more: Any) -> float:
    ticket = await each.before("POST", "/2/tweets", priority=Priority.REPLY, json={"text": "hi"})
    return await each.after(ticket, status=status, **more)


async def test_what_has_no_room_waits_without_a_request_and_without_a_dollar() -> None:
    context = FakeContext()
    each = budgets(context, **day("100"))
    for _ in range(100):
        await post(each)

    with pytest.raises(ThrottledError, match="X' limit for POST /2/tweets leaves no room now") as caught:
        await post(each)

    assert caught.value.scope == "conversation", "what has room elsewhere goes on"
    assert each.spent.total["day"] == Decimal("1.5")


async def test_what_the_budget_does_not_pay_for_uses_up_no_limit() -> None:
    context = FakeContext()
    each = budgets(context, **day("0.01"))
    for _ in range(200):
        with pytest.raises(ThrottledError, match=r"budget\.day"):
            await post(each)

    ticket = await each.before("POST", "/2/tweets", priority=Priority.REPLY, cost=Cost("post.reply_summoned"))
    assert await each.after(ticket, status=201) == 0.0


async def test_a_refusal_costs_nothing_and_a_lost_answer_does() -> None:
    each = budgets(FakeContext(), **day("1"))

    for status in (400, 403, 404, 429):
        await post(budgets(FakeContext()), status)
    await post(each, 403)
    assert each.spent.total["day"] == 0
    await post(each, None)
    assert each.spent.total["day"] == Decimal("0.015")


async def test_what_did_not_leave_us_costs_nothing_and_uses_up_nothing() -> None:
    each = budgets(FakeContext(), **day("1"))
    for _ in range(200):
        await post(each, None, sent=False)

    assert each.spent.total["day"] == 0


async def test_429_says_when_to_come_back() -> None:
    context = FakeContext()
    each = budgets(context)
    reset = int(context.clock.now().timestamp()) + 300

    assert await post(each, 201) == 0.0
    told = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
    assert await post(each, 429, headers=told) == 301.0
    with pytest.raises(ThrottledError):
        await post(each)


async def test_402_stops_all_of_it_until_it_is_time_to_ask() -> None:
    context = FakeContext()
    each = budgets(context, **day("1"))
    await post(each, 402)

    with pytest.raises(CreditError):
        await each.before("GET", "/2/users/9/mentions", priority=Priority.BACKGROUND)
    with pytest.raises(CreditError):
        await budgets(context).open()

    context.clock.advance(1000)
    ticket = await each.before("GET", "/2/users/9/mentions", priority=Priority.BACKGROUND)
    assert ticket.asks
    await each.after(ticket, status=200)
    await post(each)
    assert each.spent.total["day"] == Decimal("0.015"), "what was refused for want of credit cost nothing"


async def test_what_has_no_room_does_not_use_up_the_one_request_that_finds_out() -> None:
    context = FakeContext()
    each = budgets(context)
    for _ in range(99):
        await post(each)
    await post(each, 402)
    reset = int(context.clock.now().timestamp()) + 3000
    told = {"x-rate-limit-limit": "15", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
    context.clock.advance(1000)
    each._limits.learn(Route("POST", "/2/tweets"), 200, told, asked_at=context.clock.monotonic())

    with pytest.raises(ThrottledError):
        await each.before("POST", "/2/tweets", priority=Priority.REPLY)

    assert (await each.before("GET", "/2/users/me")).asks


async def test_who_is_cancelled_before_the_request_leaves_everything_as_it_was() -> None:
    context = FakeContext()
    each = budgets(context, **day("1"))
    state, context.state = context.state, Hangs()
    with anyio.move_on_after(0.01):
        await each.before("POST", "/2/tweets", priority=Priority.REPLY)
    context.state = state

    for _ in range(66):
        await post(each)
    assert each.spent.total["day"] == Decimal("0.990")


async def test_settling_is_not_cut_short() -> None:
    context = FakeContext()
    each = budgets(context, **day("1"))
    ticket = await each.before("GET", "/2/users/9/mentions", priority=Priority.BACKGROUND)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await each.after(ticket, status=200, items=[("post.read", "1")])

    assert each.spent.total["day"] == Decimal("0.005")


async def test_polls_wait_for_limits_and_for_money() -> None:
    context = FakeContext()
    each = budgets(context, **day("0.01"))

    assert each.wait("/2/users/9/mentions", 60.0) == 60.0
    assert each.wait("/2/dm_events", 60.0) == 90.0
    await each.received([("activity.dm", "1")])
    assert each.wait("/2/users/9/mentions", 60.0) == 86_400.0


async def test_polls_that_go_as_they_are_told_are_never_refused() -> None:
    context = FakeContext()
    each = budgets(context)
    for _ in range(500):
        ticket = await each.before("GET", "/2/dm_events", priority=Priority.BACKGROUND)
        await each.after(ticket, status=200)
        context.clock.advance(each.wait("/2/dm_events", 60.0))


def test_a_price_that_there_is_not_is_told_when_settings_are_read() -> None:
    with pytest.raises(ValidationError, match="there is no tweet"):
        BudgetConfig(prices={"tweet": Decimal(1)})
