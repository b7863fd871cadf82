"""A far side over HTTP that is a server on loopback: for an adapter whose client takes no transport."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import h11  # httpx comes with it
import httpx
from anyio.abc import SocketAttribute, SocketStream

from ._watch import FAR_SIDE

__all__ = ["Server"]

#: Close by a reset, and not in good order.
_AT_ONCE: Final = struct.pack("ii", 1, 0)


class Server:
    """An HTTP server with one answer to everything, and one request to a connection.

    Args:
        respond: The answer. Where it raises `httpx.RemoteProtocolError` the connection is closed without one; where it
            raises `httpx.ReadError`, reset.
    """

    def __init__(self, respond: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._respond = respond
        self._door = _door(0)
        self._address = self._door.getsockname()
        self._is_back = anyio.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return "http://{}:{}".format(*self._address)

    def go_away(self) -> None:
        """From now on connections are refused."""
        if self._door.fileno() != -1:
            self._is_back = anyio.Event()
            anyio.notify_closing(self._door)
            self._door.close()

    def come_back(self) -> None:
        """From now on they are taken again."""
        if self._door.fileno() == -1:
            self._door = _door(self._address[1])
            self._is_back.set()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Serve meanwhile."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve)
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()
                self.go_away()

    async def _serve(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                while self._door.fileno() == -1:
                    await self._is_back.wait()
                try:
                    await anyio.wait_readable(self._door)
                    connection, _ = self._door.accept()
                except (anyio.ClosedResourceError, BlockingIOError):
                    continue  # it has gone away, or whoever came has
                tasks.start_soon(self._talk, await SocketStream.from_socket(connection))

    async def _talk(self, stream: SocketStream) -> None:
        async with stream:
            try:
                request = await self._request(stream)
                if request is not None:
                    await _answer(stream, request, await self._respond(request))
            except httpx.RemoteProtocolError:
                return
            except httpx.ReadError:
                stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                await anyio.aclose_forcefully(stream)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, h11.RemoteProtocolError):
                return  # the other side has gone, or talks something else

    async def _request(self, stream: SocketStream) -> httpx.Request | None:
        """What is asked; None where the connection ends before all of it has come."""
        reading, head, content = h11.Connection(h11.SERVER), None, b""
        while True:
            event = reading.next_event()
            match event:
                case h11.NEED_DATA:
                    try:
                        reading.receive_data(await stream.receive())
                    except anyio.EndOfStream:
                        return None
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
    """With a length, and the end of the connection."""
    body = b"" if request.method == "HEAD" else await response.aread()
    ours = {"connection", "content-length", "transfer-encoding"}
    fields = [(name, value) for name, value in response.headers.raw if name.decode("latin-1").lower() not in ours]
    fields.append((b"connection", b"close"))
    if response.status_code not in (204, 304):
        fields.append((b"content-length", str(len(body)).encode()))
    reason = response.reason_phrase.encode("latin-1")
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    await stream.send(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (response.status_code, reason, head, body))


def _door(port: int) -> socket.socket:
    watched = FAR_SIDE.set(True)  # also where a check opens it
    try:
        door = socket.create_server(("127.0.0.1", port))
    finally:
        FAR_SIDE.reset(watched)
    door.setblocking(False)
    return door
