"""What asks the server that plays X, and what it tells."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from convergekit.testing.x import XServer

Message = MutableMapping[str, Any]


@asynccontextmanager
async def client(x: XServer, token: str | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """Asks *x* with *token*, or one of its account's."""
    headers = {"authorization": f"Bearer {token or x.only_account.access_token}"}
    async with httpx.AsyncClient(transport=x.transport, base_url="https://api.x.com", headers=headers) as made:
        yield made


class App:
    """Stands in for the application under test: it answers challenges, and keeps what it is told."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.heard: list[tuple[dict[str, Any], bool]] = []
        self.status = 200

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        content: dict[str, Any] = {}
        if scope["method"] == "GET":
            token = httpx.QueryParams(scope["query_string"].decode())["crc_token"]
            content = {"response_token": self._sign(token.encode())}
        else:
            said = dict(scope["headers"])[b"x-twitter-webhooks-signature"].decode()
            self.heard.append((json.loads(body)["data"], said == self._sign(body)))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    @property
    def types(self) -> list[str]:
        return [each["event_type"] for each, _ in self.heard]

    def _sign(self, content: bytes) -> str:
        made = hmac.new(self.secret.encode(), content, hashlib.sha256).digest()
        return "sha256=" + base64.b64encode(made).decode()
