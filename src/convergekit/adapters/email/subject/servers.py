"""A submission server and a mailbox on loopback, as far as the contract needs them to play the far side.

What they say is what aiosmtplib and IMAPClient understand; how real ones behave is what the tests with Postfix and
Dovecot are for.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.testing.adapter import Fault, LoopbackServer

__all__ = ["MailboxServer", "SubmissionServer"]

_LINE: Final = 65_536
_MAIL: Final = 64 * 1024 * 1024
_DOT: Final = b"\r\n.\r\n"

#: At which command a server refuses, and how.
_REFUSALS: Final = {
    Fault.ACCOUNT: (b"MAIL", b"530 5.7.0 Authentication required"),
    Fault.REFUSED: (b"RCPT", b"550 5.1.1 No such user here"),
    Fault.THROTTLED_UNSAID: (b"RCPT", b"450 4.7.1 Rate limit exceeded, come back later"),
    Fault.SERVER_ERROR: (_DOT, b"451 4.3.0 Something is broken here"),
    Fault.NONSENSE: (_DOT, b"<html>"),
    Fault.EMPTY: (_DOT, b""),
}


class SubmissionServer:
    """Takes mail (RFC 5321), and does what it is told with the next one.

    Attributes:
        received: The mails that came to their end, as they came.
        refuses_login: Whether credentials are refused.
    """

    def __init__(self) -> None:
        self.server = LoopbackServer(self._talk)
        self.received: list[bytes] = []
        self.refuses_login = False
        self._faults: deque[Fault] = deque()

    def fault(self, fault: Fault) -> bool:
        """Do *fault* with the next mail; tells whether SMTP has a way to say it."""
        if fault is Fault.UNREACHABLE:
            self.server.go_away()
            self.server.drop()
        elif fault in _REFUSALS or fault in (Fault.ANSWER_LOST, Fault.RESET, Fault.SILENT):
            self._faults.append(fault)
        else:
            return False
        return True

    async def _talk(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        await stream.send(b"220 far.example ESMTP\r\n")
        said: list[bytes] = []  # of this transaction, as far as it was taken
        while True:
            line = await lines.receive_until(b"\r\n", _LINE)
            verb = line[:4].upper()
            if (before := _BEFORE.get(verb)) is not None and said[-1:] != [before]:
                await stream.send(b"503 5.5.1 Error: need %s\r\n" % before)
            elif (refused := self._refusal(verb)) is not None:
                await stream.send(refused)
            elif verb == b"AUTH":
                await self._log_in(stream, lines, line)
            elif verb == b"DATA":
                said.clear()
                if await self._take(stream, lines):
                    return
            else:
                said = [verb] if verb in (b"MAIL", b"EHLO", b"RSET") else [*said, verb]
                await stream.send(_ANSWERS.get(verb, b"250 2.0.0 Ok\r\n"))
                if verb == b"QUIT":
                    return

    async def _log_in(self, stream: SocketStream, lines: BufferedByteReceiveStream, line: bytes) -> None:
        if len(line.split()) < 3:
            await stream.send(b"334 \r\n")
            await lines.receive_until(b"\r\n", _LINE)
        refused = b"535 5.7.8 Error: authentication failed\r\n"
        await stream.send(refused if self.refuses_login else b"235 2.7.0 Authentication successful\r\n")

    async def _take(self, stream: SocketStream, lines: BufferedByteReceiveStream) -> bool:
        """One mail; tells whether the connection is to be closed."""
        await stream.send(b"354 End data with <CR><LF>.<CR><LF>\r\n")
        content = await lines.receive_until(_DOT, _MAIL)
        self.received.append(re.sub(rb"(?m)^\.", b"", content) + b"\r\n")
        if refused := self._refusal(_DOT):
            await stream.send(refused)
            return False
        match self._faults.popleft() if self._faults else None:
            case Fault.ANSWER_LOST:
                return True
            case Fault.RESET:
                await self.server.reset(stream)
                return True
            case Fault.SILENT:
                await anyio.sleep_forever()
        await stream.send(b"250 2.0.0 Ok: queued as %08X\r\n" % len(self.received))
        return False

    def _refusal(self, place: bytes) -> bytes | None:
        if self._faults and _REFUSALS.get(self._faults[0], (b"",))[0] == place:
            return _REFUSALS[self._faults.popleft()][1] + b"\r\n"
        return None


#: What has to be taken before (RFC 5321 §4.1.4).
_BEFORE: Final = {b"RCPT": b"MAIL", b"DATA": b"RCPT"}
_ANSWERS: Final = {
    b"EHLO": b"250-far.example\r\n250-PIPELINING\r\n250-SIZE 67108864\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
    b"250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


@dataclass(slots=True)
class _Mail:
    uid: int
    content: bytes
    flags: set[bytes] = field(default_factory=lambda: {rb"\Recent"})


class MailboxServer:
    """One folder, as IMAP shows it (RFC 3501), with IDLE (RFC 2177).

    Attributes:
        refuses_login: Whether credentials are refused.
    """

    def __init__(self) -> None:
        self.server = LoopbackServer(self._talk)
        self.refuses_login = False
        self._mails: list[_Mail] = []
        self._news = anyio.Event()

    def deliver(self, content: bytes) -> None:
        """Put a mail into the folder."""
        self._mails.append(_Mail(len(self._mails) + 1, content))
        self._news.set()
        self._news = anyio.Event()

    @property
    def seen(self) -> int:
        """How many are marked as seen."""
        return sum(rb"\SEEN" in each.flags for each in self._mails)

    async def _talk(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        said = _Said(stream, lines)
        await stream.send(b"* OK [CAPABILITY IMAP4rev1 IDLE UIDPLUS AUTH=PLAIN] far.example\r\n")
        while True:
            tag, _, rest = (await lines.receive_until(b"\r\n", _LINE)).partition(b" ")
            name, _, arguments = rest.partition(b" ")
            name = name.upper()
            if name == b"UID":
                name, _, arguments = arguments.partition(b" ")
                name = b"UID " + name.upper()
            command, said.arguments = self._commands.get(name), arguments
            answer = b"OK done" if command is None else await command(self, said)
            await stream.send(tag + b" " + answer + b"\r\n")
            if name == b"LOGOUT":
                return

    async def _log_in(self, said: _Said) -> bytes:
        if self.refuses_login:
            return b"NO [AUTHENTICATIONFAILED] Authentication failed."
        return b"OK [CAPABILITY IMAP4rev1 IDLE UIDPLUS] Logged in"

    async def _capability(self, said: _Said) -> bytes:
        await said.tell(b"CAPABILITY IMAP4rev1 IDLE UIDPLUS AUTH=PLAIN")
        return b"OK done"

    async def _select(self, said: _Said) -> bytes:
        await said.tell(rb"FLAGS (\Answered \Flagged \Deleted \Seen \Draft)")
        await self._exists(said)
        await said.tell(b"0 RECENT")
        await said.tell(b"OK [UIDVALIDITY 1] UIDs valid")
        await said.tell(b"OK [UIDNEXT %d] Predicted next UID" % (len(self._mails) + 1))
        return b"OK [READ-WRITE] done"

    async def _search(self, said: _Said) -> bytes:
        found = self._among(said.arguments)
        if b"UNSEEN" in said.arguments.upper():
            found = [each for each in found if rb"\SEEN" not in each.flags]
        await said.tell(b" ".join([b"SEARCH", *(b"%d" % each.uid for each in found)]))
        return b"OK done"

    async def _fetch(self, said: _Said) -> bytes:
        for each in self._among(said.arguments):
            items = [b"UID %d" % each.uid]
            asked = said.arguments.upper()
            if b"RFC822.SIZE" in asked:
                items.append(b"RFC822.SIZE %d" % len(each.content))
            if b"FLAGS" in asked:
                items.append(b"FLAGS (%s)" % b" ".join(each.flags))
            if b"INTERNALDATE" in asked:
                items.append(b'INTERNALDATE "01-Jan-2026 00:00:00 +0000"')
            for name, content in (
                (b"HEADER", each.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"),
                (b"", each.content),
            ):
                if b"BODY.PEEK[" + name + b"]" in asked:
                    items.append(b"BODY[%s] {%d}\r\n%s" % (name, len(content), content))
            await said.tell(b"%d FETCH (%s)" % (each.uid, b" ".join(items)))
        return b"OK done"

    async def _store(self, said: _Said) -> bytes:
        for each in self._among(said.arguments):
            each.flags |= set(re.findall(rb"[\\$][A-Z]+", said.arguments.upper()))
        return b"OK done"

    async def _idle(self, said: _Said) -> bytes:
        await said.stream.send(b"+ idling\r\n")
        async with anyio.create_task_group() as tasks:

            async def tell() -> None:
                while True:
                    news = self._news
                    if len(self._mails) > said.known:
                        await self._exists(said)
                    await news.wait()

            tasks.start_soon(tell)
            await said.lines.receive_until(b"\r\n", _LINE)
            tasks.cancel_scope.cancel()
        return b"OK done"

    async def _exists(self, said: _Said) -> None:
        said.known = len(self._mails)
        await said.tell(b"%d EXISTS" % said.known)

    def _among(self, arguments: bytes) -> list[_Mail]:
        """Those of a set of UIDs (RFC 3501 §9 sequence-set), which stands first or behind "UID"."""
        found = re.search(rb"(?:^|UID )([0-9:,*]+)", arguments)
        last = self._mails[-1].uid if self._mails else 0
        wanted: set[int] = set()
        for each in (found[1] if found else b"1:*").split(b","):
            ends = [last if end == b"*" else int(end) for end in each.split(b":")]
            wanted |= set(range(min(ends), max(ends) + 1))
        return [each for each in self._mails if each.uid in wanted]

    _commands: Final[dict[bytes, Callable[[MailboxServer, _Said], Awaitable[bytes]]]] = {
        b"LOGIN": _log_in,
        b"AUTHENTICATE": _log_in,
        b"CAPABILITY": _capability,
        b"SELECT": _select,
        b"UID SEARCH": _search,
        b"UID FETCH": _fetch,
        b"UID STORE": _store,
        b"IDLE": _idle,
    }


@dataclass(slots=True)
class _Said:
    """What one connection says: its last command, and how many mails it knows of."""

    stream: SocketStream
    lines: BufferedByteReceiveStream
    arguments: bytes = b""
    known: int = 0

    async def tell(self, line: bytes) -> None:
        """Say something that is not the end of the answer."""
        await self.stream.send(b"* " + line + b"\r\n")
