"""No storm: whatever X answers to thousands that want to go, it is asked a number of times that can be told before.

Time is that of a clock that jumps from one thing that happens to the next, and chance is seeded: each run is the same.
What the engine does with a refusal is done here as it does it: whoever was throttled comes back at that time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final

import pytest
from pydantic import SecretStr

from convergekit.adapters.x.budgets import PRICES, Budgets, Priority
from convergekit.adapters.x.config import BudgetConfig, OAuth2Config, XConfig
from convergekit.errors import CreditError, ThrottledError
from convergekit.testing import FakeClock, FakeContext

pytestmark = pytest.mark.anyio

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
DM, POST, MENTIONS = "/2/dm_conversations/with/7/messages", "/2/tweets", "/2/users/9/mentions"
LIMITS: Final = {DM: 15, POST: 100, MENTIONS: 300}


@pytest.fixture
def anyio_backend() -> str:
    """Nothing waits here but the clock of the simulation; once is enough."""
    return "asyncio"


@dataclass
class FakeX:
    """Counts each route in fixed windows, as X does; what it answers beside that is a script of the time."""

    clock: FakeClock
    script: Callable[[float], int | None] = lambda now: None
    says_reset: bool = True
    used: Counter[tuple[str, int]] = field(default_factory=Counter)
    begun: dict[str, float] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    at: list[float] = field(default_factory=list)

    def answer(self, route: str) -> tuple[int, dict[str, str]]:
        now = self.clock.monotonic()
        if now >= self.begun.get(route, -1e9) + 900:
            self.begun[route] = now
            self.used[route, 0] = 0
        status = self.script(now)
        self.used[route, 0] += 1
        left = max(0, LIMITS[route] - self.used[route, 0])
        if status is None:
            status = 201 if self.used[route, 0] <= LIMITS[route] else 429
        elif status == 429:
            left = 0
        self.statuses[status] += 1
        self.at.append(now)
        return status, self._headers(route, left) if self.says_reset else {}

    def _headers(self, route: str, left: int) -> dict[str, str]:
        reset = self.clock.now().timestamp() - self.clock.monotonic() + self.begun[route] + 900
        values = {"limit": LIMITS[route], "remaining": left, "reset": int(reset)}
        return {f"x-rate-limit-{name}": str(value) for name, value in values.items()}


@dataclass
class Sent:
    """One message, and what became of it."""

    route: str
    priority: Priority
    asked: float
    tries: int = 0
    sent: float | None = None


class World:
    """A queue of messages, the engine's part in it, and X."""

    def __init__(
        self,
        script: Callable[[float], int | None] = lambda now: None,
        *,
        latency: float = 0.2,
        workers: int = 1,
        **settings: Any,
    ) -> None:
        self._latency = latency
        self.clock = FakeClock(datetime(2026, 11, 20, tzinfo=UTC))
        self.context = FakeContext(clock=self.clock)
        self.x = FakeX(self.clock, script)
        self.config = XConfig(
            oauth2=OAuth2Config(client_id="app", refresh_token=SecretStr("r")), user_id="9", **settings
        )
        self._chance = Random(7)
        self.budgets = self.anew()
        self._others = [self.anew() for _ in range(workers - 1)]
        self.sent: list[Sent] = []
        self.down_until: float = 0.0
        self._order = count()
        self._due: list[tuple[float, int, Any]] = []

    def anew(self) -> Budgets:
        return Budgets(self.config, self.context, random=self._chance.random)

    def queue(self, route: str, priority: Priority, *, number: int, every: float = 0.0, start: float = 0.0) -> None:
        for index in range(number):
            message = Sent(route, priority, start + index * every)
            self.sent.append(message)
            self._push(message.asked, message)

    async def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            at, _, what = heappop(self._due)
            self.clock.advance(max(0.0, at - self.clock.monotonic()))
            if isinstance(what, Sent):
                await self._try(what)
            else:
                await self._answered(*what)
        self.clock.advance(max(0.0, until - self.clock.monotonic()))

    async def _try(self, message: Sent) -> None:
        message.tries += 1
        try:
            if self.clock.monotonic() < self.down_until:
                raise CreditError("down")
            worker = self._chance.choice([self.budgets, *self._others])
            ticket = await worker.before("POST", message.route, priority=message.priority, first=message.tries == 1)
        except ThrottledError as error:
            self._push(self.clock.monotonic() + error.retry_after, message)
        except CreditError:
            await self._down(message)
        else:
            self._push(self.clock.monotonic() + self._latency, (message, worker, ticket))

    async def _answered(self, message: Sent, worker: Budgets, ticket: Any) -> None:
        status, headers = self.x.answer(message.route)
        again = await worker.after(ticket, status=status, headers=headers)
        now = self.clock.monotonic()
        if status < 300:
            message.sent = now
        elif status == 402:
            await self._down(message)
        else:
            self._push(now + (again or 1.0), message)

    async def _down(self, message: Sent) -> None:
        """The engine takes the channel down, and enters it anew every five minutes."""
        now = self.clock.monotonic()
        if now >= self.down_until:
            self.budgets, self.down_until = self.anew(), now + 300
            try:
                await self.budgets.open()
                self.down_until = 0.0 if self.x.statuses[402] == 0 else self.down_until
            except CreditError:
                pass
        self._push(self.down_until + 0.001 * next(self._order), message)

    def _push(self, at: float, what: Any) -> None:
        heappush(self._due, (at, next(self._order), what))

    def waits(self, priority: Priority) -> list[float]:
        return sorted(
            each.sent - each.asked for each in self.sent if each.priority is priority and each.sent is not None
        )


async def test_thousands_that_want_to_go_meet_no_limit_and_are_tried_about_twice() -> None:
    world = World()
    world.queue(DM, Priority.NORMAL, number=1500)

    await world.run(2.9 * DAY)

    assert all(each.sent is not None for each in world.sent)
    assert world.x.statuses == {201: 1500}, "nothing was refused"
    assert sum(each.tries for each in world.sent) <= 2.1 * 1500


async def test_answers_overtake_what_nobody_waits_for() -> None:
    world = World()
    world.queue(DM, Priority.NORMAL, number=1000)
    world.queue(DM, Priority.REPLY, number=100, every=10 * MINUTE, start=30.0)

    await world.run(1.5 * DAY)

    replies = world.waits(Priority.REPLY)
    assert len(replies) == 100
    assert replies[-1] <= 1.0, "each goes at once, of what is kept for it"
    assert world.waits(Priority.NORMAL)[-1] > 10 * HOUR
    assert world.x.statuses[429] == 0


async def test_a_burst_of_answers_goes_before_the_rest_as_fast_as_x_lets_it() -> None:
    world = World()
    world.queue(DM, Priority.NORMAL, number=500)
    world.queue(DM, Priority.REPLY, number=60, start=60.0)

    await world.run(5 * HOUR)

    assert len(world.waits(Priority.REPLY)) == 60
    assert world.waits(Priority.REPLY)[-1] <= 5 * 15 * MINUTE + 60
    assert world.x.statuses[429] == 0


async def test_workers_that_share_an_account_are_refused_a_few_times_a_window_and_lose_nothing() -> None:
    """Each knows of the others by what X tells it, and by nothing else."""
    world = World(workers=4)
    world.queue(POST, Priority.NORMAL, number=2000)
    world.queue(POST, Priority.REPLY, number=100, every=5 * MINUTE)

    await world.run(12 * HOUR)

    assert all(each.sent is not None for each in world.sent)
    assert world.x.statuses[429] <= 4 * 12 * 4
    assert world.waits(Priority.REPLY)[-1] <= 20 * MINUTE


@pytest.mark.parametrize("says_reset", [True, False])
async def test_429_to_everything_is_met_by_a_request_a_window(says_reset: bool) -> None:
    world = World(lambda now: 429 if now < 6 * HOUR else None)
    world.x.says_reset = says_reset
    world.queue(POST, Priority.NORMAL, number=3000)
    world.queue(POST, Priority.REPLY, number=300, every=MINUTE)

    await world.run(6 * HOUR - 1)
    asked = world.x.statuses[429]
    await world.run(3 * DAY)

    first = sum(at < 1.0 for at in world.x.at)
    assert first <= 41, "what was under way when the first was refused"
    # With a reset, those whose turn is first in the new window go together; the first answer shuts it again.
    assert asked - first <= (24 * 10 if says_reset else 6 * 4 + 6)
    assert all(each.sent is not None for each in world.sent)


async def test_a_server_that_fails_is_asked_every_five_minutes() -> None:
    world = World(lambda now: 503 if now < 4 * HOUR else None)
    world.queue(POST, Priority.NORMAL, number=2000)
    world.queue(POST, Priority.REPLY, number=100, every=MINUTE)

    await world.run(4 * HOUR)

    first = sum(at < 1.0 for at in world.x.at)
    assert first <= 41
    assert world.x.statuses[503] - first <= 4 * 12 + 10


async def test_an_account_without_credit_is_asked_once_an_hour_though_it_is_entered_every_five_minutes() -> None:
    world = World(lambda now: 402 if now < 2 * DAY else None, latency=0.0)
    world.queue(DM, Priority.NORMAL, number=300)
    world.queue(POST, Priority.REPLY, number=300, every=10 * MINUTE)

    await world.run(2 * DAY)
    asked = world.x.statuses[402]
    await world.run(5 * DAY)

    first = sum(at < 1.0 for at in world.x.at)
    assert first <= 16
    assert asked - first <= 2 * 24 + 2
    assert all(each.sent is not None for each in world.sent)


async def test_a_day_costs_its_budget_and_one_page_at_most() -> None:
    """Mentions pour in, and posts want to go: as X counts it, and not as we do."""
    world = World(budget=BudgetConfig(day=Decimal(1), polling=0.5))
    world.queue(POST, Priority.REPLY, number=400, every=5 * MINUTE)
    spent: Counter[int] = Counter()
    ids = count()

    for _ in range(3 * 24 * 60):
        await world.run(world.clock.monotonic() + MINUTE)
        spent[int(world.clock.monotonic() // DAY)] += await _polled(world, ids)
    for each in world.sent:
        if each.sent is not None:
            spent[int(each.sent // DAY)] += int(PRICES["post.create"] * 1000)

    assert max(spent.values()) <= 1000 + 500
    assert min(spent[day] for day in range(3)) >= 900, "and it is used"


async def _polled(world: World, ids: Iterator[int]) -> int:
    """Thousandths of a dollar that a poll has cost."""
    try:
        ticket = await world.budgets.before("GET", MENTIONS, priority=Priority.BACKGROUND)
    except ThrottledError:
        return 0
    found = [("post.read", str(next(ids))) for _ in range(world._chance.choice((0, 0, 0, 100)))]
    await world.budgets.after(ticket, status=200, items=found)
    return 5 * len(found)


async def test_each_run_is_the_same() -> None:
    runs = []
    for _ in range(2):
        world = World(lambda now: 429 if now < HOUR else None)
        world.queue(DM, Priority.NORMAL, number=200)
        await world.run(DAY)
        runs.append([(each.sent, each.tries) for each in world.sent])

    assert runs[0] == runs[1]
