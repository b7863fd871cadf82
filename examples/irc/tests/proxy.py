"""A network that fails: it stands between the adapter and a real server, and does what it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from anyio.abc import SocketStream, TaskGroup

__all__ = ["Proxy", "proxy"]

_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


# [proxy]
class Proxy:
    """Passes on what is said, both ways.

    Attributes:
        port: On 127.0.0.1.
        refuses: Whether it closes each connection as soon as it is made.
        is_mute: Whether the server's words are held back.
        cuts: Drop the connection when our side says something with this in it: "before" it is passed on, or "after",
            when the server has read it and before our side learns of that.
        said: All that our side has said.
        logins: How many connections there have been.
    """

    def __init__(self, port: int, server: int) -> None:
        self.port = port
        self.refuses = False
        self._muted: anyio.Event | None = None
        self.cuts: tuple[str, bytes] | None = None
        self.said = b""
        self.logins = 0
        self._server = server
        self._clients: list[SocketStream] = []
        self._is_cutting = False

    @property
    def is_mute(self) -> bool:
        return self._muted is not None

    @is_mute.setter
    def is_mute(self, value: bool) -> None:
        if self._muted is not None:
            self._muted.set()
        self._muted = anyio.Event() if value else None

    async def hears(self, what: bytes) -> None:
        """Return once our side has said so."""
        while what not in self.said:
            await anyio.wait_all_tasks_blocked()

    async def says(self, *lines: bytes, end: bytes = b"\r\n") -> None:
        """Say something to our side in the server's place."""
        for client in self._clients:
            await client.send(b"".join(line + end for line in lines))

    async def drops(self) -> None:
        """End all connections without a word."""
        for client in self._clients:
            await anyio.aclose_forcefully(client)

    # [proxy end]

    async def serve(self, client: SocketStream) -> None:
        """One connection."""
        async with client:
            self.logins += 1
            if self.refuses:
                return
            async with await anyio.connect_tcp("127.0.0.1", self._server) as server:
                self._clients.append(client)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._up, client, server, tasks)
                    tasks.start_soon(self._down, client, server, tasks)
                self._clients.remove(client)

    async def _up(self, client: SocketStream, server: SocketStream, tasks: TaskGroup) -> None:
        try:
            async for chunk in client:
                self.said += chunk
                when, what = self.cuts or ("", b"\0")
                if what in chunk:
                    if when == "before":
                        self.cuts = None
                        break
                    self._is_cutting = True
                await server.send(chunk)
        except _GONE:
            pass
        tasks.cancel_scope.cancel()

    async def _down(self, client: SocketStream, server: SocketStream, tasks: TaskGroup) -> None:
        try:
            async for chunk in server:
                if self._is_cutting and b" PONG " in chunk:  # it was said with a PING behind it
                    self._is_cutting, self.cuts = False, None
                    break
                while self._muted is not None:
                    await self._muted.wait()
                await client.send(chunk)
        except _GONE:
            pass
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def proxy(server: int) -> AsyncGenerator[Proxy]:
    """A way to the server on port *server*."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        between = Proxy(listener.extra(anyio.abc.SocketAttribute.local_port), server)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(listener.serve, between.serve))
            yield between
            tasks.cancel_scope.cancel()
