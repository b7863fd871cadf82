"""Signed webhooks, and two ASGI apps that take them: ours, and a bare function that verifies and nothing more."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from pydantic import SecretStr

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.adapters.webhook import WebhookConfig
from convergekit.asgi import WebhookApp
from convergekit.http import StandardWebhooks

__all__ = ["CHANNEL", "App", "Calls", "Header", "Ours", "Signed", "bare", "ours"]

App = Callable[
    [MutableMapping[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Awaitable[None]
]
Header = tuple[bytes, bytes]

CHANNEL = "shop"
KEY = bytes(range(32))
SECRET = SecretStr("whsec_" + base64.b64encode(KEY).decode())
TOLERANCE = 300


CONFIG = WebhookConfig(inbound_secrets=(SECRET,), tolerance=TOLERANCE)

#: Makes the next call: its header fields, as a server hands them on, and its body.
Calls = Callable[[], tuple[list[Header], bytes]]


class Signed:
    """Makes calls that are all different, of five hundred senders in turn."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._scheme = StandardWebhooks([SECRET])

    def __call__(self) -> tuple[list[Header], bytes]:
        """The next one: its header fields, as a server hands them on, and its body."""
        number = next(self._numbers)
        now = datetime.now(UTC)
        data = {"text": f"Is order {number} on its way?", "sender": f"mailto:ann{number % 500}@example.org"}
        body = json.dumps({"type": "message.created", "timestamp": now.isoformat(), "data": data}).encode()
        fields = {
            "host": "hooks.example.org",
            "user-agent": "shop/1.0",
            "accept": "*/*",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **self._scheme.sign(f"msg_{number:012}", now, body),
        }
        return [(name.encode(), value.encode()) for name, value in fields.items()], body


class Ours:
    """Our app over a hub that is open, and what was handled; `signed` makes the calls."""

    def __init__(self, hub: Hub, signed: Calls) -> None:
        self.hub, self.app = hub, WebhookApp(hub)
        self.handled: Counter[str] = Counter()
        self.signed = signed


@asynccontextmanager
async def ours(config: WebhookConfig = CONFIG, calls: Callable[[], Calls] = Signed) -> AsyncGenerator[Ours]:
    """All limits are on, with their defaults; a handler takes what comes in."""
    hub = Hub(store=MemoryStore())
    side = Ours(hub, calls())

    @hub.on_message
    async def handler(message: MessageReceived) -> None:
        side.handled[message.key] += 1

    async with hub:
        await hub.add_channel(CHANNEL, config)
        yield side


async def bare(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Read the body, verify as Standard Webhooks has it, answer. No limits, and nothing is done with it."""
    if scope["type"] != "http":
        raise RuntimeError("http only")
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    status = 204 if _is_genuine(dict(scope["headers"]), body) else 401
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _is_genuine(headers: dict[bytes, bytes], body: bytes) -> bool:
    identity, timestamp = headers[b"webhook-id"], headers[b"webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    expected = b"v1," + base64.b64encode(hmac.digest(KEY, b"%b.%b.%b" % (identity, timestamp, body), "sha256"))
    return any(hmac.compare_digest(expected, given) for given in headers[b"webhook-signature"].split(b" "))
