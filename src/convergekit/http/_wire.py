"""The bytes of one connection, past what the event loop has between them and the socket.

A transport of asyncio's, and anyio's stream over it, run through the loop once for each write, and begin and end to
listen for each read: twice the CPU time and more than twice the time of what happens here. anyio connects, which is
where the difficulties are (RFC 8305), and keeps the connection; written and read is through a second descriptor of the
same socket, of which the loop knows nothing.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream, SocketAttribute, SocketStream

__all__ = ["Wire", "readable", "wired"]


class Wire(ByteStream):
    """Reads and writes the socket of *stream*, which is closed with it.

    Used by one task at a time.
    """

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._socket = socket.socket(fileno=os.dup(stream.extra(SocketAttribute.raw_socket).fileno()))
        self._socket.setblocking(False)

    async def send(self, item: bytes) -> None:
        """See `ByteStream.send`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        rest = memoryview(item)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as exc:
                raise anyio.BrokenResourceError from exc

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """See `ByteStream.receive`."""
        while True:
            await anyio.wait_readable(self._socket)
            try:
                received = self._socket.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as exc:
                raise anyio.BrokenResourceError from exc
            if not received:
                raise anyio.EndOfStream
            return received

    async def send_eof(self) -> None:
        """See `ByteStream.send_eof`."""
        self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """See `ByteStream.aclose`."""
        self._socket.close()
        await self._stream.aclose()


def wired(stream: SocketStream) -> ByteStream:
    """*stream*, read and written in the short way where the system has descriptors that can be doubled."""
    return Wire(stream) if os.name == "posix" else stream


def readable(stream: SocketStream) -> Callable[[], bool]:
    """Tells whether there is something to read from *stream*, its end included, without waiting."""
    raw = stream.extra(SocketAttribute.raw_socket)
    if not hasattr(select, "poll"):
        return lambda: raw.fileno() < 0 or bool(select.select([raw], [], [], 0)[0])
    poll = select.poll()
    poll.register(raw, select.POLLIN)
    return lambda: raw.fileno() < 0 or bool(poll.poll(0))
