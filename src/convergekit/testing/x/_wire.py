"""The ways to the server: real HTTP on loopback, ASGI, and a transport of httpx in the same process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final, TypeAlias

import anyio
import h11  # httpx comes with it
import httpx
from anyio.abc import SocketStream

from convergekit.testing.adapter import LoopbackServer

__all__ = ["HttpDoor", "InProcess", "asgi"]

Respond: TypeAlias = Callable[[httpx.Request], Awaitable[httpx.Response]]

_OURS: Final = frozenset({b"connection", b"content-length", b"transfer-encoding"})


class InProcess(httpx.AsyncBaseTransport):
    """Hands a request over without a wire; what would close or reset the connection is raised.

    Args:
        respond: The answer.
    """

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`."""
        await request.aread()
        response = await self._respond(request)
        response.request = request
        return response


class HttpDoor(LoopbackServer):
    """HTTP/1.1 on loopback: connections that stay open, bodies that are streams.

    Args:
        respond: The answer. Where it raises `httpx.RemoteProtocolError` the connection is closed without one; where it
            raises `httpx.ReadError`, reset.
    """

    def __init__(self, respond: Respond) -> None:
        super().__init__(self._talks_http)
        self._respond = respond

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.host}:{self.port}"

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str]:
        """Serve meanwhile; yields the URL."""
        async with self.serving():
            yield self.url

    async def _talks_http(self, stream: SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while (request := await self._asked(connection, stream)) is not None:
                response = await self._respond(request)
                async with aclosing(response):
                    await _answer(connection, stream, request, response)
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return
                connection.start_next_cycle()
        except (h11.RemoteProtocolError, httpx.RemoteProtocolError):
            return
        except httpx.ReadError:
            await self.reset(stream)

    async def _asked(self, connection: h11.Connection, stream: SocketStream) -> httpx.Request | None:
        """What is asked; None where the connection ends before all of it has come."""
        head: h11.Request | None = None
        chunks: list[bytes] = []
        while True:
            if connection.they_are_waiting_for_100_continue:
                await stream.send(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            event = connection.next_event()
            match event:
                case h11.NEED_DATA:
                    with suppress(anyio.EndOfStream):
                        connection.receive_data(await stream.receive())
                        continue
                    return None
                case h11.Request():
                    head = event
                case h11.Data():
                    chunks.append(bytes(event.data))
                case h11.EndOfMessage() if head is not None:
                    headers = [(bytes(name), bytes(value)) for name, value in head.headers]
                    target = f"{self.url}{head.target.decode('ascii')}"
                    return httpx.Request(head.method.decode("ascii"), target, headers=headers, content=b"".join(chunks))
                case _:
                    return None


async def _answer(
    connection: h11.Connection, stream: SocketStream, request: httpx.Request, response: httpx.Response
) -> None:
    """With a length; a body that is a stream is sent in chunks, until it ends or nobody listens any more."""
    is_whole = isinstance(response.stream, httpx.ByteStream)
    body = await response.aread() if is_whole else b""
    fields = [(name, value) for name, value in response.headers.raw if name.lower() not in _OURS]
    fields.append((b"content-length", b"%d" % len(body)) if is_whole else (b"transfer-encoding", b"chunked"))
    head = connection.send(h11.Response(status_code=response.status_code, headers=fields)) or b""
    if is_whole:
        rest = connection.send(h11.Data(data=body)) if body and request.method != "HEAD" else b""
        await stream.send(head + (rest or b"") + (connection.send(h11.EndOfMessage()) or b""))
        return
    await stream.send(head)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_gone, stream, tasks.cancel_scope)
        async for chunk in _chunks(response):
            await stream.send(connection.send(h11.Data(data=chunk)) or b"")
        await stream.send(connection.send(h11.EndOfMessage()) or b"")
        tasks.cancel_scope.cancel()


async def _until_gone(stream: SocketStream, scope: anyio.CancelScope) -> None:
    """Who reads a stream says nothing more; what comes is that they are gone."""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        await stream.receive()
    scope.cancel()


async def asgi(
    respond: Respond,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The same as an application of ASGI."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    chunks, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    host = next((value for name, value in scope["headers"] if name == b"host"), b"localhost").decode("latin-1")
    path = scope.get("raw_path") or scope["path"].encode("ascii")
    target = f"{scope.get('scheme', 'http')}://{host}{path.decode('ascii')}"
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("ascii")
    request = httpx.Request(scope["method"], target, headers=scope["headers"], content=b"".join(chunks))
    response = await respond(request)
    fields = [(name.lower(), value) for name, value in response.headers.raw]
    await send({"type": "http.response.start", "status": response.status_code, "headers": fields})
    async with aclosing(response):
        async for chunk in _chunks(response):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _chunks(response: httpx.Response) -> httpx.AsyncByteStream:
    """Its body as it comes; not through httpx, whose generators some leave half read."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


async def _lifespan(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
