"""One connection that is logged in, and the transactions on it, one after the other.

It takes the transport over from aiosmtplib, whose own transactions take several times as long and do not tell whether
the end of the data had left.

Rules kept here:

- A connection lives on only after replies that are complete and in order. A transaction that is cancelled, runs out of
  time, or gets an answer that was not asked for ends its connection at once: nobody could tell which mail the next
  answer is about.
- Where PIPELINING is offered, MAIL, RCPT and DATA leave in one write. All of them are answered then, and the first one
  that is refused decides (RFC 2920 §3.1).
- Nothing is taken before the end of the data has left. `started` is called in the same step of the loop as that write.
- After a refusal there is half a transaction on the connection; RSET goes ahead of the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from convergekit.errors import DeliveryError

from .envelope import SmtpEnvelope, commands, in_lines, stuffed
from .extensions import Extensions
from .replies import Accepted, MalformedReply, Reply, ReplyReader, Step, broken_at, error_for

__all__ = ["Content", "Session"]

#: The mail, or what makes it for a server that offers these extensions.
Content: TypeAlias = bytes | Callable[[Extensions], bytes | Awaitable[bytes]]

#: Octets in one write; behind each of them the server may have said that it does not want the rest.
_PIECE: Final = 65_536
#: RFC 5321 §4.5.3.2.6: 10 minutes for the answer to the end of the data. Whoever gives up earlier does not know, and a
#: server that takes its time here has mostly taken the mail.
_END_TIMEOUT: Final = 600.0
#: Seconds for the answer to QUIT.
_QUIT_TIMEOUT: Final = 2.0
_CLOSING: Final = 421  # RFC 5321 §3.8: the server closes the connection
_FIRST: Final = (Step.RSET, Step.MAIL)


class Session(asyncio.Protocol):
    """One connection.

    Args:
        transport: Connected, and logged in where that is wanted; nobody else uses it from now on.
        extensions: What the server offers.
        timeout: Seconds for each answer but that to the end of the data.
        pipelining: Whether to use it where it is offered.

    Attributes:
        extensions: As above.
        ended: Is done when the connection has ended.
        transactions: How many were begun.
        opened_at: When it was, by the pool's clock.
        idle_since: Since when it has waited for the next mail; None before its first one.
        is_stale: Whether the last transaction found the server gone, or about to go (421), before it had begun.
    """

    def __init__(
        self, transport: asyncio.Transport, extensions: Extensions, *, timeout: float, pipelining: bool = True
    ) -> None:
        self.extensions = extensions
        self.transactions = 0
        self.opened_at = 0.0
        self.idle_since: float | None = None
        self.is_stale = False
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._transport, self._timeout = transport, timeout
        self._pipelining = pipelining and extensions.pipelining
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[bool] | None = None
        self._why = "the connection ended"
        self._is_idle = self._is_writable = True
        self._has_half = False
        transport.set_protocol(self)
        if transport.is_closing():  # the protocol before us was told
            self.connection_lost(None)

    # What the transport tells

    def data_received(self, data: bytes) -> None:
        """Take in replies. What is no reply, and what nobody has asked for, ends the connection."""
        try:
            self._replies += self._reader.feed(data)
        except MalformedReply:
            self._why = "what the server said is no reply"
            self.abort()
        if self._is_idle:
            self.abort()
        if self._replies:
            self._wake()

    def eof_received(self) -> None:
        """Nothing more will come, so that there is nothing more to say."""
        self.abort()

    def pause_writing(self) -> None:
        """The server is slower than we are."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_writable = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if not self.ended.done():
            self.ended.set_result(None)
        self._wake()

    # What the pool does

    @property
    def is_usable(self) -> bool:
        """Whether another transaction may begin."""
        return not self._transport.is_closing()

    @property
    def encryption(self) -> str | None:
        """The version of TLS, or None for a connection in the clear."""
        tls = self._transport.get_extra_info("ssl_object")
        return None if tls is None else str(tls.version())

    def abort(self) -> None:
        """End the connection now, without a word."""
        self._transport.abort()

    def quit(self) -> None:
        """End the connection in good order, which takes a moment; `ended` tells when."""
        if not self.is_usable:
            return
        self._transport.write(b"QUIT\r\n")
        self._is_idle = True  # so that the answer, whatever it is, ends the connection
        timer = self._loop.call_later(_QUIT_TIMEOUT, self.abort)
        self.ended.add_done_callback(lambda _: timer.cancel())

    async def is_alive(self) -> bool:
        """Ask the server, which has not been heard of for a while. A connection that is not alive ends."""
        self._is_idle = False
        try:
            await self._prepare({Step.RSET: b"RSET\r\n"})
        except DeliveryError:
            self.abort()
            return False
        except BaseException:
            self.abort()
            raise
        self._is_idle, self._has_half = True, False
        return True

    async def transact(self, envelope: SmtpEnvelope, content: Content, started: Callable[[], None]) -> Accepted:
        """Hand one mail to the server, for one recipient.

        Args:
            envelope: Has passed `refuse_unsafe`.
            content: The mail.
            started: Called just before the end of the data leaves, and never where the mail is refused before that.

        Raises:
            NotSentError: The server said that it does not take it now, or something broke before it could have.
            RejectedError: It is refused for good.
            AccountError: The account is.
            UncertainError: Something broke when the server may have had it.
        """
        self.is_stale = False
        data = in_lines(await _made(content, self.extensions))
        mail, rcpt = commands(envelope, self.extensions, data)
        self.transactions += 1
        self._is_idle = False
        try:
            step, reply = await self._exchange(mail, rcpt, stuffed(data), started)
        except BaseException:
            self.abort()
            raise
        self._is_idle, self._has_half = True, step is not Step.END
        is_taken = step is Step.END and reply.digit == 2
        has_more = bool(self._replies) or self._reader.is_amid
        if has_more or reply.code == _CLOSING or step is Step.CONTENT or not (is_taken or reply.digit > 3):
            self.abort()
        if is_taken:
            return Accepted.by(reply)
        self.is_stale = reply.code == _CLOSING and step is Step.MAIL
        raise error_for(step, reply)

    # One transaction. What is raised in here leaves the connection out of step.

    async def _exchange(self, mail: bytes, rcpt: bytes, data: bytes, started: Callable[[], None]) -> tuple[Step, Reply]:
        """The answer that decides, and to what it is one."""
        lines = {Step.MAIL: mail, Step.RCPT: rcpt, Step.DATA: b"DATA\r\n"}
        refused = await self._prepare({Step.RSET: b"RSET\r\n", **lines} if self._has_half else lines)
        if refused is not None:
            return refused
        last = max(0, len(data) - 1) // _PIECE * _PIECE
        for start in range(0, last, _PIECE):
            self._transport.write(memoryview(data)[start : start + _PIECE])
            while not (self._is_writable or self._replies):
                await self._news(Step.CONTENT, self._timeout)
            if self._replies:
                break
        if self._replies:
            return Step.CONTENT, self._replies.popleft()
        if not self.is_usable:
            raise broken_at(Step.CONTENT, self._why)
        started()
        self._transport.write(data[last:] + b".\r\n")
        return Step.END, await self._answer(Step.END, _END_TIMEOUT)

    async def _prepare(self, lines: Mapping[Step, bytes]) -> tuple[Step, Reply] | None:
        """Say *lines*; the first answer that refuses one, or None where the server waits for what comes next."""
        refused: tuple[Step, Reply] | None = None
        if self._pipelining:
            self._transport.write(b"".join(lines.values()))
        for step, line in lines.items():
            if not self._pipelining:
                self._transport.write(line)
            try:
                reply = await self._answer(step, self._timeout)
                if step is Step.DATA and reply.digit == 3 and refused is not None:
                    await self._end_nothing(refused[0])
            except DeliveryError:
                if refused is None:
                    raise
                self.abort()  # and what was refused is refused
                break
            if reply.digit != (3 if step is Step.DATA else 2):
                if step is Step.RSET:
                    self.is_stale = True
                    raise broken_at(step, "the server did not forget the mail before this one")
                refused = refused or (step, reply)
                if reply.code == _CLOSING:
                    self.abort()
                if reply.code == _CLOSING or not self._pipelining:
                    break
        return refused

    async def _end_nothing(self, refused: Step) -> None:
        """RFC 2920 §3.1: where DATA was taken though nobody is there to get it, only its end is sent."""
        if refused is not Step.RCPT:  # then somebody may be there
            raise broken_at(Step.DATA, "the server wants the content of a mail that it has refused")
        self._transport.write(b".\r\n")
        await self._answer(Step.DATA, self._timeout)

    async def _answer(self, step: Step, timeout: float) -> Reply:
        while not self._replies:
            await self._news(step, timeout)
        return self._replies.popleft()

    async def _news(self, step: Step, timeout: float) -> None:
        """Wait for a reply, for room to write, or for the end of the connection, which is raised."""
        if not self.is_usable:
            self.is_stale = step in _FIRST
            raise broken_at(step, self._why)
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout, _wake, waiter, False)
        try:
            if not await waiter:
                raise broken_at(step, f"there was no answer within {timeout:g} s")
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None:
            _wake(self._waiter, True)


def _wake(waiter: asyncio.Future[bool], has_news: bool) -> None:
    if not waiter.done():
        waiter.set_result(has_news)


async def _made(content: Content, extensions: Extensions) -> bytes:
    if isinstance(content, bytes):
        return content
    made = content(extensions)
    return made if isinstance(made, bytes) else await made
