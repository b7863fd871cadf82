"""The line between the two: it notes every request that reaches the far side, and is not always kind."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Line", "Seen"]

#: Of a hundred requests so many are lost, refused, put off, or answered by nobody although they arrived.
_LOST: Final = 2
_REFUSED: Final = 2
_PUT_OFF: Final = 2
_UNANSWERED: Final = 4
_FAULTS: Final = {
    "refused": b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
    "put off": b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
}


class Seen:
    """One request that was passed on.

    Args:
        id: Its `webhook-id`.
        body: As it was.
    """

    def __init__(self, id: str, body: bytes) -> None:
        self.id, self.body = id, body
        self.status: int | None = None

    @property
    def data(self) -> Any:
        """What the document says."""
        return json.loads(self.body)["data"]


class Line:
    """A proxy in front of whoever listens at *port*.

    Args:
        port: Where the far side is, while it lives.
        chance: What happens to which request.
    """

    def __init__(self, port: int, chance: Random) -> None:
        self._port, self._chance = port, chance
        self.seen: list[Seen] = []
        self.faults = 0

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str]:
        """Yields the origin under which it is called."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", family=socket.AF_INET)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            yield f"http://127.0.0.1:{port}"
            tasks.cancel_scope.cancel()

    async def _serve(self, near: SocketStream) -> None:
        async with near:
            try:
                near_in = BufferedByteReceiveStream(near)
                while await self._pass(near, near_in):
                    pass
            except (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead):
                pass  # either side was killed

    async def _pass(self, near: SocketStream, near_in: BufferedByteReceiveStream) -> bool:
        """One request and its answer; tells whether another one may follow."""
        head, body = await _message(near_in)
        fault = self._fault()
        if fault == "lost":
            return False
        if fault in _FAULTS:
            await near.send(_FAULTS[fault])
            return True
        async with await anyio.connect_tcp("127.0.0.1", self._port) as far:
            seen = Seen(_field(head, b"webhook-id"), body)
            self.seen.append(seen)
            await far.send(head + body)
            answer, rest = await _message(BufferedByteReceiveStream(far))
        seen.status = int(answer.split(None, 2)[1])
        if fault == "unanswered":
            return False
        await near.send(answer + rest)
        return True

    def _fault(self) -> str:
        number = self._chance.randrange(100)
        for name, share in (
            ("lost", _LOST),
            ("refused", _REFUSED),
            ("put off", _PUT_OFF),
            ("unanswered", _UNANSWERED),
        ):
            if number < share:
                self.faults += 1
                return name
            number -= share
        return ""


async def _message(stream: BufferedByteReceiveStream) -> tuple[bytes, bytes]:
    head = await stream.receive_until(b"\r\n\r\n", 65_536) + b"\r\n\r\n"
    size = int(_field(head, b"content-length") or 0)
    return head, await stream.receive_exactly(size) if size else b""


def _field(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n"):
        known, _, value = line.partition(b":")
        if known.strip().lower() == name:
            return value.strip().decode("ascii")
    return ""
