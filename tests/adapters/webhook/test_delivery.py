"""What becomes of messages whose endpoint is away: the whole schedule, an hour without an answer, what comes after."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest

from convergekit import Hub, MemoryStore, Message, Status
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.testing import FakeClock

from .kit import HOME, config

pytestmark = pytest.mark.anyio

OTHER = "https://other.example/hook"


class Away:
    """Endpoints: HOME answers with one status after the other, where 0 is none at all; everybody else is there.

    Args:
        clock: Tells when each was asked.
        statuses: Of HOME, over and over.
    """

    def __init__(self, clock: FakeClock, *statuses: int) -> None:
        self.clock = clock
        self.answers = cycle(statuses)
        self.asked: list[tuple[datetime, httpx.Request]] = []
        self.taken: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        status = next(self.answers) if str(request.url) == HOME else 204
        self.asked.append((self.clock.now(), request))
        if status == 0:
            raise httpx.ConnectError("no")
        if status == 204:
            self.taken.append((str(request.headers["webhook-id"]), json.loads(request.content)["data"]["text"]))
        return httpx.Response(status, headers={"retry-after": "86400"} if status == 429 else {})

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.taken]


@asynccontextmanager
async def sending(clock: FakeClock, far: Away, store: Any = None, random: Random | None = None) -> AsyncGenerator[Hub]:
    hub = Hub(store=store or MemoryStore(), clock=clock, random=random or Random(7))
    with anyio.fail_after(120):
        async with hub:
            await hub.add_channel("hooks", config(), transport=httpx.MockTransport(far))
            yield hub


async def settle(*hubs: Hub) -> None:
    """Let everything happen that can happen now."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()
    for hub in hubs:
        await hub.idle()


@pytest.mark.parametrize(("status", "ends"), [(503, "unknown"), (0, "dead")])
async def test_the_whole_schedule_and_then_a_person(status: int, ends: str) -> None:
    """Ten attempts over three days, each a fifth sooner or later by chance, under one id; then the dead letters."""
    clock = FakeClock()
    far = Away(clock, status)
    async with sending(clock, far) as hub:
        handle = await hub.submit("hello", to=HOME)
        await settle(hub)
        while (due := handle.next_attempt) is not None:
            clock.advance((due - clock.now()).total_seconds())
            await settle(hub)
        (letter,) = await hub.dead_letters.list()

    times = [at for at, _ in far.asked]
    planned = WebhookAdapter.retry.schedule or ()
    shares = [
        (after - before).total_seconds() / wait
        for before, after, wait in zip(times[:-1], times[1:], planned, strict=True)
    ]
    assert (len(times), letter.state) == (10, ends)
    assert all(0.8 <= share <= 1.2 for share in shares)
    assert min(shares) < 0.95 < 1.05 < max(shares), "by chance, both ways"
    assert len({request.headers["webhook-id"] for _, request in far.asked}) == 1
    assert all(int(request.headers["webhook-timestamp"]) == int(at.timestamp()) for at, request in far.asked)
    assert len({request.content for _, request in far.asked}) == 1


class Latest(Random):
    """Chance at its longest."""

    def random(self) -> float:
        return 0.999


async def test_an_endpoint_that_asks_for_time_does_not_shorten_the_schedule() -> None:
    """Three days of patience are less than the schedule takes: what was put off on the third is tried on the fourth."""
    clock = FakeClock()
    far = Away(clock, 503)
    async with sending(clock, far, random=Latest()) as hub:
        handle = await hub.submit("hello", to=HOME)
        await settle(hub)
        while len(far.asked) < 8:
            clock.advance((_due(handle) - clock.now()).total_seconds())
            await settle(hub)
        far.answers = cycle([429])
        clock.advance((_due(handle) - clock.now()).total_seconds())
        await settle(hub)
        assert clock.now() - far.asked[0][0] > timedelta(hours=60)
        assert _due(handle) - far.asked[0][0] > timedelta(hours=84)
        far.answers = cycle([204])
        clock.advance((_due(handle) - clock.now()).total_seconds())
        await settle(hub)
        assert handle.status is Status.DELIVERED


def _due(handle: Any) -> datetime:
    due: datetime = handle.next_attempt
    return due


@pytest.fixture(params=["memory", "two workers on SQLite"])
def stores(request: pytest.FixtureRequest, quick_path: Path) -> list[Any]:
    """One store for each worker."""
    return [MemoryStore()] if request.param == "memory" else [f"sqlite:///{quick_path}/ledger.db"] * 2


async def test_an_endpoint_that_fails_for_an_hour_gets_everything_and_in_order_where_asked(stores: list[Any]) -> None:
    """It costs few requests meanwhile, and others of the channel do not notice."""
    clock = FakeClock()
    far = Away(clock, 503, 0, 500)
    wanted: dict[str | None, list[str]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        hubs = [
            await stack.enter_async_context(sending(clock, far, store, Random(n))) for n, store in enumerate(stores)
        ]

        async def submit(key: str | None, numbers: range) -> None:
            for number in numbers:
                wanted[key].append(f"{key}/{number}")
                await hubs[number % len(hubs)].submit(Message(f"{key}/{number}", order_key=key), to=HOME)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(submit, None, range(20))
            for number in range(20):
                tasks.start_soon(submit, f"order-{number}", range(24))
        began = clock.now()
        while clock.now() - began < timedelta(hours=1):
            clock.advance(60)
            await hubs[0].submit(f"other/{clock.now()}", to=OTHER)
            await settle(*hubs)
            assert far.texts[-1] == f"other/{clock.now()}", "others wait for nothing"
        during = len(far.asked) - len(far.taken)
        far.taken.clear()
        far.answers = cycle([204])
        while len(far.taken) < 500:
            clock.advance(60)
            await settle(*hubs)
            assert clock.now() - began < timedelta(hours=4)

    came: dict[str, list[str]] = defaultdict(list)
    for text in far.texts:
        came[text.partition("/")[0]].append(text)
    keyless = wanted.pop(None)
    assert sorted(came.pop("None")) == sorted(keyless)
    assert came == wanted
    assert len(dict(far.taken)) == 500, "each once"
    assert during <= 20 * len(stores)
