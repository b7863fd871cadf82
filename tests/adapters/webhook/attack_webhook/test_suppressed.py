"""A partner who chooses the ids of his calls, so that something else is taken for a repeat."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import anyio
import httpx
import pytest

from convergekit import Hub, MemoryStore
from convergekit.asgi import WebhookApp
from convergekit.http.signatures import StandardWebhooks
from convergekit.model import CustomReceived, DeliveryChanged, EndpointDisabled, Event
from convergekit.testing import FakeClock
from tests.adapters.webhook.kit import HOME, NEW, START, config
from tests.asgi_kit import call

pytestmark = pytest.mark.anyio


async def test_nobody_keeps_from_us_what_became_of_a_message() -> None:
    """He knows the id of the delivery, for it is that of the call; and what we tell ourselves is known by it."""
    told: list[Event] = []
    hub = Hub(store=MemoryStore(), clock=FakeClock())
    app = WebhookApp(hub)

    @hub.on_event(DeliveryChanged, EndpointDisabled, CustomReceived)
    async def tell(event: Event) -> None:
        told.append(event)

    async def partner(request: httpx.Request) -> httpx.Response:
        delivery = request.headers["webhook-id"]
        endpoint = hashlib.sha256(HOME.encode()).hexdigest()[:32]
        guesses = [f"delivery:{delivery}:{version}" for version in range(10)]
        for id in (*guesses, f"dead:{delivery}:3", f"opted-out:{delivery}", f"endpoint:{endpoint}:1"):
            body = json.dumps({"type": "noise", "data": {}}).encode()
            answer = await call(app, body=body, headers=StandardWebhooks([NEW]).sign(id, START, body))
            assert answer.status == 204
        return httpx.Response(410)

    with anyio.fail_after(30):
        async with hub:
            await hub.add_channel("hooks", config(), transport=httpx.MockTransport(partner))
            handle = await hub.submit("hello", to=HOME)
            await hub.idle()
    kinds: list[Any] = [type(event) for event in told]
    assert handle.status.name == "FAILED"
    assert (kinds.count(EndpointDisabled), kinds.count(DeliveryChanged)) == (1, 1)
    assert kinds.count(CustomReceived) == 13, "and what he says is heard, too"
