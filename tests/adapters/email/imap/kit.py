"""What the tests of the mailbox share: a way to read one, and a server that says what it is told to."""

import hashlib
import re
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.adapters.email.arrival import Envelope
from convergekit.adapters.email.config import ImapConfig
from convergekit.adapters.email.imap import Mailbox
from convergekit.http import TokenProvider
from convergekit.model import Event, MessageReceived
from convergekit.testing import FakeContext
from convergekit.testing.adapter import LoopbackServer
from tools.mail import Account, MailServers

Says = bytes | Callable[[bytes], bytes]


def to_events(raw: bytes, envelope: Envelope) -> Sequence[Event]:
    """One message, whose text is the subject, and whose details are the envelope."""
    subject = re.search(rb"(?mi)^subject: *(.*?)\r?$", raw)
    return [
        MessageReceived(
            key=f"mail:{hashlib.sha256(raw).hexdigest()}",
            sender="mailto:ann@example.org",
            text=subject[1].decode() if subject else "",
            at=envelope.received_at,
            details={
                "folder": envelope.folder,
                "uid": envelope.uid,
                "size": envelope.size,
                "is_partial": envelope.is_partial,
                "octets": len(raw),
            },
        )
    ]


def letter(subject: str, octets: int = 0) -> bytes:
    """A mail, of at least so many octets."""
    line = b"all of it is text, and none of it is long\r\n"
    return f"Subject: {subject}\r\n\r\n".encode() + line * (octets // len(line) + 1)


def reading(
    config: ImapConfig,
    context: FakeContext,
    tokens: TokenProvider | None = None,
    *,
    max_size: int = 50_000_000,
    events: Callable[[bytes, Envelope], Sequence[Event]] = to_events,
) -> Mailbox:
    return Mailbox(config, context, events, tokens, max_size, jitter=lambda: 0.5)


def at_dovecot(mail: MailServers, account: Account, **more: Any) -> ImapConfig:
    """Settings of an account of the real server."""
    settings = {"host": "localhost", "port": mail.imaps, "ca": mail.ca, "timeout": 10, "first": "all"}
    return ImapConfig(**{**settings, "username": account.user, "password": account.password, **more})


def texts(context: FakeContext) -> list[str | None]:
    """What was admitted, in order."""
    return [event.text for event in context.admitted if isinstance(event, MessageReceived)]


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Return once *condition* holds."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for is in a server
            await anyio.sleep(0.005)


async def time_passes(context: FakeContext, seconds: float, condition: Callable[[], Any]) -> int:
    """Let *seconds* pass, again and again, until *condition* holds; how often."""
    times = 0
    with anyio.fail_after(10):
        while not condition():
            context.clock.advance(seconds)
            times += 1
            await anyio.sleep(0.02)
    return times


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await anyio.to_thread.run_sync(lambda: function(*args))


@asynccontextmanager
async def listening(mailbox: Mailbox) -> AsyncGenerator[None]:
    """It listens meanwhile."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(lambda *, task_status: mailbox.listen(task_status=task_status))
        yield
        tasks.cancel_scope.cancel()


def left_behind() -> list[str]:
    """What threads, other than this one, do in our code."""
    found = []
    for thread, top in sys._current_frames().items():
        frame: FrameType | None = top if thread != threading.get_ident() else None
        while frame is not None:
            if "convergekit/adapters/email/imap/" in frame.f_code.co_filename:
                found.append(frame.f_code.co_qualname)
            frame = frame.f_back
    return found


class Far:
    """An IMAP server with one folder, that says what it is told to.

    Args:
        mails: What is in the folder, with UIDs from 1.
        says: By command ("UID FETCH", "GREETING"), what it says in place of what it ought to: lines, in which TAG is
            the command's tag; or a function of the command's arguments that makes them.
        offers: Its capabilities.

    Attributes:
        heard: Commands, without their tags.
        mails: By UID; a test may change it.
        flags: By UID, in capitals.
    """

    def __init__(
        self,
        *mails: bytes,
        says: dict[str, Says] | None = None,
        offers: str = "IMAP4rev1 IDLE UIDPLUS MOVE AUTH=PLAIN AUTH=XOAUTH2",
    ) -> None:
        self.server = LoopbackServer(self._talk)
        self.mails = dict(enumerate(mails, 1))
        self.flags: dict[int, set[bytes]] = {}
        self.heard: list[bytes] = []
        self.says = says or {}
        self.uidvalidity = 7
        self.next = len(mails) + 1
        self._offers = offers.encode()
        self._idlers: list[SocketStream] = []

    def config(self, **more: Any) -> ImapConfig:
        settings = {"host": "127.0.0.1", "port": self.server.port, "security": "none", "timeout": 5, "first": "all"}
        return ImapConfig(**{**settings, "username": "ann", "password": "secret-word", **more})

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["Far"]:
        async with self.server.serving():
            yield self

    async def deliver(self, raw: bytes) -> None:
        """One more mail; whoever idles is told."""
        self.mails[self.next] = raw
        self.next += 1
        for each in self._idlers:
            await each.send(b"* %d EXISTS\r\n" % len(self.mails))

    async def tell(self, line: bytes) -> None:
        """Whoever idles is told *line*."""
        for each in self._idlers:
            await each.send(line)

    async def read(self, mailbox: Mailbox) -> None:
        """Have *mailbox* listen until it has done what there is to do, and waits."""
        async with listening(mailbox):
            await until(self.idles)

    def idles(self, folders: int = 1) -> bool:
        """Whether somebody waits for news, in so many folders."""
        return len(self._idlers) >= folders

    def commands(self, name: str) -> list[bytes]:
        return [each for each in self.heard if each.upper().startswith(name.encode())]

    async def _talk(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        greeting = self.says.get("GREETING", b"* OK far\r\n")
        await stream.send(greeting(b"") if callable(greeting) else greeting)
        while True:
            line = await lines.receive_until(b"\r\n", 65536)
            tag, _, command = line.partition(b" ")
            self.heard.append(command)
            name, _, arguments = command.partition(b" ")
            if name.upper() == b"UID":
                second, _, arguments = arguments.partition(b" ")
                name += b" " + second
            key = name.upper().decode()
            said = self.says.get(key)
            if said is not None:
                said = said(arguments) if callable(said) else said
            elif key == "IDLE":
                said = await self._idle(stream, lines)
            elif key == "AUTHENTICATE":
                await stream.send(b"+ \r\n")
                self.heard.append(await lines.receive_until(b"\r\n", 65536))
                said = b""
            else:
                said = self._answer(key, arguments)
            if b"TAG " not in said:
                said += b"TAG OK done\r\n"
            await stream.send(said.replace(b"TAG ", tag + b" "))

    async def _idle(self, stream: SocketStream, lines: BufferedByteReceiveStream) -> bytes:
        await stream.send(b"+ idling\r\n")
        self._idlers.append(stream)
        try:
            self.heard.append(await lines.receive_until(b"\r\n", 65536))
        finally:
            self._idlers.remove(stream)
        return b""

    def _answer(self, key: str, arguments: bytes) -> bytes:
        if key == "CAPABILITY":
            return b"* CAPABILITY " + self._offers + b"\r\n"
        if key in ("SELECT", "EXAMINE"):
            return b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n* OK [UIDNEXT %d] x\r\nTAG OK [READ-WRITE] x\r\n" % (
                len(self.mails),
                self.uidvalidity,
                self.next,
            )
        if key == "UID SEARCH":
            found = self._among(arguments)
            if b"UNDELETED" in arguments:
                found = [uid for uid in found if b"\\DELETED" not in self.flags.get(uid, ())]
            if small := re.search(rb"SMALLER (\d+)", arguments):
                found = [uid for uid in found if len(self.mails[uid]) < int(small[1])]
            return b"* SEARCH" + b"".join(b" %d" % uid for uid in found) + b"\r\n"
        if key == "UID FETCH":
            return b"".join(self._fetched(uid, arguments) for uid in self._among(arguments))
        if key == "UID STORE":
            for uid in self._among(arguments):
                self.flags.setdefault(uid, set()).update(re.findall(rb"[\\$][A-Z]+", arguments.upper()))
        if key in ("UID MOVE", "UID EXPUNGE"):
            for uid in self._among(arguments):
                self.mails.pop(uid, None)
        return b""

    def _fetched(self, uid: int, arguments: bytes) -> bytes:
        raw, items = self.mails[uid], b"UID %d" % uid
        if b"RFC822.SIZE" in arguments:
            items += b" RFC822.SIZE %d" % len(raw)
        if b"INTERNALDATE" in arguments:
            items += b' INTERNALDATE " 7-Feb-2026 21:52:25 -0800"'
        if b"BODY.PEEK[HEADER]" in arguments:
            header = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            items += b" BODY[HEADER]<0> {%d}\r\n" % len(header) + header
        elif b"BODY.PEEK[]" in arguments:
            items += b" BODY[] {%d}\r\n" % len(raw) + raw
        return b"* %d FETCH (%s)\r\n" % (uid, items)

    def _among(self, arguments: bytes) -> list[int]:
        found = re.search(rb"(?:^|UID )([0-9:,*]+)", arguments)
        last = max(self.mails, default=0)
        wanted: set[int] = set()
        for each in (found[1] if found else b"1:*").split(b","):
            ends = [last if end == b"*" else int(end) for end in each.split(b":")]
            wanted |= set(range(min(ends), max(ends) + 1))
        return [uid for uid in sorted(self.mails) if uid in wanted]
