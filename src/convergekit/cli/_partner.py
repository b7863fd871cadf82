"""Somebody else's system, for the demonstration: it shares two secrets with us, and not a line of our code.

It signs and verifies by Standard Webhooks 1.0.0 with nothing but the standard library, so that what it believes is
evidence.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx

__all__ = ["Got", "Partner"]

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Got:
    """One request that arrived.

    Args:
        path: At which of the partner's addresses.
        id: Its `webhook-id`.
        genuine: Whether the signature fits the bytes that arrived.
        text: What it says.
        answer: The status that it was answered with.
    """

    path: str
    id: str
    genuine: bool
    text: str
    answer: int


@dataclass
class Partner:
    """Posts signed webhooks, receives signed webhooks; an ASGI application.

    Args:
        signs: The secret that the partner signs with.
        verifies: The secret that the partner expects of us.
        answers: Path to status, for paths that are not answered with 204.
    """

    signs: str
    verifies: str
    answers: Mapping[str, int]
    received: list[Got] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._arrived, self._arrivals = anyio.create_memory_object_stream[Got](math.inf)

    async def post(self, url: str, text: str, *, id: str, forged: bool = False) -> int:
        """Post a message to *url*, as anybody's HTTP client would; return the status of the answer."""
        document = {"type": "message.created", "timestamp": datetime.now(UTC).isoformat(), "data": {"text": text}}
        body = json.dumps(document).encode()
        stamp = str(int(time.time()))
        signature = _signature(self.signs, id, stamp, b"something else" if forged else body)
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature,
        }
        # Whatever proxy the environment names, this stays on this machine.
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
            return (await client.post(url, content=body, headers=headers)).status_code

    async def next(self) -> Got | None:
        """What arrives next, in order; None if nothing does."""
        with anyio.move_on_after(_PATIENCE):
            return await self._arrivals.receive()
        return None

    def close(self) -> None:
        """Let go of what is held in memory."""
        self._arrived.close()
        self._arrivals.close()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Serve one connection, as ASGI 3 has it."""
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{event}.complete"})
            return
        got = self._judged(scope, await _body(receive))
        self.received.append(got)
        self._arrived.send_nowait(got)
        await send({"type": "http.response.start", "status": got.answer, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _judged(self, scope: MutableMapping[str, Any], body: bytes) -> Got:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        expected = _signature(self.verifies, id, stamp, body)
        found = headers.get("webhook-signature", "").split(" ")
        genuine = any(hmac.compare_digest(expected, each) for each in found)
        text = json.loads(body)["data"].get("text", "") if genuine else ""
        answer = self.answers.get(scope["path"], 204) if genuine else 401
        return Got(scope["path"], id, genuine, text, answer)


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _signature(secret: str, id: str, stamp: str, body: bytes) -> str:
    """Standard Webhooks 1.0.0: HMAC-SHA256 of `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
