"""A far-away server, as a script: `_delay.py PORT SECONDS` prints the port that leads to PORT, SECONDS one way.

It is a process of its own: in that of a measurement it would take the time of what is measured. It ends when its
standard input does.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections import deque
from collections.abc import Callable
from typing import cast


class Side(asyncio.Protocol):
    """One end of one connection; what comes in here goes out at the other side, later."""

    def __init__(self, one_way: float) -> None:
        self._one_way = one_way
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[Callable[[], None]] = deque()
        self._waiting: list[Callable[[], None]] | None = []
        self.transport: asyncio.Transport
        self.other: Side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        waiting, self._waiting = self._waiting or (), None
        for act in waiting:
            act()

    def data_received(self, data: bytes) -> None:
        self._send(lambda: self.other.transport.write(data))

    def eof_received(self) -> bool:
        self._send(lambda: self.other.transport.write_eof())
        return True  # the other way stays open

    def connection_lost(self, exc: Exception | None) -> None:
        self._send(lambda: self.other.transport.close())

    def _send(self, act: Callable[[], None]) -> None:
        # What is in one row stays in order, whatever the timers do.
        self._under_way.append(act)
        self._loop.call_later(self._one_way, lambda: self.other.take(self._under_way.popleft()))

    def take(self, act: Callable[[], None]) -> None:
        """Do it, or when there is a connection."""
        if self._waiting is None:
            act()
        else:
            self._waiting.append(act)


class Near(Side):
    """The end of whoever asks; it takes the three ways of TCP's handshake until the server knows of them."""

    def __init__(self, one_way: float, target: int) -> None:
        super().__init__(one_way)
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.pause_reading()
        self.other = Side(self._one_way)
        self.other.other = self
        self._loop.call_later(2 * self._one_way, self.transport.resume_reading)
        self._loop.call_later(3 * self._one_way, self._connect)

    def _connect(self) -> None:
        self._connecting = self._loop.create_task(self._connected())

    async def _connected(self) -> None:
        try:
            await self._loop.create_connection(lambda: self.other, "127.0.0.1", self._target)
        except OSError:
            self.transport.close()


async def main(target: int, one_way: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Near(one_way, target), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    # epoll counts in milliseconds, which is too much of ten; select in microseconds.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main(int(sys.argv[1]), float(sys.argv[2])))
