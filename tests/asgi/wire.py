"""Bytes over a socket, as nobody's client would write them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import anyio
from anyio.abc import SocketAttribute, SocketStream

__all__ = ["GONE", "Script", "connected", "exchange", "leaves", "says", "status_of", "trickles"]

#: What the other side's leaving looks like, whichever loop and whichever moment.
GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)

Script: TypeAlias = Callable[[SocketStream], Awaitable[None]]


@asynccontextmanager
async def connected(origin: str) -> AsyncGenerator[SocketStream]:
    host, port = origin.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        yield stream


async def exchange(origin: str, script: Script, *, patience: float = 30) -> bytes:
    """Do what *script* says; all that is answered until the server hangs up."""
    answer = b""
    with anyio.fail_after(patience):
        with suppress(*GONE):
            async with connected(origin) as stream, anyio.create_task_group() as tasks:

                async def write() -> None:
                    with suppress(*GONE):
                        await script(stream)

                tasks.start_soon(write)
                try:
                    while True:
                        answer += await stream.receive()
                except GONE:
                    tasks.cancel_scope.cancel()
    return answer


def says(*parts: bytes) -> Script:
    """These, as segments of their own."""

    async def script(stream: SocketStream) -> None:
        for part in parts:
            await stream.send(part)
            await anyio.lowlevel.checkpoint()

    return script


def trickles(head: bytes, *, every: float = 0.02) -> Script:
    """Sends *head*, and then a byte at a time, for ever."""

    async def script(stream: SocketStream) -> None:
        await stream.send(head)
        while True:
            await stream.send(b"x")
            await anyio.sleep(every)

    return script


def leaves(*parts: bytes, reset: bool = False) -> Script:
    """Says its part and hangs up; *reset* has what is under way thrown away."""

    async def script(stream: SocketStream) -> None:
        await says(*parts)(stream)
        if reset:
            import socket
            import struct

            raw = stream.extra(SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await stream.aclose()
        else:
            await stream.send_eof()

    return script


def status_of(answer: bytes) -> int | None:
    """The status of the last answer; None where there is none."""
    lines = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.") and b" 100 " not in line]
    return int(lines[-1].split(b" ")[1]) if lines else None
