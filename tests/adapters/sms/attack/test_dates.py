"""A date that cannot be does not decide which word was the last."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.model import Address
from tests.asgi_kit import call

pytestmark = pytest.mark.anyio

TOKEN = "t" * 20
PROFILE: dict[str, Any] = {
    "name": "acme",
    "title": "Acme",
    "send": {"url": "http://127.0.0.1:1", "fields": {"to": "{to}", "text": "{text}"}},
    "callbacks": {
        "methods": ["GET"],
        "inbound": [{"id": "id", "from": "from", "text": "text", "at": "at", "at_format": "unix"}],
    },
}
ANN = "sms:+4915112345678"


@pytest.mark.parametrize("ahead", ["4070908799", "4000000000", "4102444799"])
async def test_a_start_of_the_far_future_does_not_outlast_a_stop(ahead: str) -> None:
    hub, heard = Hub(store=MemoryStore()), list[MessageReceived]()

    @hub.on_message
    async def hear(message: MessageReceived) -> None:
        heard.append(message)

    async def says(text: str, id: str, at: str) -> None:
        query = f"id={id}&from=%2B{ANN[5:]}&text={text}&at={at}".encode()
        answer = await call(hub.asgi(), f"/phone/{TOKEN}", b"", method="GET", query_string=query)
        assert answer.status == 204
        await hub.idle()

    async with hub:
        await hub.add_channel("phone", {"profile": PROFILE, "callback_token": TOKEN}, adapter="sms")
        await says("START", "m1", ahead)
        await says("STOP", "m2", str(int(hub.clock.now().timestamp())))
        assert await hub.consents.consents(Address.parse(ANN)) == {None: False}
    assert heard[0].at is None
