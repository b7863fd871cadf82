"""What the tests of the LMTP listener share: one that listens, and somebody who speaks with it octet by octet."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import ByteStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.adapters.email.arrival import Envelope
from convergekit.adapters.email.config import LmtpConfig
from convergekit.adapters.email.lmtp import LmtpListener
from convergekit.model import CustomReceived, Event
from convergekit.testing import FakeContext

MAIL = b"Subject: hello\r\n\r\nworld\r\n"


@dataclass
class Office:
    """A listener that listens, and what has come to it.

    Args:
        listener: That one.
        context: Its.
        mails: What was read, in order.
        scope: Cancelled, it closes.
        closed: Set when it has.
    """

    listener: LmtpListener
    context: FakeContext
    mails: list[tuple[bytes, Envelope]] = field(default_factory=list)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    closed: anyio.Event = field(default_factory=anyio.Event)

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        """Until it is closed."""
        with self.scope:
            await self.listener.listen(task_status=task_status)
        self.closed.set()

    @property
    def raw(self) -> list[bytes]:
        return [raw for raw, _ in self.mails]

    @asynccontextmanager
    async def dial(self) -> AsyncGenerator[Talk]:
        """A connection; nothing is said, and the greeting is not read yet."""
        async with await anyio.connect_tcp("127.0.0.1", self.listener.port) as stream:
            yield Talk(stream)

    @asynccontextmanager
    async def talk(self, *recipients: str, lhlo: bool = True) -> AsyncGenerator[Talk]:
        """A connection that is greeted, and has come as far as the last of *recipients*."""
        async with self.dial() as talk:
            await talk.hear("220 ")
            if lhlo:
                await talk.ask("LHLO mx.example.test", "250-")
            if recipients:
                await talk.ask("MAIL FROM:<ann@elsewhere.test>", "250 2.1.0 ")
            for recipient in recipients:
                await talk.ask(f"RCPT TO:<{recipient}>", "250 2.1.5 ")
            yield talk


class Talk:
    """The mail server's side of one connection."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._heard = BufferedByteReceiveStream(stream)

    async def say(self, said: str | bytes) -> None:
        """Exactly this; text gets its CR LF."""
        await self.stream.send(said if isinstance(said, bytes) else f"{said}\r\n".encode())

    async def reply(self) -> str:
        """The next answer, all lines of it, without the last CR LF."""
        lines: list[str] = []
        with anyio.fail_after(10):
            while not lines or lines[-1][3:4] == "-":
                lines.append((await self._heard.receive_until(b"\r\n", 10_000)).decode("ascii"))
        return "\r\n".join(lines)

    async def hear(self, *beginnings: str) -> None:
        """So many answers come, and begin so."""
        heard = [await self.reply() for _ in beginnings]
        assert [got[: len(want)] for got, want in zip(heard, beginnings, strict=True)] == list(beginnings), heard

    async def ask(self, said: str | bytes, *beginnings: str) -> None:
        await self.say(said)
        await self.hear(*beginnings)

    async def is_over(self) -> bool:
        """The other side has closed."""
        with anyio.fail_after(10):
            try:
                return not await self._heard.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return True


def to_event(raw: bytes) -> Event:
    return CustomReceived(key=hashlib.sha256(raw).hexdigest(), name="mail")


@asynccontextmanager
async def office(
    context: FakeContext | None = None,
    *,
    max_size: int = 1_000_000,
    grace: float = 3.0,
    to_events: Callable[[bytes], Sequence[Event]] = lambda raw: [to_event(raw)],
    **settings: Any,
) -> AsyncGenerator[Office]:
    """A listener on a free port."""
    context = context or FakeContext(channel="mail")
    mails: list[tuple[bytes, Envelope]] = []

    def read(raw: bytes, envelope: Envelope) -> Sequence[Event]:
        mails.append((raw, envelope))
        return to_events(raw)

    config = LmtpConfig(**{"port": 0, **settings})
    here = Office(LmtpListener(config, context, read, max_size, grace=grace), context, mails)
    async with anyio.create_task_group() as tasks:
        await tasks.start(here.listen)
        yield here
        here.scope.cancel()
    await context.http.aclose()
