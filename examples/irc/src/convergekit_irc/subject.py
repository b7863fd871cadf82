"""The far side of IRC, for the contract and for `convergekit verify irc`: a server with one client, which is us.

It knows as much of IRC as is needed to play every way in which one can fail. What a real server does is not asked here:
that is what the tests against one are for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.model import Address, ConversationKind, ConversationRef, CustomReceived, MessageReceived
from convergekit.testing.adapter import Cannot, Fault, LoopbackServer, Sample, Subject

from .adapter import IrcAdapter
from .wire import Line, read

__all__ = ["IrcSubject"]

_ROOM: Final = ConversationRef(address="irc:#room", kind=ConversationKind.GROUP)
_LINES: Final[Mapping[Fault, Sequence[bytes]]] = {
    Fault.REFUSED: [b":irc.test 404 bot ann :Cannot send to nick"],
    Fault.THROTTLED_UNSAID: [b":irc.test 263 bot PRIVMSG :Please wait a while and try again"],
    Fault.SERVER_ERROR: [b"ERROR :Closing link: out of memory"],
    Fault.ERROR_PAGE: [b"<html><title>502 Bad Gateway</title>", b"</html>"],
    Fault.NONSENSE: [b":\xff\xfe \0\1 :", b":irc.test PONG", b"@;;= : 404"],
    Fault.EMPTY: [b"", b":irc.test", b":irc.test PONG irc.test :"],
}
_NONSENSE: Final = (
    b":",
    b"@ :",
    b":ann!a@h",
    b":ann!a@h PRIVMSG",
    b":ann!a@h PRIVMSG bot",
    b":ann!a@h PRIVMSG bot :\0",
    b":\xe2\x80\xae!a@h PRIVMSG bot :reversed",
    b"@time=never :ann!a@h PRIVMSG bot :hi",
)


# [subject]
class IrcSubject(Subject):
    """A server that fails on demand."""

    adapter = IrcAdapter
    to = "irc:ann"
    senders = ("irc:ann", "irc:bob")
    native: Mapping[str, Any] | None = {"notice": True}
    samples = (
        Sample(
            "what Ann says in a room",
            ":Ann!~ann@host PRIVMSG #room :grüß dich \2sehr\2".encode(),
            [MessageReceived(sender="irc:ann", conversation=_ROOM, text="grüß dich sehr", automated=False)],
        ),
        Sample(
            "an action, in the words that other chats have for it",
            b":ann!~ann@host PRIVMSG bot :\1ACTION waves\1",
            [MessageReceived(sender="irc:ann", conversation=ConversationRef(address="irc:ann"), text="/me waves")],
        ),
        Sample(
            "what a program says",
            b":bob!~bob@host NOTICE bot :beep",
            [MessageReceived(sender="irc:bob", text="beep", automated=True)],
        ),
        Sample(
            "a client's question",
            b":ann!~ann@host PRIVMSG bot :\1VERSION\1",
            [CustomReceived(name="irc.ctcp.version", sender=Address("irc:ann"), data="")],
        ),
    )

    def __init__(self) -> None:
        self.settings = {"host": "127.0.0.1", "nick": "bot", "tls": False, "password": "sesame"}
        self._server = LoopbackServer(self._talk)
        self._said: list[bytes] = []
        self._fault: Fault | None = None
        self._refuses_login = False
        self._client: SocketStream | None = None
        self._came = anyio.Event()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Serve on a port of its own."""
        async with self._server.serving():
            self.settings = {**self.settings, "port": self._server.port}
            self.dsn = f"irc://bot:sesame@127.0.0.1:{self._server.port}"
            yield

    # [subject end]

    def fault(self, fault: Fault) -> None:
        """Until the next message has met it."""
        if fault in (Fault.THROTTLED, Fault.THROTTLED_DATE):
            raise Cannot("a server of IRC does not say how long to wait")
        if fault is not Fault.UNREACHABLE:
            self._fault = fault
        elif self._client is None:
            self._server.go_away()
        if fault in (Fault.ACCOUNT, Fault.UNREACHABLE):  # they are met at the door
            self._server.drop()

    def attempted(self) -> None:
        """Nobody is kept out for longer than that."""
        self._server.come_back()

    def received(self) -> Sequence[bytes]:
        """Lines in which something was said."""
        return self._said

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        """As a server with message tags has it."""
        return f"@msgid={id} :{sender.removeprefix('irc:')}!~user@host PRIVMSG bot :{text}".encode()

    def nonsense(self) -> Sequence[bytes]:
        """Lines that may have been a message."""
        return _NONSENSE

    async def push(self, said: Any) -> None:
        """Say it to our client, once it is there."""
        while self._client is None:
            await self._came.wait()
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._client.send(said + b"\r\n")

    async def drop(self) -> None:
        """End the connection without a word."""
        self._server.drop()

    def refuse_login(self) -> None:
        """From now on the password is wrong."""
        self._refuses_login = True

    # The server

    async def _talk(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        try:
            while await self._answer(read(await lines.receive_until(b"\r\n", 4096)), stream):
                pass
        finally:
            if self._client is stream:
                self._client = None

    async def _answer(self, line: Line, stream: SocketStream) -> bool:
        """Answer one line; tells whether to go on."""
        match line.command, line.params:
            case "USER", _:
                return await self._welcome(stream)
            case "PING", (token, *_):
                await stream.send(f":irc.test PONG irc.test :{token}\r\n".encode())
            case "PRIVMSG" | "NOTICE", _:
                self._said.append(line.raw)
                fault, self._fault = self._fault, None
                if fault is not None:
                    return await self._fail(fault, stream)
        return True

    async def _welcome(self, stream: SocketStream) -> bool:
        if self._refuses_login or self._fault is Fault.ACCOUNT:
            self._fault = None
            await stream.send(b":irc.test 464 bot :Password incorrect\r\n")
            return False
        await stream.send(b":irc.test 001 bot :Welcome bot!~bot@host\r\n")
        self._client, came, self._came = stream, self._came, anyio.Event()
        came.set()
        return True

    # [fail]
    async def _fail(self, fault: Fault, stream: SocketStream) -> bool:
        """Where there are words for it, say them; only after a refusal the server lives on."""
        if fault is Fault.SILENT:
            await anyio.sleep_forever()
        if fault is Fault.RESET:
            await self._server.reset(stream)
        else:
            await stream.send(b"".join(line + b"\r\n" for line in _LINES.get(fault, ())))
        return fault in (Fault.REFUSED, Fault.THROTTLED_UNSAID)

    # [fail end]
