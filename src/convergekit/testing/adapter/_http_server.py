"""The far side over HTTP as a server on loopback: for an adapter whose client takes no transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import h11  # httpx comes with it
import httpx
from anyio.abc import SocketStream

from ._server import LoopbackServer

__all__ = ["HttpServer"]

_OURS: Final = frozenset({"connection", "content-length", "transfer-encoding"})


class HttpServer(LoopbackServer):
    """An HTTP server with one answer to everything, and one request to a connection.

    Args:
        respond: The answer. Where it raises `httpx.RemoteProtocolError` the connection is closed without one; where it
            raises `httpx.ReadError`, reset.
    """

    def __init__(self, respond: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        super().__init__(self._answers)
        self._respond = respond

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    async def _answers(self, stream: SocketStream) -> None:
        try:
            request = await self._asked(stream)
            if request is not None:
                await _answer(stream, request, await self._respond(request))
        except (h11.RemoteProtocolError, httpx.RemoteProtocolError):
            return
        except httpx.ReadError:
            await self.reset(stream)

    async def _asked(self, stream: SocketStream) -> httpx.Request | None:
        """What is asked; None where the connection ends before all of it has come."""
        reading, head, content = h11.Connection(h11.SERVER), None, b""
        while True:
            event = reading.next_event()
            match event:
                case h11.NEED_DATA:
                    reading.receive_data(await stream.receive())
                case h11.Request():
                    head = event
                case h11.Data():
                    content += bytes(event.data)
                case h11.EndOfMessage() if head is not None:
                    target = f"{self.url}{head.target.decode('ascii')}"
                    headers = [(bytes(name), bytes(value)) for name, value in head.headers]
                    return httpx.Request(head.method.decode("ascii"), target, headers=headers, content=content)
                case _:
                    return None


async def _answer(stream: SocketStream, request: httpx.Request, response: httpx.Response) -> None:
    """With a length, and the end of the connection; a body that is a stream goes on until that ends."""
    is_whole = isinstance(response.stream, httpx.ByteStream)
    body = await response.aread() if is_whole and request.method != "HEAD" else b""
    fields = [(name, value) for name, value in response.headers.raw if name.decode("latin-1").lower() not in _OURS]
    fields.append((b"connection", b"close"))
    if is_whole and response.status_code not in (204, 304):
        fields.append((b"content-length", b"%d" % len(body)))
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    reason = response.reason_phrase.encode("latin-1")
    await stream.send(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (response.status_code, reason, head, body))
    if not is_whole and isinstance(response.stream, httpx.AsyncByteStream):
        async for chunk in response.stream:
            await stream.send(chunk)
