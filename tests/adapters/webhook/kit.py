"""What the tests of the webhook channel share."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from convergekit.abc import Admission, Headers, Request
from convergekit.adapters.webhook import WebhookAdapter, WebhookConfig
from convergekit.asgi import WebhookApp
from convergekit.model import Event
from convergekit.testing import FakeClock, FakeContext
from tests.asgi_kit import Channels

OLD, NEW = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
HOME = "https://example.org/hook"
START = FakeClock().now()


def config(**more: Any) -> WebhookConfig:
    settings: dict[str, Any] = {"url": HOME, "secrets": (SecretStr(NEW), SecretStr(OLD))}
    return WebhookConfig(**(settings | more))


def received(request: httpx.Request) -> Request:
    """What the other side gets to see of *request*."""
    url = str(request.url)
    return Request(request.method, request.url.path, "", Headers(dict(request.headers)), request.content, url)


def adapter_over(
    handler: Callable[[httpx.Request], httpx.Response], context: FakeContext | None = None, **more: Any
) -> WebhookAdapter:
    """An adapter whose network is *handler*."""
    if context is None:
        context = FakeContext(channel="hooks", transport=httpx.MockTransport(handler))
    return WebhookAdapter(config(**more), context)


class Receiver:
    """An adapter and its context, as the hub pairs them."""

    def __init__(self, adapter: WebhookAdapter, context: FakeContext) -> None:
        self.adapter, self._context = adapter, context

    async def admit(self, *events: Event) -> tuple[Admission, ...]:
        return await self._context.admit(*events)


@asynccontextmanager
async def channel(**more: Any) -> AsyncGenerator[tuple[WebhookApp, FakeContext]]:
    """An inbound channel called "hooks" and the app that serves it."""
    context = FakeContext(channel="hooks")
    context.refuses_admission = more.pop("refuses", None)
    public_url = more.pop("public_url", None)
    adapter = WebhookAdapter(config(**more), context)
    async with adapter:
        yield WebhookApp(Channels(hooks=Receiver(adapter, context)), body_timeout=60, public_url=public_url), context
    await context.http.aclose()
