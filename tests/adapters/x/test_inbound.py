"""The ways in, as the engine and the web server see them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from convergekit import Hub, MessageReceived
from convergekit.abc import Listens, Polls, ReceivesWebhooks, Request
from convergekit.adapters.x import XAdapter, XConfig
from convergekit.errors import NotRunningError, NotSentError
from convergekit.stores import MemoryStore
from convergekit.testing import FakeContext
from convergekit.testing.x import Limit, XServer
from tests.adapters.x.activity_kit import settings_of
from tests.adapters.x.feed_kit import SETTINGS

pytestmark = pytest.mark.anyio


def closed(**settings: Any) -> XAdapter:
    return XAdapter(XConfig.model_validate({**SETTINGS, **settings}), FakeContext())


@pytest.mark.parametrize(
    ("settings", "feeds"),
    [
        ({}, ("mentions", "dms")),
        ({"mentions": False}, ("dms",)),
        ({"direct_messages": False}, ("mentions",)),
        ({"mentions": False, "direct_messages": False}, ()),
    ],
)
async def test_what_is_not_wanted_is_not_polled(settings: dict[str, Any], feeds: tuple[str, ...]) -> None:
    adapter = closed(poll_interval=30.0, **settings)

    assert isinstance(adapter, Listens)
    assert isinstance(adapter, ReceivesWebhooks)
    assert isinstance(adapter, Polls)
    assert tuple(adapter.feeds) == feeds
    assert adapter.poll_interval == 30.0


async def test_a_call_that_comes_before_the_channel_is_open_is_to_come_again() -> None:
    adapter = closed()

    with pytest.raises(NotRunningError):
        await adapter.parse(Request("POST", body=b"{}"))
    with pytest.raises(NotSentError):
        await adapter.poll("mentions", None)
    with pytest.raises(NotSentError):
        await adapter.listen()


async def test_where_x_tells_nothing_by_itself_there_is_nothing_to_listen_to() -> None:
    server = XServer()
    account = server.account("support")
    config = XConfig.model_validate(settings_of(server, account))
    async with XAdapter(config, FakeContext(transport=server.transport)) as adapter:
        with anyio.fail_after(5):
            await adapter.listen()

        assert server.count() == 0


async def test_a_check_where_nobody_listens_tells_of_no_trouble_with_it() -> None:
    """As `convergekit check` asks: it opens the channel, and listens to nothing."""
    context = FakeContext()
    server = XServer(now=context.clock.now)
    account, context = server.account("support"), FakeContext(transport=server.transport, clock=context.clock)
    config = XConfig.model_validate({**settings_of(server, account), "activity": "stream"})
    async with XAdapter(config, context) as adapter:
        health = await adapter.check()

    assert health.ok
    assert health.detail.startswith("the account is @support")
    assert "at once" not in health.detail


@pytest.mark.parametrize("activity", ["none", "stream"])
async def test_a_hub_hears_by_polls_and_by_the_stream_each_once(activity: str) -> None:
    server = XServer()
    account = server.account("support")
    for route in ("/2/users/{id}/mentions", "/2/dm_events"):
        server.limits.table["GET", route] = Limit(user=9_000)
    heard: list[str] = []
    everything = anyio.Event()
    hub = Hub(store=MemoryStore())

    @hub.on_message
    async def hear(message: MessageReceived) -> None:
        heard.append(message.text or "")
        if len(heard) == 2:
            everything.set()

    async with server.serving() as url, hub:
        settings = settings_of(server, account, api=url, activity=activity, poll_interval=1)
        await hub.add_channel("x", settings, adapter=XAdapter)
        ann = server.user("ann")
        mention, direct = ann.mention("hello"), ann.direct("psst")
        with anyio.fail_after(20):
            await everything.wait()

    assert sorted(heard) == sorted([mention.text, direct.text])
