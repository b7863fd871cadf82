"""What may be spent, and what was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio
import pytest

from convergekit.adapters.x.budgets.money import Money
from convergekit.adapters.x.budgets.prices import Cost
from convergekit.adapters.x.budgets.windows import Priority
from convergekit.adapters.x.config import BudgetConfig
from convergekit.errors import StoreError, ThrottledError
from convergekit.model import CustomReceived
from convergekit.testing import FakeClock, FakeContext
from tests.adapters.x.budgets.ledgers import Away, Hangs

pytestmark = pytest.mark.anyio

POST, PAGE = Cost("post.create"), Cost("post.read", 100)
NORMAL, REPLY, BACKGROUND = Priority.NORMAL, Priority.REPLY, Priority.BACKGROUND


def context() -> FakeContext:
    return FakeContext(clock=FakeClock(datetime(2026, 11, 22, 18, tzinfo=UTC)))


def budget(**settings: Any) -> BudgetConfig:
    return BudgetConfig.model_validate(settings)


def posts(first: int, count: int) -> list[tuple[str, str]]:
    return [("post.read", str(number)) for number in range(first, first + count)]


def spent(money: Money) -> tuple[Decimal, Decimal]:
    total = money.spent.total
    return total.get("day", Decimal(0)), total.get("month", Decimal(0))


def told(context: FakeContext) -> list[Mapping[str, Any]]:
    return [event.data for event in context.admitted if isinstance(event, CustomReceived) and event.name == "x.budget"]


async def test_what_is_over_the_budget_of_the_day_waits_until_the_day_is_over() -> None:
    ctx = context()
    money = Money(budget(day="0.04"), ctx)
    for _ in range(2):
        await money.reserve(POST, NORMAL)

    with pytest.raises(ThrottledError, match=r"budget\.day \(0\.04 US dollars\) does not pay") as caught:
        await money.reserve(POST, NORMAL)

    assert (caught.value.retry_after, caught.value.scope) == (6 * 3600.0, "conversation")
    ctx.clock.advance(6 * 3600)
    await money.reserve(POST, NORMAL)
    assert spent(money) == (Decimal("0.015"), Decimal("0.045"))


async def test_a_month_goes_on_over_its_days_and_ends_with_its_last_one() -> None:
    ctx = context()
    money = Money(budget(month="0.03"), ctx)
    await money.reserve(POST, NORMAL)
    ctx.clock.advance(86_400)
    await money.reserve(POST, NORMAL)

    with pytest.raises(ThrottledError) as caught:
        await money.reserve(POST, NORMAL)

    ctx.clock.advance(caught.value.retry_after)
    assert ctx.clock.now() == datetime(2026, 12, 1, tzinfo=UTC)
    await money.reserve(POST, NORMAL)


async def test_what_costs_less_still_goes() -> None:
    money = Money(budget(day="0.10"), context())

    with pytest.raises(ThrottledError):
        await money.reserve(Cost("post.create_with_url"), REPLY)

    await money.reserve(Cost("post.reply_summoned"), REPLY)


async def test_a_price_of_ones_own_counts() -> None:
    money = Money(budget(day="1", prices={"post.create": Decimal("0.7")}), context())
    await money.reserve(POST, NORMAL)

    with pytest.raises(ThrottledError):
        await money.reserve(POST, NORMAL)


async def test_what_was_refused_is_put_back() -> None:
    money = Money(budget(day="1"), context())

    await money.settle(await money.reserve(POST, NORMAL), (), refused=True)

    assert spent(money) == (Decimal(0), Decimal(0))


async def test_it_is_put_down_before_the_request_and_outlives_us() -> None:
    """Whoever dies in between has spent it: nobody knows better."""
    ctx = context()
    await Money(budget(day="0.02"), ctx).reserve(POST, NORMAL)

    again = Money(budget(day="0.02"), ctx)
    await again.open()

    with pytest.raises(ThrottledError):
        await again.reserve(POST, NORMAL)


async def test_workers_never_spend_the_same_dollar_twice() -> None:
    ctx, went = context(), []
    workers = [Money(budget(day="0.31"), ctx) for _ in range(4)]

    async def work(money: Money) -> None:
        for _ in range(20):
            try:
                await money.reserve(POST, NORMAL)
            except ThrottledError:
                return
            went.append(1)

    async with anyio.create_task_group() as tasks:
        for each in workers:
            tasks.start_soon(work, each)

    assert len(went) == 20, "0.30 in all"


async def test_an_object_is_charged_once_a_day() -> None:
    ctx = context()
    money = Money(budget(day="100"), ctx)

    async def poll() -> None:
        await money.settle(await money.reserve(PAGE, BACKGROUND), posts(0, 10), refused=False)

    await poll()
    await poll()
    assert spent(money)[0] == Decimal("0.050")
    ctx.clock.advance(86_400)
    await poll()
    assert spent(money) == (Decimal("0.050"), Decimal("0.100"))


async def test_polling_has_a_share_and_leaves_the_rest_to_answers() -> None:
    ctx = context()
    money = Money(budget(day="1", polling=0.5), ctx)
    await money.settle(await money.reserve(PAGE, BACKGROUND), posts(0, 100), refused=False)

    with pytest.raises(ThrottledError) as caught:
        await money.reserve(PAGE, BACKGROUND)

    assert caught.value.retry_after == money.wait() == 6 * 3600.0
    await money.reserve(POST, REPLY)
    await money.reserve(PAGE, NORMAL)


async def test_reading_crosses_the_limit_by_one_page_at_most() -> None:
    """What it costs is known afterwards; so of several at once, where it is scarce, one goes."""
    money = Money(budget(day="0.6", polling=1), context())
    first = await money.reserve(PAGE, BACKGROUND)

    with pytest.raises(ThrottledError) as caught:
        await money.reserve(PAGE, BACKGROUND)

    assert caught.value.retry_after < 60
    await money.settle(first, posts(0, 3), refused=False)
    await money.settle(await money.reserve(PAGE, BACKGROUND), posts(100, 100), refused=False)
    assert spent(money)[0] == Decimal("0.515")


async def test_a_budget_that_is_nearly_used_up_is_told_once() -> None:
    ctx = context()
    money = Money(budget(day="0.1"), ctx)
    for _ in range(6):
        await money.reserve(POST, NORMAL)
    for _ in range(3):
        with pytest.raises(ThrottledError):
            await money.reserve(POST, NORMAL)

    assert [(each["period"], each["percent"], each["spent"]) for each in told(ctx)] == [
        ("day", 80, "0.090"),
        ("day", 100, "0.090"),
    ]
    assert [event.key for event in ctx.admitted] == ["x.budget:day:2026-11-22:80", "x.budget:day:2026-11-22:100"]


async def test_each_worker_and_each_life_tells_the_same_event() -> None:
    ctx = context()
    for _ in range(2):
        money = Money(budget(day="0.015"), ctx)
        await money.open()
        with pytest.raises(ThrottledError):
            await money.reserve(Cost("post.create_with_url"), NORMAL)

    assert len(told(ctx)) == 2


async def test_what_x_tells_by_itself_costs_too() -> None:
    money = Money(budget(day="1"), context())

    await money.charge([("activity.dm", "1"), ("activity.dm", "1"), ("activity.post", "2"), ("x.unknown", "3")])

    assert spent(money)[0] == Decimal("0.015")


async def test_a_ledger_that_is_away_costs_no_answer_and_no_dollar() -> None:
    """What was answered is answered; it is put down with what comes next."""
    ctx = context()
    money, state = Money(budget(day="1"), ctx), ctx.state
    ctx.state = Away()
    await money.settle(await money.reserve(PAGE, BACKGROUND), posts(0, 2), refused=False)
    with pytest.raises(StoreError):
        await money.reserve(POST, NORMAL)

    ctx.state = state
    await money.reserve(POST, NORMAL)

    assert spent(money)[0] == Decimal("0.025")
    assert money.spent.polling["day"] == Decimal("0.010")


async def test_a_ledger_that_hangs_forgets_no_dollar_either() -> None:
    ctx = context()
    money, state = Money(budget(day="1"), ctx), ctx.state
    reserved = await money.reserve(PAGE, BACKGROUND)
    ctx.state = Hangs()
    with anyio.move_on_after(0.01):
        await money.settle(reserved, posts(0, 2), refused=False)

    ctx.state = state
    await money.reserve(POST, NORMAL)

    assert spent(money)[0] == Decimal("0.025")


async def test_nobody_who_hears_of_it_is_no_reason_to_fail() -> None:
    ctx = context()
    ctx.refuses_admission = StoreError("away")
    money = Money(budget(day="0.015"), ctx)

    await money.reserve(POST, NORMAL)

    assert "nobody could be told" in ctx.logged


async def test_without_a_limit_the_ledger_is_not_asked() -> None:
    ctx = context()
    ctx.state = Away()
    money = Money(budget(), ctx)

    await money.open()
    await money.settle(await money.reserve(POST, NORMAL), posts(0, 100), refused=False)

    assert money.wait() == 0.0


@pytest.mark.parametrize(
    "value", [[], "x", {}, {"day": 5}, {"day": "2026-11-22", "total": {"day": "x"}, "polling": {}}]
)
async def test_what_makes_no_sense_in_the_ledger_is_as_if_nothing_was_spent(value: Any) -> None:
    ctx = context()
    await ctx.state.put("budget", value)
    money = Money(budget(day="1"), ctx)

    await money.open()

    await money.reserve(POST, NORMAL)
    assert spent(money)[0] == Decimal("0.015")
