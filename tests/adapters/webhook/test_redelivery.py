"""Webhooks that failed go again from the ledger: to the same endpoint, under the same id, with the same document."""

from __future__ import annotations

import json
from datetime import timedelta

import anyio
import httpx
import pytest

from convergekit import Hub, MemoryStore, Message, Status
from convergekit.model import EndpointDisabled
from convergekit.testing import FakeClock

from .kit import HOME, config

pytestmark = pytest.mark.anyio


class Endpoint:
    """Answers with *status*, which a test changes."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self.status)


@pytest.mark.parametrize("status", [400, 204], ids=["it was refused", "it was lost there"])
async def test_a_repeat_is_known_by_its_id(status: int) -> None:
    """Days later the document is the same to the byte, and only its signature is new."""
    clock, endpoint = FakeClock(), Endpoint(status)
    with anyio.fail_after(60):
        async with Hub(store=MemoryStore(), clock=clock) as hub:
            await hub.add_channel("hooks", config(), transport=httpx.MockTransport(endpoint))
            handle = await hub.submit("hello", to=HOME)
            await hub.idle()
            endpoint.status = 204
            clock.advance(timedelta(days=5).total_seconds())
            again = await hub.redeliver(handle)
            await hub.idle()
            assert again.status is Status.DELIVERED
    first, second = endpoint.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.content == second.content
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_the_way_back_of_an_endpoint_that_was_gone() -> None:
    """Enabled, it gets what it has missed, in order: also what it was spared."""
    clock, endpoint = FakeClock(), Endpoint(410)
    disabled: list[EndpointDisabled] = []
    with anyio.fail_after(60):
        async with Hub(store=MemoryStore(), clock=clock) as hub:

            @hub.on_event(EndpointDisabled)
            async def note(event: EndpointDisabled) -> None:
                disabled.append(event)

            await hub.add_channel("hooks", config(), transport=httpx.MockTransport(endpoint))
            for number in range(3):
                clock.advance(1)
                await hub.submit(Message(f"{number}", order_key="orders"), to=HOME)
                await hub.idle()
            assert (len(disabled), len(endpoint.asked)) == (1, 1)
            endpoint.status = 204
            clock.advance(1)
            assert await hub.channel("hooks").enable(HOME)
            done = await hub.redeliver(channel="hooks", to=HOME)
            assert (done.again, done.left) == (3, {})
            await hub.idle()
            assert [handle.status for handle in await hub.dispatches()] == [Status.DELIVERED] * 3
    assert [json.loads(request.content)["data"]["text"] for request in endpoint.asked[1:]] == ["0", "1", "2"]
