"""What the tests of the ASGI app share: a caller in process, a real server, and a channel that can be scripted."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from convergekit.abc import Admission, ReceivesWebhooks, Request, Response
from convergekit.asgi import Receiver
from convergekit.errors import SignatureError
from convergekit.model import CustomReceived, Event


async def silence() -> Any:
    """A caller who sends nothing."""
    await anyio.sleep_forever()


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def scope_of(path: str, method: str = "POST", headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
        **more,
    }


async def call(
    app: Any,
    path: str = "/hooks",
    body: bytes | Sequence[bytes] = b"{}",
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    receive: Callable[[], Awaitable[Any]] | None = None,
    **more: Any,
) -> Answer:
    """Call *app* as a server would; a sequence of bodies comes in as many messages."""
    chunks = [body] if isinstance(body, bytes) else list(body)
    answer = Answer()

    async def messages() -> dict[str, Any]:
        if not chunks:
            return {"type": "http.disconnect"}
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    await app(scope_of(path, method, headers, **more), receive or messages, send)
    return answer


EVENTS = (CustomReceived(key="k", name="n"),)


class Scripted:
    """A channel whose steps are arguments; it notes in which order they are taken."""

    def __init__(
        self,
        *,
        challenge: Callable[[Request], Response | None] = lambda request: None,
        verify: Exception | None = None,
        parse: Exception | Sequence[Event] = EVENTS,
        admit: Exception | None = None,
    ) -> None:
        self.steps: list[str] = []
        self.requests: list[Request] = []
        self._challenge, self._verify, self._parse, self._admit = challenge, verify, parse, admit

    @property
    def adapter(self) -> ReceivesWebhooks:
        return self

    def challenge(self, request: Request) -> Response | None:
        self.steps.append("challenge")
        self.requests.append(request)
        return self._challenge(request)

    async def verify(self, request: Request) -> None:
        self.steps.append("verify")
        if self._verify is not None:
            raise self._verify

    def parse(self, request: Request) -> Sequence[Event]:
        self.steps.append("parse")
        if isinstance(self._parse, Exception):
            raise self._parse
        return self._parse

    async def admit(self, *events: Event) -> tuple[Admission, ...]:
        self.steps.append("admit")
        if self._admit is not None:
            raise self._admit
        return tuple(Admission.NEW for _ in events)

    def reply(self, request: Request, admitted: Sequence[Admission]) -> Response:
        self.steps.append("reply")
        return Response(200, b"taken")


class Channels:
    """Stands in for the hub.

    Args:
        refuse: What asking for any channel raises.
    """

    def __init__(self, refuse: Exception | None = None, **channels: Receiver) -> None:
        self._refuse, self._channels = refuse, channels

    def receiver(self, channel: str) -> Receiver | None:
        if self._refuse is not None:
            raise self._refuse
        return self._channels.get(channel)


REFUSED = SignatureError("no")


@asynccontextmanager
async def served(app: Any, backend: str, *, port: int = 0) -> AsyncGenerator[str]:
    """Run *app* under hypercorn on *backend*, at *port* or a free one; yields the origin."""
    import importlib

    from hypercorn.config import Config

    hypercorn = importlib.import_module(f"hypercorn.{backend}")
    config, stop = Config(), anyio.Event()
    listener = socket.create_server(("127.0.0.1", port))  # from here on a caller waits for the server to take it
    port = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = config.accesslog = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: hypercorn.serve(app, config, shutdown_trigger=stop.wait))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop.set()
