"""One connection: lines and mails come in, answers go out; bounded in time and in memory.

Answers wait until there is nothing left to read, so that commands that came together (PIPELINING, RFC 2920 §3.2) are
answered together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import ByteStream

from .grammar import RefusedError, Reply

__all__ = ["GONE", "TooLargeError", "Wire"]

#: What a stream raises when the other side is gone.
GONE: Final = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)

_LINE: Final = 2048  # octets: 512 of RFC 5321 §4.5.3.1.4, and room for what extensions add
_CHUNK: Final = 65_536
_LARGE: Final = 1_048_576  # octets of a mail, above which only a few are read at a time
_SLOWEST: Final = 10_000  # octets per second that a mail comes with, at least
_END: Final = b"\r\n.\r\n"
_PARTING: Final = 1.0


class TooLargeError(Exception):
    """A mail is larger than it may be.

    Attributes:
        ended: Whether its end was read; without it, nothing more can be said on this connection.
    """

    def __init__(self, *, ended: bool) -> None:
        super().__init__()
        self.ended = ended


class Wire:
    """Reads and writes one connection. Its reads raise `TimeoutError`, and one of `GONE` when the other side is.

    Args:
        stream: The connection.
        timeout: Seconds for each line, for each piece of a mail, and for the other side to take our answers.
    """

    def __init__(self, stream: ByteStream, timeout: float) -> None:
        self._stream = stream
        self._timeout = timeout
        self._in = bytearray()
        self._out = bytearray()

    def say(self, reply: Reply) -> None:
        """Answer; it goes out when all that came is read."""
        self._out += bytes(reply)

    async def line(self) -> bytes:
        """The next command, without its end.

        Raises:
            RefusedError: It is longer than a command can be, or ends in LF alone; it is passed over.
        """
        too_long, seen = False, 0
        with anyio.fail_after(self._timeout):
            while (end := self._in.find(b"\n", seen)) < 0:
                if len(self._in) > _LINE:
                    too_long = True
                    self._in.clear()
                seen = len(self._in)
                await self._receive()
        line = bytes(self._in[: end + 1])
        del self._in[: end + 1]
        if too_long or len(line) > _LINE:
            raise RefusedError(500, "5.5.2", "Line too long")
        if not line.endswith(b"\r\n"):
            raise RefusedError(500, "5.5.2", "Lines end in CR LF")
        return line[:-2]

    async def data(self, limit: int, is_large: Callable[[], Awaitable[object]]) -> bytes:
        """The mail that follows, without the dots that were put in (RFC 5321 §4.5.2), and without its end.

        At most a third over *limit* is kept, and as much again as *limit* is read and dropped: who is told at the end
        that a mail is too large sends it back, who is cut off tries again for days.

        Args:
            limit: Octets.
            is_large: Called once for a mail that takes a lot of memory; may wait until there is enough.

        Raises:
            TooLargeError: It has more than *limit*.
        """
        began, dropped, waited, seen = anyio.current_time(), 0, False, 0
        self._in[:0] = b"\r\n"  # so that the end is the same for a mail without any line
        with anyio.fail_after(self._timeout) as patience:
            while (end := self._in.find(_END, seen)) < 0:
                size = len(self._in)
                if dropped or size > limit + limit // 3:  # a line of nothing but a dot is four octets for three
                    dropped += size - len(_END)
                    del self._in[: -len(_END)]
                    if dropped > 2 * limit + limit // 3:
                        raise TooLargeError(ended=False)
                elif size > _LARGE and not waited:
                    waited = True
                    await is_large()
                seen = max(0, len(self._in) - len(_END))
                await self._receive()
                now = anyio.current_time()
                patience.deadline = min(now, began + (dropped + len(self._in)) / _SLOWEST) + self._timeout
        raw = self._taken(end)
        if dropped or len(raw) > limit:
            raise TooLargeError(ended=True)
        return raw

    def _taken(self, end: int) -> bytes:
        """Take out the mail that ends at *end*; never are there more than two of it."""
        with memoryview(self._in) as whole, whole[2 : end + 2] as mail:
            raw = bytes(mail)
        del self._in[: end + len(_END)]
        raw = raw.replace(b"\r\n.", b"\r\n")
        return raw[1:] if raw.startswith(b".") else raw

    async def _receive(self) -> None:
        await self.flush()
        self._in += await self._stream.receive(_CHUNK)

    async def flush(self) -> None:
        """Let all answers out."""
        if self._out:
            answers = bytes(self._out)
            self._out.clear()
            with anyio.fail_after(self._timeout):
                await self._stream.send(answers)

    async def part(self) -> None:
        """Let the last answers out, so that they arrive: a connection closed over unread octets takes them back."""
        with anyio.move_on_after(_PARTING), suppress(*GONE, TimeoutError):
            await self.flush()
            await self._stream.send_eof()
            while True:
                await self._stream.receive(_CHUNK)
