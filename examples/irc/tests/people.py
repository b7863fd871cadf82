"""Others on the same server: plain clients, which know nothing of convergekit."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Person", "person"]


class Person:
    """Somebody with a client of their own."""

    def __init__(self, stream: SocketStream, nick: str) -> None:
        self.nick = nick
        self._stream = stream
        self._lines = BufferedByteReceiveStream(stream)

    async def does(self, *lines: str | bytes) -> None:
        """Type *lines*, as they are."""
        await self._stream.send(
            b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines)
        )

    async def says(self, text: str, to: str = "bot") -> None:
        """Write *text* to somebody, or into a room."""
        await self.does(f"PRIVMSG {to} :{text}")

    async def joins(self, room: str) -> None:
        """Enter *room*; return once we are in it."""
        await self.does(f"JOIN {room}")
        await self.hears(" 366 ")

    async def hears(self, what: str) -> str:
        """The next line with *what* in it, which is given without its line break; others are passed over."""
        while True:
            line = (await self._lines.receive_until(b"\r\n", 4096)).decode(errors="replace")
            if line.startswith("PING"):
                await self.does(line.replace("PING", "PONG", 1))
            elif what in line:
                return line

    async def heard(self) -> list[str]:
        """The texts that were said to us, or in our rooms, up to now; the server has nothing more for us."""
        await self.does("PING :up-to-here")
        said = []
        while "PONG" not in (line := await self.hears("")):
            _, _, words = line.partition(" PRIVMSG ")
            if words:
                said.append(words.partition(" :")[2])
        return said


@asynccontextmanager
async def person(port: int, nick: str) -> AsyncGenerator[Person]:
    """Somebody who has logged in."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        someone = Person(stream, nick)
        await someone.does(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        await someone.hears(" 376 ")
        yield someone
