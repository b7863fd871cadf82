"""A server that does exactly what a test says, right or wrong, on a free port of this machine."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

import anyio
from anyio.abc import SocketAttribute, SocketStream

Script = Callable[[SocketStream], Awaitable[None]]


@asynccontextmanager
async def serving(script: Script) -> AsyncGenerator[str]:
    """Run *script* for each connection; yields the server's origin."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream):  # whoever asks may hang up in the middle
                await script(stream)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            yield f"http://127.0.0.1:{port}"
            tasks.cancel_scope.cancel()


async def request_of(stream: SocketStream) -> bytes:
    """Read one request whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += await stream.receive()
    return head + b"\r\n\r\n" + body


def answers(reply: bytes) -> Script:
    """Read requests and answer each with *reply*, until the other side has enough."""

    async def script(stream: SocketStream) -> None:
        try:
            while True:
                await request_of(stream)
                await stream.send(reply)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    return script


async def resets(stream: SocketStream) -> None:
    """Read the request, then break the connection with a RST."""
    await request_of(stream)
    raw: socket.socket = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def closes(stream: SocketStream) -> None:
    """Read the request, and hang up."""
    await request_of(stream)


async def stalls(stream: SocketStream) -> None:
    """Read the request, and say nothing."""
    await request_of(stream)
    await anyio.sleep_forever()


class Held:
    """A server that reads a request and says nothing, until it is let go; then it hangs up."""

    def __init__(self) -> None:
        self.asked, self.let_go = anyio.Event(), anyio.Event()

    async def __call__(self, stream: SocketStream) -> None:
        await request_of(stream)
        self.asked.set()
        await self.let_go.wait()


@contextmanager
def closed_port() -> Generator[int]:
    """A port on which nobody listens, nor can begin to."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
