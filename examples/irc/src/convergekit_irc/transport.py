"""The connection: the only module that meets the network.

IRC acknowledges nothing. But a server works through the lines of one connection in order, and a PING is answered with
the token that it came with. So every line goes out with a PING behind it: what comes before the PONG was said about
this line, and with the PONG the server has read it. `Session.ask` is that, and everything here is made of it: sending,
joining, and seeing whether the other side still lives.

Traps met here:

- One exchange at a time. When a connection is lost, at most one line is in doubt.
- A caller may be cancelled between a line and its PONG. What the server said about it must not be taken for an answer
  to the next line: the PONG of an older token ends what belongs to it.
- A line is written whole or the connection is given up, or the next line would be glued to half of this one.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.abc import ByteStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from convergekit.abc import Clock
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    DeliveryError,
    NotSentError,
    UncertainError,
    UnsupportedContentError,
)

from .config import IrcConfig
from .inbox import Inbox, Received
from .wire import Line, command, read

__all__ = ["Session"]

_LONGEST: Final = 16_384  # RFC 2812 has 512, and IRCv3 tags 8191 more; who says more without a line break talks no IRC
_WRITING: Final = 10.0
_QUITTING: Final = 2.0
_WANTED: Final = frozenset({"message-tags", "server-time", "sasl"})
_GONE: Final = (OSError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)

#: Numerics that end a login: the account, or its settings, need a person.
_REFUSED: Final[Mapping[str, tuple[type[AccountError], str]]] = {
    **dict.fromkeys(("464", "902", "904", "905", "906"), (AuthenticationError, "the server refuses the password")),
    "432": (AccountError, "the server refuses the nickname: it is too long, or has characters that it does not take"),
    "463": (AccountError, "the server takes no connections from here"),
    "465": (AccountError, "the server has banned us"),
}
_TAKEN: Final = frozenset({"433", "436", "437"})
_SAID: Final = frozenset({"PRIVMSG", "NOTICE", "INVITE", "JOIN", "PART", "KICK", "QUIT"})
_NO_SASL: Final = "the server has no SASL, and the setting `account` asks for it"


@dataclass(eq=False, slots=True)
class _Exchange:
    """A line that went out, and what the server has said about it so far."""

    token: str
    answers: list[Line] = field(default_factory=list)
    confirmed: bool = False
    over: anyio.Event = field(default_factory=anyio.Event)


class Session:
    """One connection, from the login to its loss.

    Args:
        config: The account.
        clock: Time.
        inbox: Where goes what is said to us.

    Attributes:
        id: Of this connection, and of no other.
        nick: What we are called now.
        source: As whom the server passes our lines on, "nick!user@host"; "" until it has told us.
        lost: Why the connection is no more, or None while it is there.
    """

    def __init__(self, config: IrcConfig, clock: Clock, inbox: Inbox) -> None:
        self.nick = config.nick
        self.source = ""
        self.lost: str | None = None
        self._config, self._clock, self._inbox = config, clock, inbox
        self.id, self._numbers = uuid4().hex, count(1)
        self._stream: ByteStream | None = None
        self._lines: BufferedByteReceiveStream
        self._has_account = False
        self._turn, self._pen = anyio.Lock(), anyio.Lock()
        self._exchange: _Exchange | None = None
        self._over = anyio.Event()

    # [run]
    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Connect, log in, say so, and serve until the connection is lost.

        Raises:
            NotSentError: There is no connection, or no welcome.
            AccountError: We are not let in.
        """
        async with self._connected():
            await self._within(self._log_in, "the server did not welcome us")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read)
                tasks.start_soon(self._look)
                task_status.started()
                try:
                    await self._over.wait()
                finally:
                    await self._quit()
                tasks.cancel_scope.cancel()

    # [run end]

    # [ask]
    async def ask(self, line: bytes = b"", started: Callable[[], None] = lambda: None) -> Sequence[Line]:
        """Say *line*, and return what the server says about it: numeric replies, once it has read it.

        Raises:
            NotSentError: The connection was lost before anything was written.
            UncertainError: It was lost after that, or there was no answer in time.
        """
        async with self._turn:
            if self.lost is not None:
                raise NotSentError(self.lost)
            self._exchange = exchange = _Exchange(f"{self.id}-{next(self._numbers)}")
            started()
            await self._write(line + command("PING", exchange.token))
            if not await within(self._clock, self._config.timeout, exchange.over.wait):
                self.lose(f"the server did not answer within {self._config.timeout:g} s")
            if not exchange.confirmed:
                raise UncertainError(f"{self.lost}; whether it had read the line is not known")
            return exchange.answers

    # [ask end]

    # The connection

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[None]:
        host, port = self._config.where
        try:
            await self._within(self._connect, f"{host}:{port} did not answer")
            yield
        finally:
            self.lose("the connection was closed")
            if self._stream is not None:
                await anyio.aclose_forcefully(self._stream)

    async def _connect(self) -> None:
        host, port = self._config.where
        try:
            if not self._config.tls:
                self._stream = await anyio.connect_tcp(host, port)
            else:
                # In a thread, for it reads the authorities from the disk.
                trust = await anyio.to_thread.run_sync(_trusting, self._config)
                self._stream = await anyio.connect_tcp(
                    host, port, ssl_context=trust, tls_hostname=host, tls_standard_compatible=False
                )
        except ssl.SSLCertVerificationError as exc:
            raise NotSentError(f"the certificate of {host}:{port} is not to be trusted: {exc.verify_message}") from exc
        except _GONE as exc:
            raise NotSentError(f"cannot connect to {host}:{port} ({type(exc).__name__})") from exc
        self._lines = BufferedByteReceiveStream(self._stream)

    async def _within(self, work: Callable[[], Awaitable[None]], otherwise: str) -> None:
        if not await within(self._clock, self._config.timeout, work):
            raise NotSentError(f"{otherwise} within {self._config.timeout:g} s")

    async def _next(self) -> Line:
        return read((await self._lines.receive_until(b"\n", _LONGEST)).removesuffix(b"\r"))

    async def _write(self, lines: bytes) -> None:
        """Write whole lines; a cancellation waits for that, but not for long."""
        async with self._pen:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _WRITING) as scope:
                try:
                    if self._stream is not None:
                        await self._stream.send(lines)
                except _GONE:
                    self.lose("the connection was lost")
            if scope.cancelled_caught:
                self.lose(f"the server read nothing for {_WRITING:g} s")

    async def _pong(self, token: str) -> None:
        with suppress(UnsupportedContentError):  # a token that nobody can say
            await self._write(command("PONG", token))

    def lose(self, why: str) -> None:
        """The connection is no more; whoever waits for it learns why."""
        if self.lost is None:
            self.lost = why
        self._over.set()
        if self._exchange is not None:
            self._exchange.over.set()
        self._inbox.wake()

    async def _quit(self) -> None:
        if self.lost is None:
            with anyio.move_on_after(_QUITTING, shield=True):
                await self._write(command("QUIT", "closing"))

    # The login

    # [login]
    async def _log_in(self) -> None:
        """RFC 2812 §3.1, and where the server has it, IRCv3 capabilities and SASL."""
        config = self._config
        try:
            await self._write(command("CAP", "LS", "302"))
            if config.password is not None and config.account is None:
                await self._write(command("PASS", config.password.get_secret_value()))
            await self._write(command("NICK", self.nick))
            await self._write(command("USER", config.username, "0", "*", config.realname))
            offered: set[str] = set()
            while (line := await self._next()).command != "001":
                await self._on_login(line, offered)
        except (*_GONE, anyio.DelimiterNotFound) as exc:
            raise NotSentError("the server closed the connection during the login") from exc
        if config.account is not None and not self._has_account:
            raise AuthenticationError(_NO_SASL)
        self.nick, *_, welcome = line.params or (self.nick, "")
        self._learn_source(welcome.rpartition(" ")[2])

    # [login end]

    async def _on_login(self, line: Line, offered: set[str]) -> None:
        match line.command, line.params:
            case "PING", (token, *_):
                await self._pong(token)
            case "CAP", (_, "LS", *more, capabilities):
                offered |= {each.partition("=")[0] for each in capabilities.split()}
                if not more:  # else the list goes on
                    await self._request(offered & _WANTED)
            case "CAP", (_, "ACK", capabilities):
                await self._write(command("AUTHENTICATE", "PLAIN") if self._has_sasl(capabilities) else _END)
            case "CAP", (_, "NAK", _):
                await self._request(frozenset())
            case "AUTHENTICATE", ("+",):
                await self._write(command("AUTHENTICATE", _sasl_plain(self._config)))
            case "903", _:
                self._has_account = True
                await self._write(_END)
            case code, _ if code in _TAKEN:
                await self._take_another_nick()
            case code, _ if code in _REFUSED:
                kind, words = _REFUSED[code]
                raise kind(words, code=code)
            case "ERROR", (*_, text):
                raise _sent_away(text)

    async def _request(self, capabilities: frozenset[str] | set[str]) -> None:
        if self._config.account is None:
            capabilities = capabilities - {"sasl"}
        elif "sasl" not in capabilities:
            raise AuthenticationError(_NO_SASL)
        await self._write(command("CAP", "REQ", " ".join(sorted(capabilities))) if capabilities else _END)

    def _has_sasl(self, capabilities: str) -> bool:
        return self._config.account is not None and "sasl" in capabilities.split()

    async def _take_another_nick(self) -> None:
        """Whoever has ours may be ourselves, on a connection that the server has not given up yet."""
        if len(self.nick) >= len(self._config.nick) + 3:
            raise NotSentError(f"the nickname {self._config.nick} is taken, and so are those with underscores")
        self.nick += "_"
        await self._write(command("NICK", self.nick))

    def _learn_source(self, source: str) -> None:
        if source.startswith(f"{self.nick}!"):
            self.source = source

    # Afterwards

    # [read]
    async def _read(self) -> None:
        """Take in what comes, until nothing comes any more."""
        try:
            while self.lost is None:
                await self._on(await self._next())
        except anyio.DelimiterNotFound:
            self.lose("what the server says is no IRC")
        except _GONE:
            self.lose("the connection was lost")

    async def _on(self, line: Line) -> None:
        if line.nick:
            await self._on_person(line)
            return
        match line.command:
            case "PING":
                await self._pong(line.params[0] if line.params else "")
            case "PONG":
                self._confirm(line.params[-1] if line.params else "")
            case "ERROR":
                self.lose("the server closed the connection")
            case code if code.isdigit() and self._exchange is not None:
                self._exchange.answers.append(line)
            case "" if line.raw.strip():  # it may have been a message, and is kept as it came
                await self._hear(line)

    async def _on_person(self, line: Line) -> None:
        if line.nick == self.nick and line.command == "NICK" and line.params:
            self.nick = line.params[0]
            self._learn_source(f"{self.nick}!{line.source.partition('!')[2]}")
        elif line.nick == self.nick:
            self._learn_source(line.source)
        elif line.command in _SAID:
            await self._hear(line)

    async def _hear(self, line: Line) -> None:
        await self._inbox.put(Received(line, f"{self.id}-{next(self._numbers)}", self.nick))

    def _confirm(self, token: str) -> None:
        """The server has read everything up to the PING with *token*."""
        exchange = self._exchange
        if exchange is None:
            return
        if token == exchange.token:
            exchange.confirmed, self._exchange = True, None
            exchange.over.set()
        elif token.startswith(self.id):
            exchange.answers.clear()  # they were for whoever was cancelled before us

    # [read end]

    # [look]
    async def _look(self) -> None:
        """Now and then, see whether the server lives; and get our own nickname back."""
        while True:
            await self._clock.sleep(self._config.ping_interval)
            try:
                await self.ask(command("NICK", self._config.nick) if self.nick != self._config.nick else b"")
            except DeliveryError:
                return  # it is lost, and everybody knows

    # [look end]


_END: Final = command("CAP", "END")


async def within(clock: Clock, seconds: float, work: Callable[[], Awaitable[object]]) -> bool:
    """Await *work* for at most *seconds* of *clock*; tells whether it came to its end. Its errors come out bare."""
    trouble: Exception | None = None
    ended = False
    async with anyio.create_task_group() as tasks:

        async def alarm() -> None:
            await clock.sleep(seconds)
            tasks.cancel_scope.cancel()

        tasks.start_soon(alarm)
        try:
            await work()
            ended = True
        except Exception as error:
            trouble = error
        tasks.cancel_scope.cancel()
    if trouble is not None:
        raise trouble
    return ended


def _trusting(config: IrcConfig) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if config.ca_file is None else str(config.ca_file))


def _sasl_plain(config: IrcConfig) -> str:
    """RFC 4616 §2, in base64."""
    password = "" if config.password is None else config.password.get_secret_value()
    return base64.b64encode(f"\0{config.account}\0{password}".encode()).decode("ascii")


def _sent_away(text: str) -> DeliveryError:
    # QUIRK(ngircd): a wrong password is told by "ERROR :Access denied: Bad password?", without a numeric.
    if "access denied" in text.lower() or "password" in text.lower():
        return AuthenticationError("the server refuses us: is the password right?", code="ERROR")
    return NotSentError("the server closed the connection during the login", code="ERROR")
