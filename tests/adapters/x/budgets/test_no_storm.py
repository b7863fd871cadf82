"""Through the hub and to a server that counts: what X refuses is asked a number of times that can be told before."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any

import anyio
import pytest

from convergekit import Hub, Message
from convergekit.model import DeliveryState, Importance
from convergekit.testing import FakeClock
from convergekit.testing.x import EmptyError, HtmlError, Step, Throttled, XServer

pytestmark = pytest.mark.anyio

MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture
def anyio_backend() -> str:
    """Nothing waits here but a clock that jumps, and Trio knows at once when all wait; the parts are tested on both."""
    return "trio"


class World:
    """A hub with an account at X, and time that jumps to the next thing that happens."""

    def __init__(self, hub: Hub, clock: FakeClock, server: XServer) -> None:
        self.hub, self.clock, self.server = hub, clock, server
        self.handles: list[Any] = []

    async def direct(self, number: int, **more: Any) -> Any:
        person = self.server.user(f"user{number}")
        handle = await self.hub.submit(Message(f"hello {number}", **more), to=f"x:{person.id}")
        self.handles.append(handle)
        return handle

    async def post(self, number: int) -> None:
        self.handles.append(await self.hub.submit(f"news {number}", to="x:public"))

    async def run(self, seconds: float) -> None:
        until = self.clock.monotonic() + seconds
        while (now := self.clock.monotonic()) < until:
            await anyio.wait_all_tasks_blocked()
            next_at = self.clock._sleepers[0][0] if self.clock._sleepers else until
            self.clock.advance(min(max(next_at - now, 0.05), until - now))
        await anyio.wait_all_tasks_blocked()

    @property
    def waiting(self) -> int:
        return sum(each.deliveries[0].state is not DeliveryState.CLOSED for each in self.handles)

    def answers(self) -> Counter[int | None]:
        return Counter(call.status for call in self.server.requests)

    def asked(self, method: str) -> int:
        return sum(call.method == method for call in self.server.requests)


@asynccontextmanager
async def world(*, credit: Decimal | None = None, **settings: Any) -> AsyncGenerator[World]:
    clock = FakeClock()
    server = XServer(now=clock.now, sleep=clock.sleep, credit=credit)
    support = server.account("support", id="7")
    async with Hub(store="memory:", clock=clock, random=Random(7)) as hub:
        account = {"adapter": "x", "oauth1": support.oauth1, "user_id": "7", **settings}
        await hub.add_channel("x", account, transport=server.transport)
        yield World(hub, clock, server)


async def test_a_queue_that_is_longer_than_the_limit_meets_no_429_and_an_answer_overtakes_it() -> None:
    async with world() as x:
        for number in range(80):
            await x.direct(number)
        await x.run(20 * MINUTE)
        assert x.waiting > 40

        urgent = await x.direct(1000, importance=Importance.URGENT)
        await x.run(1.0)
        assert urgent.deliveries[0].state is DeliveryState.CLOSED

        await x.run(2 * HOUR)
        assert x.waiting == 0
        assert x.answers()[429] == 0
        assert sum(len(each.deliveries[0].history) for each in x.handles) <= 3 * 81


@pytest.mark.parametrize(
    ("step", "posts", "others"),
    [
        (Throttled(seconds=900), 20, 20),
        (Throttled(reset=False), 20, 20),
        (HtmlError(503), 24, 60),
    ],
    ids=["429 until", "429", "503"],
)
async def test_most_of_an_hour_of_it_makes_no_storm_and_loses_nothing(step: Step, posts: int, others: int) -> None:
    async with world() as x:
        x.server.script("*", "*", then=step)
        for number in range(60):
            await x.post(number)
        await x.run(45 * MINUTE)
        assert x.asked("POST") <= posts
        assert x.asked("GET") <= others

        x.server.unscript()
        await x.run(2 * HOUR)
        assert x.waiting == 0
        assert len({post.text for post in x.server.posts}) == len(x.server.posts) == 60


async def test_an_account_without_credit_is_asked_a_few_times_and_goes_on_by_itself() -> None:
    async with world(credit=Decimal(0), poll_interval=600.0) as x:
        for number in range(40):
            await x.direct(number)
        await x.run(4 * HOUR)
        assert len(x.server.requests) <= 16 + 2 + 5
        assert x.waiting == 40

        x.server.credit = None
        await x.run(6 * HOUR)
        assert x.waiting == 0
        assert len(x.server.directs) == 40


async def test_an_account_that_is_refused_is_not_asked_for_each_message() -> None:
    async with world() as x:
        x.server.script("*", "*", then=EmptyError(401))
        for number in range(40):
            await x.direct(number)
        await x.run(HOUR)

        assert len(x.server.requests) <= 16 + 2 + 3 * 12 * 2


async def test_a_day_costs_its_budget_and_one_page_at_most_as_x_counts_it() -> None:
    async with world(budget={"day": "0.30"}, poll_interval=900.0) as x:
        ann, days = x.server.user("ann"), []
        for _ in range(2):
            before = x.server.spent
            for number in range(8):
                for _ in range(9):
                    ann.mention(f"where is it? {number}")
                for _ in range(4):
                    await x.post(len(x.handles))
                await x.run(3 * HOUR)
            days.append(x.server.spent - before)

        assert max(days) <= Decimal("0.30") + Decimal("0.06")
        assert min(days) > Decimal("0.05")
