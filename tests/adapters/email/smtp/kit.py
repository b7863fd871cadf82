"""A submission server that does what it is told, and what the tests of SMTP say often."""

from __future__ import annotations

import logging
import time
import types
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.abc import Clock
from convergekit.adapters.email.config import SmtpConfig
from convergekit.adapters.email.smtp import Accepted, Pool, SmtpEnvelope
from convergekit.testing import FakeClock
from convergekit.testing.adapter import LoopbackServer

ENVELOPE = SmtpEnvelope(reverse_path="ann@example.test", recipient="bob@example.test")
MAIL = b"Subject: hello\r\n\r\nworld\r\n"
ALL = ("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


class Do(Enum):
    """What a server may do in place of an answer."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"
    EOF = "eof"
    """Says that nothing more will come, and hangs."""


#: An answer, which may be several lines; after a 421 it closes. Or raw bytes, after which it goes on,
#: or does what is said.
Answer = str | bytes | Do | tuple[bytes, Do]

USUAL: Mapping[str, str] = {
    "GREETING": "220 far.example ESMTP",
    "DATA": "354 Go on",
    ".": "250 2.0.0 Ok: queued as 4F2C1",
    "QUIT": "221 2.0.0 Bye",
}


class FakeServer:
    """Answers as usual, but for what *answers* has for a verb: each once, in order, over all connections.

    Args:
        answers: By verb; "GREETING" and "." are the beginning of a connection and the end of data, "CONTENT" comes at
            the first octet of content.
        offers: What it answers EHLO with.

    Attributes:
        heard: Commands, all connections together; "." for the end of data.
        mails: What came to its end, as it came: with dots doubled.
        connections: How many there were.
    """

    def __init__(self, answers: Mapping[str, Sequence[Answer]] | None = None, offers: Sequence[str] = ALL) -> None:
        self._answers = {verb: list(each) for verb, each in (answers or {}).items()}
        self._offers = offers
        self._server = LoopbackServer(self._talk)
        self.heard: list[str] = []
        self.mails: list[bytes] = []
        self.connections = 0
        self._streams: list[SocketStream] = []
        self._news = anyio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[FakeServer]:
        async with self._server.serving():
            yield self

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def verbs(self) -> list[str]:
        return [(each.split() or [""])[0] for each in self.heard]

    def next(self, verb: str, *answers: Answer) -> None:
        """What it answers to *verb* from now on."""
        self._answers[verb] = list(answers)

    async def hears(self, verb: str, times: int = 1) -> None:
        """Return when it has heard *verb* so often."""
        while self.verbs.count(verb) < times:
            await self._news.wait()

    async def is_left(self) -> None:
        """Return when nobody is connected."""
        while self._streams:
            await self._news.wait()

    async def say(self, data: bytes) -> None:
        """Say something of its own accord, to the one who came last."""
        await self._streams[-1].send(data)

    def drop(self) -> None:
        """Close all connections."""
        self._server.drop()

    async def _talk(self, stream: SocketStream) -> None:
        self.connections += 1
        self._streams.append(stream)
        try:
            await self._listen(stream)
        finally:
            self._streams.remove(stream)
            self._tell()

    async def _listen(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        if await self._answer(stream, "GREETING") is None:
            return
        while True:
            line = (await lines.receive_until(b"\r\n", 70_000)).decode()
            self._hear(line)
            verb = line.split()[0].upper() if line else ""
            said = await self._answer(stream, verb)
            if said is None or verb == "QUIT":
                return
            if verb == "DATA" and said.startswith(b"354") and not await self._take(stream, lines):
                return

    async def _take(self, stream: SocketStream, lines: BufferedByteReceiveStream) -> bool:
        content = b""
        if self._answers.get("CONTENT"):
            content = await lines.receive(1)
            self._hear("CONTENT")
            if await self._answer(stream, "CONTENT") is None:
                return False
        while not content.endswith(b"\r\n.\r\n") and content != b".\r\n":
            content += await lines.receive_until(b"\n", 2_000_000) + b"\n"
        self._hear(".")
        self.mails.append(content.removesuffix(b".\r\n"))
        return await self._answer(stream, ".") is not None

    def _hear(self, line: str) -> None:
        self.heard.append(line)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def _answer(self, stream: SocketStream, verb: str) -> bytes | None:
        """What was said; None where the connection ends."""
        if left := self._answers.get(verb):
            answer = left.pop(0)
        else:
            answer = "\n".join(("far.example", *self._offers)) if verb == "EHLO" else USUAL.get(verb, "250 2.0.0 Ok")
            answer = _several(answer) if verb == "EHLO" else answer
        if isinstance(answer, tuple):
            await stream.send(answer[0])
            answer = answer[1]
        match answer:
            case Do.CLOSE:
                return None
            case Do.RESET:
                await self._server.reset(stream)
                return None
            case Do.HANG:
                await anyio.sleep_forever()
            case Do.EOF:
                await stream.send_eof()
                await anyio.sleep_forever()
            case _:
                data = answer if isinstance(answer, bytes) else answer.encode() + b"\r\n"
                await stream.send(data)
                return None if isinstance(answer, str) and answer.startswith("421") else data


def _several(text: str) -> str:
    lines = text.split("\n")
    return "\r\n".join(f"250{' ' if at == len(lines) - 1 else '-'}{line}" for at, line in enumerate(lines))


class RealClock(FakeClock):
    """Seconds pass by themselves."""

    def monotonic(self) -> float:
        return time.monotonic()


def config(port: int, **settings: Any) -> SmtpConfig:
    return SmtpConfig(**{"host": "127.0.0.1", "port": port, "security": "none", "timeout": 30.0, **settings})


@asynccontextmanager
async def pool_on(
    port: int, *, clock: Clock | None = None, tokens: Any = None, **settings: Any
) -> AsyncGenerator[Pool]:
    log = logging.getLogger("test.smtp")
    async with Pool(config(port, **settings), clock=clock or FakeClock(), log=log, tokens=tokens) as pool:
        yield pool


class Tries:
    """Sends mail over *pool*, and counts how often it was said that the end of the data leaves."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.started = pool, 0

    def on_start(self) -> None:
        self.started += 1

    async def send(self, envelope: SmtpEnvelope = ENVELOPE, content: Any = MAIL) -> Accepted:
        return await self.pool.deliver(envelope, content, self.on_start)


async def cancelled_at(checkpoint: int, coroutine: Coroutine[Any, Any, object]) -> bool:
    """Run *coroutine*, and cancel it where it waits for the *checkpoint*-th time, from 0.

    Returns:
        Whether it came so far.
    """
    with anyio.CancelScope() as scope:

        @types.coroutine
        def run() -> Generator[Any, Any, None]:
            left, sent = checkpoint, None
            while True:
                try:
                    waits_for = coroutine.throw(sent) if isinstance(sent, BaseException) else coroutine.send(sent)
                except StopIteration:
                    return
                if left == 0:
                    scope.cancel()
                left -= 1
                try:
                    sent = yield waits_for
                except BaseException as exc:
                    sent = exc

        await run()
    return scope.cancel_called
