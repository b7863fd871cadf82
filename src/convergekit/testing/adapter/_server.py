"""A server on loopback, which goes away and comes back, drops and resets: what a far side over sockets is made of."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
from anyio.abc import SocketAttribute, SocketStream

from ._watch import FAR_SIDE

__all__ = ["LoopbackServer"]

#: Close by a reset, and not in good order.
_AT_ONCE: Final = struct.pack("ii", 1, 0)


class LoopbackServer:
    """A TCP server on 127.0.0.1, with a port of its own.

    Args:
        talk: Talks on one connection, which is closed when it returns; that the other side has gone may come out of it.

    Attributes:
        host: Where it is ...
        port: ... once it is `serving`.
    """

    host: Final = "127.0.0.1"
    port: int = 0

    def __init__(self, talk: Callable[[SocketStream], Awaitable[object]]) -> None:
        self._talk = talk
        self._door: socket.socket | None = None
        self._is_back = anyio.Event()
        self._talks: set[anyio.CancelScope] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Serve meanwhile."""
        self.come_back()
        trouble: Exception | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._serve)
                try:
                    yield
                except Exception as error:
                    trouble = error  # raised below: a test's own failure is not to come out as a group
                tasks.cancel_scope.cancel()
        finally:
            self.go_away()
        if trouble is not None:
            raise trouble

    def go_away(self) -> None:
        """From now on connections are refused; those that there are stay."""
        door, self._door, self._is_back = self._door, None, anyio.Event()
        if door is not None:
            anyio.notify_closing(door)
            door.close()

    def come_back(self) -> None:
        """From now on they are taken again."""
        if self._door is None:
            watched = FAR_SIDE.set(True)  # a check calls this, too
            try:
                self._door = socket.create_server((self.host, self.port))
            finally:
                FAR_SIDE.reset(watched)
            self._door.setblocking(False)
            self.port = self._door.getsockname()[1]
            self._is_back.set()

    def drop(self) -> None:
        """Close the connections that there are."""
        for scope in self._talks:
            scope.cancel()

    @staticmethod
    async def reset(stream: SocketStream) -> None:
        """Close *stream* by a reset, as one who has crashed."""
        stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        await anyio.aclose_forcefully(stream)

    async def _serve(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                if self._door is None:
                    await self._is_back.wait()
                    continue
                try:
                    await anyio.wait_readable(self._door)
                    connection, _ = self._door.accept()
                except (anyio.ClosedResourceError, BlockingIOError):
                    continue  # we have gone away, or whoever came has
                with suppress(OSError):  # it may have gone already
                    # Else what is said in two goes waits some forty milliseconds in between, for an acknowledgement.
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                tasks.start_soon(self._serve_one, await SocketStream.from_socket(connection))

    async def _serve_one(self, stream: SocketStream) -> None:
        with anyio.CancelScope() as scope:
            self._talks.add(scope)
            try:
                async with stream:
                    await self._talk(stream)
            except* (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead):
                pass  # the other side has gone; where it both speaks and listens, out of a task group
            finally:
                self._talks.discard(scope)
