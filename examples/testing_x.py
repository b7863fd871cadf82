"""How an application tests what it does on X: the real channel, and a server that plays X. `pytest testing_x.py`."""

# [x]
from collections.abc import AsyncIterator

import anyio
import pytest

from convergekit import Hub, MemoryStore, MessageReceived, Router
from convergekit.errors import NotPermittedError
from convergekit.testing import FakeClock, XServer
from convergekit.testing.x import HtmlError, Refused

pytestmark = pytest.mark.anyio

desk = Router("desk")


@desk.on_message(channel="x", kind="public")
async def answer(message: MessageReceived) -> str:
    return "We are open from nine to six."


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def x(clock: FakeClock) -> XServer:
    server = XServer(now=clock.now, sleep=clock.sleep)
    server.account("shop")
    return server


@pytest.fixture
async def hub(x: XServer, clock: FakeClock) -> AsyncIterator[Hub]:
    async with Hub(router=desk, store=MemoryStore(), clock=clock) as hub:
        settings = {"adapter": "x", "oauth1": x.only_account.oauth1, "start": "recent"}
        await hub.add_channel("x", settings, transport=x.transport)
        yield hub


async def minutes(clock: FakeClock, count: int) -> None:
    """Let so many pass, second by second, in no time."""
    for _ in range(60 * count):
        clock.advance(1)
        await anyio.wait_all_tasks_blocked()


async def test_a_mention_is_answered_where_it_was_said(hub: Hub, x: XServer, clock: FakeClock) -> None:
    asked = x.user("ann").mention("are you open?")
    await minutes(clock, 2)

    assert [post.text for post in x.posts] == ["@shop are you open?", "We are open from nine to six."]
    assert x.posts[-1].reply_to is asked


async def test_it_is_answered_once_when_x_is_there_again(hub: Hub, x: XServer, clock: FakeClock) -> None:
    x.script("GET", "/2/users/:id/mentions", HtmlError(503), HtmlError(503))
    x.user("ann").mention("are you open?")
    await minutes(clock, 5)

    assert (len(x.posts), x.count("POST", "/2/tweets")) == (2, 1)


async def test_who_takes_no_messages_gets_none(hub: Hub, x: XServer) -> None:
    x.script("POST", "/2/dm_conversations/with/:id/messages", Refused(403, "They take no messages."))
    with pytest.raises(NotPermittedError):
        await hub.send("Your order is on its way.", to=f"x:{x.user('ann').id}")

    assert x.directs == []


# [x end]
