"""The connections of one account: few, kept open while there is mail, each given to one mail at a time.

Rules kept here:

- Who waits for a connection gets it in the order of asking; waiting ends when the caller is cancelled.
- The connection that was used last is used next: it is the least likely to have been closed by the server, and those
  that are not needed stay idle until they are closed.
- A transaction begins again, once and on a new connection, where a connection that had been used before turned out to
  be gone, or was closed by the server, before the mail had begun. In all other cases that is for the caller to decide.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Self

import anyio
from anyio import AsyncContextManagerMixin

from convergekit.abc import Clock, Health
from convergekit.errors import DeliveryError, NotSentError

from ..config import SmtpConfig
from .envelope import SmtpEnvelope
from .replies import Accepted
from .transaction import Content, Session

if TYPE_CHECKING:
    from convergekit.http import TokenProvider

    from .connection import Account

__all__ = ["Pool"]

#: Seconds without use after which a connection is asked whether it is still there: routers forget without telling.
_ASK_AFTER: Final = 5.0
#: Seconds for connections to end, which is more than `Session.quit` waits.
_GOODBYE: Final = 3.0


class Pool(AsyncContextManagerMixin):
    """Hands over mail, one recipient a time, over at most `config.pool_size` connections. On asyncio only.

    Enter it once; inside, call it from any number of tasks. It connects when there is something to send.

    Args:
        config: The account.
        clock: For the age of connections.
        log: Where connections are noted.
        tokens: For XOAUTH2; None for a password.

    Raises:
        ConfigurationError: On entering: the settings give nothing to log in with, or no certificates to trust.
    """

    def __init__(
        self, config: SmtpConfig, *, clock: Clock, log: logging.Logger, tokens: TokenProvider | None = None
    ) -> None:
        self._config, self._clock, self._log = config, clock, log
        self._tokens = tokens
        self._account: Account
        self._turns: anyio.Semaphore
        self._idle: deque[Session] = deque()  # the one that was used last at the end
        self._all: set[Session] = set()
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        # Here, so that a mailbox that is only read does without aiosmtplib.
        from .connection import Account

        self._account = Account(self._config, self._tokens)
        await self._account.prepare()
        self._turns = anyio.Semaphore(self._config.pool_size, fast_acquire=True)
        try:
            yield self
        finally:
            await self._close()

    async def deliver(self, envelope: SmtpEnvelope, content: Content, started: Callable[[], None]) -> Accepted:
        """Hand one mail to the server, for one recipient; return once the server answers for it.

        Args:
            envelope: From whom, to whom.
            content: The mail, or a function that makes it for a server with these extensions; it is called when there
                is a connection, and again where the transaction begins again. Lines that do not end in CRLF do so on
                the wire.
            started: Called just before the octets leave with which the server has all of the mail.

        Raises:
            NotSentError: The server has not taken it, and may take it later; `ThrottledError` where it speaks of rates.
            RejectedError: It is refused for good, by the server, or because the server could not carry it.
            AccountError: It is not taken, and nothing will be until a person acts.
            UncertainError: The server may have taken it.
        """
        envelope.refuse_unsafe()
        async with self._turns:
            session = await self._ready()
            is_reused = session.idle_since is not None
            try:
                return await session.transact(envelope, content, started)
            except NotSentError:
                if not (is_reused and session.is_stale):
                    raise
            finally:
                self._give_back(session)
            self._log.debug("smtp: the server had closed a connection; trying on a new one")
            session = await self._open()
            try:
                return await session.transact(envelope, content, started)
            finally:
                self._give_back(session)

    async def probe(self) -> Health:
        """Whether the server lets us in; by a connection of its own, so that credentials are looked at now."""
        host, port = self._config.address
        async with self._turns:
            try:
                session = await self._open()
            except DeliveryError as error:
                return Health(ok=False, detail=f"{host}:{port}: {error}")
            self._give_back(session)
        way = session.encryption or "in the clear"
        return Health(ok=True, detail=f"{host}:{port} takes mail ({way})")

    # Connections

    async def _ready(self) -> Session:
        """One that is idle and alive, or a new one."""
        while self._idle:
            session = self._idle.pop()
            if self._is_old(session) or self._idle_for(session) >= self._config.idle_timeout:
                session.quit()
            elif session.is_usable and (self._idle_for(session) < _ASK_AFTER or await session.is_alive()):
                return session
        return await self._open()

    async def _open(self) -> Session:
        session = await self._account.open()
        session.opened_at = self._clock.monotonic()
        self._all.add(session)
        session.ended.add_done_callback(lambda _: self._all.discard(session))
        self._log.debug("smtp: connected to %s:%s, %s", *self._config.address, session.encryption or "in the clear")
        return session

    def _give_back(self, session: Session) -> None:
        """Keep it for the next mail, where it is good for one."""
        session.idle_since = self._clock.monotonic()
        if session.is_usable:
            self._idle.append(session)
            if self._timer is None:
                self._close_idle()

    def _is_old(self, session: Session) -> bool:
        used = session.transactions >= self._config.max_messages
        return used or self._clock.monotonic() - session.opened_at >= self._config.max_age

    def _idle_for(self, session: Session) -> float:
        return 0.0 if session.idle_since is None else self._clock.monotonic() - session.idle_since

    def _close_idle(self) -> None:
        """Close those that nobody has needed for a while, before the server does, and look again for the next one."""
        while self._idle and self._idle_for(self._idle[0]) >= self._config.idle_timeout:
            self._idle.popleft().quit()
        self._timer = None
        if self._idle:
            left = self._config.idle_timeout - self._idle_for(self._idle[0])
            self._timer = asyncio.get_running_loop().call_later(left, self._close_idle)

    async def _close(self) -> None:
        """Part in good order from those that are idle; what goes on in others has been cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        while self._idle:
            self._idle.pop().quit()
        await self._await_end()
        for session in self._all:
            session.abort()
        await self._await_end()

    async def _await_end(self) -> None:
        # Shielded, so that no socket stays behind; bounded, so that a dead peer cannot hold us.
        with anyio.move_on_after(_GOODBYE, shield=True):
            for session in tuple(self._all):
                await asyncio.shield(session.ended)
