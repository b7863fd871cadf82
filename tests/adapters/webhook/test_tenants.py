"""Several tenants in one process never meet: two hubs whose channels have the same name share nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from convergekit import Hub, MemoryStore, MessageReceived, Status
from convergekit.asgi import WebhookApp
from convergekit.errors import SignatureError
from convergekit.http import StandardWebhooks
from tests.asgi_kit import call

from .kit import HOME, NEW, OLD, config, received

pytestmark = pytest.mark.anyio


class Tenant:
    """A hub with a channel "shop", its own secret and its own network, which says who has called."""

    def __init__(self, secret: str) -> None:
        self.scheme = StandardWebhooks([SecretStr(secret)])
        self.hub = Hub(store=MemoryStore())
        self.sent: list[httpx.Request] = []
        self.heard: list[str | None] = []
        self._config = config(secrets=(SecretStr(secret),))
        self.hub.on_message(self._hear)

    async def _hear(self, message: MessageReceived) -> None:
        self.heard.append(message.text)

    async def open(self) -> None:
        await self.hub.add_channel("shop", self._config, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(204)

    async def calls(self, other: Tenant, text: str) -> int:
        """Post *text*, signed as this one, to the door of *other*."""
        body = json.dumps({"type": "message.created", "data": {"text": text}}).encode()
        headers = self.scheme.sign(f"msg_{text}", datetime.now(UTC), body)
        return (await call(WebhookApp(other.hub), "/shop", body, headers=headers)).status


async def test_neither_secrets_nor_networks_nor_keys_nor_messages_are_shared() -> None:
    one, other = Tenant(NEW), Tenant(OLD)
    async with one.hub, other.hub:
        await one.open()
        await other.open()
        for tenant in (one, other):
            sent = await tenant.hub.send("hello", to=HOME, key="order-1")
            assert sent.status is Status.DELIVERED
        statuses = [await one.calls(one, "a"), await one.calls(other, "a"), await other.calls(other, "a")]
        for tenant in (one, other):
            await tenant.hub.idle()

    assert statuses == [204, 401, 204]
    assert one.heard == other.heard == ["a"]
    for tenant, stranger in ((one, other), (other, one)):
        (request,) = tenant.sent
        assert tenant.scheme.verify(received(request), datetime.now(UTC))
        with pytest.raises(SignatureError, match="no signature fits"):
            stranger.scheme.verify(received(request), datetime.now(UTC))
