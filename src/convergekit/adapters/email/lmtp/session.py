"""One conversation: commands in, answers out (RFC 2033, RFC 5321)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import anyio

from convergekit.errors import place_of

from ..arrival import Envelope
from .grammar import Path, RefusedError, Reply, parse_command, parse_path
from .recipients import Recipients
from .wire import TooLargeError, Wire

__all__ = ["Session", "Terms"]

_ERRORS: Final = 20  # commands that make no sense, after which it is better to part
_GREETING: Final = Reply(220, "", "localhost LMTP convergekit")
_TOO_LARGE: Final = Reply(552, "5.3.4", "Mail too large")
_LATER: Final = Reply(451, "4.3.0", "Cannot take it now, keep it")
_UNSUPPORTED: Final = frozenset({"AUTH", "BDAT", "BURL", "ETRN", "EXPN", "STARTTLS", "TURN"})
#: A browser that was made to speak with us: what it says next is not for us either.
_FOREIGN: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "HOST:", "OPTIONS", "PATCH", "POST", "PUT"})


class Terms(NamedTuple):
    """What is the same for all sessions.

    Args:
        recipients: Who there is.
        max_recipients: Of one mail.
        max_size: Of one mail, in octets.
        now: What time it is.
        take: Stores a mail; any exception means that it is not stored.
        large: Waited for before a large mail is read.
        log: Where trouble is told.
    """

    recipients: Recipients
    max_recipients: int
    max_size: int
    now: Callable[[], datetime]
    take: Callable[[bytes, Envelope], Awaitable[None]]
    large: anyio.Semaphore
    log: logging.Logger


@dataclass(slots=True)
class _Transaction:
    sender: str
    utf8: bool
    recipients: list[str] = field(default_factory=list)


class Session:
    """One conversation, from the greeting to the parting.

    Args:
        wire: The connection.
        terms: What is agreed.
    """

    def __init__(self, wire: Wire, terms: Terms) -> None:
        self._wire = wire
        self._terms = terms
        self._greeted = False
        self._transaction: _Transaction | None = None
        self._errors = 0
        self._over = False
        self._closing = False
        self._waiting: anyio.CancelScope | None = None

    async def run(self) -> None:
        """Talk until one side has had enough. Raises one of `GONE` where the other side is."""
        self._wire.say(_GREETING)
        try:
            while not self._over:
                await self._turn()
        except TimeoutError:
            self._wire.say(Reply(421, "4.4.2", "That took too long"))
        await self._wire.part()

    def close(self) -> None:
        """Part after the mail that is under way, or at once where there is none."""
        self._closing = True
        if self._waiting is not None and self._transaction is None:
            self._waiting.cancel()

    def _end(self, reply: Reply) -> None:
        self._wire.say(reply)
        self._over = True

    async def _turn(self) -> None:
        """One command."""
        if self._closing and self._transaction is None:
            self._end(Reply(421, "4.3.2", "Closing, come back later"))
            return
        try:
            line = await self._line()
            if line is None:
                return
            verb, argument = parse_command(line)
            if verb in _FOREIGN:
                self._end(Reply(421, "4.7.0", "This is LMTP"))
                return
            await self._command(verb)(self, argument)
        except RefusedError as refused:
            self._wire.say(refused.reply)
            self._errors += refused.reply.code in (500, 501, 502, 503, 555)
            if self._errors >= _ERRORS:
                self._end(Reply(421, "4.7.0", "Too many errors"))

    async def _line(self) -> bytes | None:
        """The next command; None when it was told to close meanwhile."""
        with anyio.CancelScope() as self._waiting:
            return await self._wire.line()
        return None

    def _command(self, verb: str) -> Callable[[Session, str], Awaitable[None]]:
        if verb in ("HELO", "EHLO"):
            raise RefusedError(500, "5.5.1", "This is LMTP, say LHLO")  # RFC 2033 §4.1
        if verb in _UNSUPPORTED:
            raise RefusedError(502, "5.5.1", "Not implemented")
        if verb not in _COMMANDS:
            raise RefusedError(500, "5.5.2", "Unknown command")
        return _COMMANDS[verb]

    # Commands

    async def _lhlo(self, argument: str) -> None:
        if not argument:
            raise RefusedError(501, "5.5.4", "Say LHLO and your name")
        self._greeted, self._transaction = True, None
        offers = ("PIPELINING", f"SIZE {self._terms.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
        self._wire.say(Reply(250, "", "\n".join(("localhost", *offers))))

    async def _mail(self, argument: str) -> None:
        if not self._greeted:
            raise RefusedError(503, "5.5.1", "Say LHLO first")
        if self._transaction is not None:
            raise RefusedError(503, "5.5.1", "One mail at a time")
        address, parameters = parse_path(argument, "FROM")
        _check(parameters)
        if int(parameters.get("SIZE", "0")) > self._terms.max_size:
            raise RefusedError(*_TOO_LARGE)
        if not address.isascii() and "SMTPUTF8" not in parameters:
            raise RefusedError(550, "5.6.7", "Say SMTPUTF8 for such an address")
        self._transaction = _Transaction(address, "SMTPUTF8" in parameters)
        self._wire.say(Reply(250, "2.1.0", "Sender taken"))

    async def _rcpt(self, argument: str) -> None:
        transaction = self._transaction
        if transaction is None:
            raise RefusedError(503, "5.5.1", "Say MAIL first")
        address = self._recipient(parse_path(argument, "TO"), utf8=transaction.utf8)
        if len(transaction.recipients) >= self._terms.max_recipients:
            raise RefusedError(452, "4.5.3", "Too many recipients")
        transaction.recipients.append(address)
        self._wire.say(Reply(250, "2.1.5", "Recipient taken"))

    def _recipient(self, path: Path, *, utf8: bool) -> str:
        if path.parameters:
            raise RefusedError(555, "5.5.4", "Parameter not implemented")
        if not path.address:
            raise RefusedError(501, "5.1.3", "Say to whom")
        if not path.address.isascii() and not utf8:
            raise RefusedError(553, "5.6.7", "Say SMTPUTF8 in MAIL for such an address")
        if path.address not in self._terms.recipients:
            raise RefusedError(550, "5.1.1", "Nobody of that name here")
        return path.address

    async def _data(self, argument: str) -> None:
        if argument:
            raise RefusedError(501, "5.5.4", "DATA stands alone")
        transaction = self._transaction
        if transaction is None or not transaction.recipients:  # RFC 2033 §4.2
            raise RefusedError(503, "5.5.1", "No recipients")
        self._wire.say(Reply(354, "", "End with CR LF . CR LF"))
        async with AsyncExitStack() as memory:
            reply = await self._received(transaction, memory)
        self._transaction = None
        # RFC 2033 §4.2: one answer for each recipient, in the order in which they were named.
        for _ in transaction.recipients:
            self._wire.say(reply)

    async def _received(self, transaction: _Transaction, memory: AsyncExitStack) -> Reply:
        try:
            raw = await self._wire.data(self._terms.max_size, lambda: memory.enter_async_context(self._terms.large))
        except TooLargeError as error:
            self._over = not error.ended
            return _TOO_LARGE
        envelope = Envelope(
            sender=transaction.sender,
            recipients=tuple(dict.fromkeys(transaction.recipients)),
            received_at=self._terms.now(),
            size=len(raw),
        )
        try:
            await self._terms.take(raw, envelope)
        except Exception as error:
            # Whatever it is, it is ours to mend, and the mail server keeps the mail until it is.
            self._terms.log.warning("a mail by LMTP is put off: %s at %s", type(error).__name__, place_of(error))
            return _LATER
        self._errors = 0
        return Reply(250, "2.0.0", "Taken")

    async def _rset(self, argument: str) -> None:
        self._transaction = None
        self._wire.say(Reply(250, "2.0.0", "Forgotten"))

    async def _noop(self, argument: str) -> None:
        self._wire.say(Reply(250, "2.0.0", "Still here"))

    async def _vrfy(self, argument: str) -> None:
        self._wire.say(Reply(252, "2.0.0", "Try it and see"))

    async def _help(self, argument: str) -> None:
        self._wire.say(Reply(214, "2.0.0", " ".join(_COMMANDS)))

    async def _quit(self, argument: str) -> None:
        self._end(Reply(221, "2.0.0", "Good-bye"))


_COMMANDS: Final[Mapping[str, Callable[[Session, str], Awaitable[None]]]] = {
    "LHLO": Session._lhlo,
    "MAIL": Session._mail,
    "RCPT": Session._rcpt,
    "DATA": Session._data,
    "RSET": Session._rset,
    "NOOP": Session._noop,
    "VRFY": Session._vrfy,
    "HELP": Session._help,
    "QUIT": Session._quit,
}


def _check(parameters: Mapping[str, str]) -> None:
    """Those of MAIL: RFC 1870 §4, RFC 6152 §2, RFC 6531 §3.4."""
    for name, value in parameters.items():
        match name:
            case "SIZE":
                good = value.isascii() and value.isdigit() and len(value) <= 20
            case "BODY":
                good = value.upper() in ("7BIT", "8BITMIME")
            case "SMTPUTF8":
                good = not value
            case _:
                raise RefusedError(555, "5.5.4", "Parameter not implemented")
        if not good:
            raise RefusedError(501, "5.5.4", f"{name} makes no sense")
