"""How an application tests its handlers, without a network and without waiting: `pytest testing_handlers.py`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import anyio
import pytest

from convergekit import Hub, MemoryStore, MessageReceived, Router, Status
from convergekit.adapters.loopback import Medium
from convergekit.errors import NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"


# [application]
@dataclass
class Shop:
    """Stands in for the host's database."""

    reads: int = 0
    out_of_order: bool = False

    async def where_is(self, order: str) -> str:
        self.reads += 1
        if self.out_of_order:
            raise ConnectionError("the database is away")
        return f"Order {order} is on its way."


def make_router(shop: Shop) -> Router:
    router = Router("shop")

    @router.on_message(command="where", automated=False)
    async def where(message: MessageReceived) -> str:
        return await shop.where_is((message.text or "").removeprefix("/where").strip())

    return router


# [application end]


# [kit]
@asynccontextmanager
async def running(medium: Medium, clock: FakeClock, shop: Shop) -> AsyncGenerator[Hub]:
    """The application as it runs, but for the medium, the clock and chance."""
    async with Hub(store=MemoryStore(), router=make_router(shop), clock=clock, random=Random(1)) as hub:
        await hub.add_channel("shop-chat", {"adapter": "loopback"}, medium=medium)
        yield hub


async def settled(hub: Hub) -> None:
    """Return once all has been done that can be done at this time."""
    await anyio.wait_all_tasks_blocked()  # what was said has been heard, and whoever slept is up
    await hub.idle()


# [kit end]


# [handlers]
async def test_a_question_is_answered_once() -> None:
    medium = Medium()
    async with running(medium, FakeClock(), Shop()) as hub:
        medium.say(sender=ANN, text="/where 42", key="m1")
        medium.say(sender=ANN, text="/where 42", key="m1")  # media repeat what they think was lost
        await settled(hub)

    assert medium.texts(to=ANN) == ["Order 42 is on its way."]


async def test_an_answer_waits_for_the_database() -> None:
    medium, clock, shop = Medium(), FakeClock(), Shop(out_of_order=True)
    async with running(medium, clock, shop) as hub:
        medium.say(sender=ANN, text="/where 42")
        await settled(hub)
        assert (shop.reads, medium.texts()) == (1, [])

        shop.out_of_order = False
        clock.advance(1)  # a handler that failed runs again within a second, then within four, and so on
        await settled(hub)

    assert (shop.reads, medium.texts()) == (2, ["Order 42 is on its way."])


# [handlers end]


# [outcomes]
async def test_a_busy_medium_is_asked_again() -> None:
    medium, clock = Medium(), FakeClock()
    medium.script(NotSentError("busy"), ThrottledError("slow down", retry_after=30))
    async with running(medium, clock, Shop()) as hub:
        sent = await hub.send("We close at six.", to=ANN)
        assert (sent.status, sent.reason) == (Status.QUEUED, "shop-chat: busy")

        clock.advance(1)
        await settled(hub)
        clock.advance(29)
        await settled(hub)
        assert medium.texts() == []

        clock.advance(1)
        assert await sent.wait() is Status.ACCEPTED

    assert medium.texts() == ["We close at six."]


async def test_a_refusal_is_told_and_not_repeated() -> None:
    medium = Medium()
    medium.script(RejectedError("no such person", code="550"), to="loopback:bob")
    async with running(medium, FakeClock(), Shop()) as hub:
        ann, bob = await hub.send("We close at six.", to=[ANN, "loopback:bob"])

        assert ann.status is Status.ACCEPTED
        assert isinstance(bob.error, RejectedError)
        assert bob.error.code == "550"


async def test_what_may_have_gone_out_is_not_sent_again() -> None:
    medium, clock = Medium(), FakeClock()
    medium.script(UncertainError("the answer is lost"))
    async with running(medium, clock, Shop()) as hub:
        with pytest.raises(UncertainError):
            await hub.send("We close at six.", to=ANN)
        clock.advance(3600)
        await settled(hub)

    assert medium.texts() == ["We close at six."]  # it had arrived, which only the test can know


async def test_a_report_moves_the_status() -> None:
    medium = Medium()
    async with running(medium, FakeClock(), Shop()) as hub:
        sent = await hub.send("We close at six.", to=ANN)
        medium.say(type="receipt.received", receipt={"status": "read", "ids": [medium.sent[-1].id]})
        assert await sent.wait(Status.READ, timeout=5) is Status.READ


# [outcomes end]
