"""One connection to a mailbox: what the rest of the adapter knows of IMAP, and the only place that knows the library.

`Session` is the port: whatever takes the place of IMAPClient some day has these methods.

The library waits, so each command runs in a thread, one at a time, under a limit of our own: the threads of others are
not used up by slow mail servers. Between commands, which is where a connection spends its life, nobody waits in a
thread: the event loop watches the socket. A thread that has to stop is stopped by shutting down its connection, by
another descriptor of the same one; so whoever is cancelled leaves at once, and leaves no thread behind.
"""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, NamedTuple, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import CapacityLimiter, to_thread
from imapclient import IMAPClient  # type: ignore[import-untyped]

from convergekit.abc import Clock
from convergekit.errors import AuthenticationError, ConfigurationError, NotSentError
from convergekit.http import TokenProvider, token_of

from .. import sasl
from ..config import ImapConfig
from ..tls import trusting
from ._client import Client
from ._connect import connect
from ._errors import RefusedError, is_passing, meaning, said
from ._fetched import Fetched
from ._wire import Wire

__all__ = ["Folder", "Session", "connected"]

_LOOK: Final = "if that stays so, see imap.host, imap.port and imap.security"
#: Octets a second, below which a mail that comes is given up.
_SLOWEST: Final = 8192
#: Of an answer, beside the mail that was asked for: some servers only guess at RFC822.SIZE.
_SLACK: Final = 16 * 1024 * 1024

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class Folder(NamedTuple):
    """What a server says of a folder that is entered.

    Args:
        uidvalidity: Under which its UIDs count.
        last: No UID in it is higher.
    """

    uidvalidity: int
    last: int


@asynccontextmanager
async def connected(config: ImapConfig, tokens: TokenProvider | None, *, max_size: int) -> AsyncGenerator[Session]:
    """A session with who we are known; with a token that is refused, once more with a fresh one.

    Raises:
        NotSentError: The server is not there, or has no time for us.
        AuthenticationError: It does not know us.
        ConfigurationError: It does not prove who it is, or offers no way to log in that the settings allow.
    """
    session = Session(config, max_size)
    try:
        try:
            await session.open(await token_of(tokens) if tokens is not None else None)
        except AuthenticationError:
            if tokens is None:
                raise
            session.close()
            session = Session(config, max_size)
            await session.open(await token_of(tokens, fresh=True))
        yield session
    finally:
        session.close()


class Session:
    """A connection to one account, which can enter one folder. Use it from one task.

    Methods raise `NotSentError` where the connection has failed or the server makes no sense, and `RefusedError`,
    which is one, where it says no.

    Args:
        config: The account.
        max_size: Octets of the largest mail that is fetched.
    """

    def __init__(self, config: ImapConfig, max_size: int) -> None:
        self._config = config
        self._max_size = max_size
        self._limiter = CapacityLimiter(1)
        self._client: Client | None = None
        self._sockets: list[socket.socket] = []
        self._secrets: list[str] = []

    # --- life -------------------------------------------------------------------------------------------------------

    async def open(self, token: str | None) -> None:
        """Connect, begin TLS where it is asked for, and log in."""
        user, password = self._config.username, self._config.password
        secret = token or (password.get_secret_value() if password is not None else None)
        if user is None or secret is None:
            raise ConfigurationError("imap: nobody can log in without imap.username, and imap.password or imap.oauth")
        spoken = (sasl.plain(user, secret), sasl.xoauth2(user, secret))
        # In base64 as well: some servers repeat what they did not understand.
        self._secrets = [secret, *(base64.b64encode(each.encode()).decode() for each in spoken)]
        sock = await connect(*self._config.address, self._config.timeout)
        self._sockets = [sock, sock.dup()]  # TLS takes the first one over
        try:
            await self._call(self._greet, sock)
        except NotSentError as error:
            raise NotSentError(f"{error.reason}; {_LOOK}", code=error.code) from None
        await self._log_in(user, secret, is_token=token is not None)

    def _greet(self, sock: socket.socket) -> None:
        """In the thread, so that whatever was opened is known to `close`."""
        security, host, timeout = self._config.security, self._config.host, self._config.timeout
        context = None if security == "none" else trusting(self._config.ca, setting="imap.ca")
        if context is not None and security == "tls":
            sock = context.wrap_socket(sock, server_hostname=host)
            self._sockets.append(sock)
        try:
            self._client = Client(lambda: Wire(sock, host, timeout), host, timeout)
        except IMAPClient.Error as error:
            raise NotSentError(f"imap: {host} does not take us now: {said(error, self._secrets)}") from None
        if context is not None and security == "starttls":
            self._secure(self._client, context)

    def _secure(self, client: Client, context: ssl.SSLContext) -> None:
        # RFC 9051 §11.1: whoever is logged in already cannot begin TLS any more, which suits whoever stands between.
        if client.is_logged_in or not client.has_capability("STARTTLS"):
            raise ConfigurationError(
                f'imap: {self._config.host} offers no STARTTLS, which security = "starttls" requires; '
                'nothing was said to it. Use security = "tls", or look who answers there'
            )
        client.secure(context)
        self._sockets.append(client.socket())

    async def _log_in(self, user: str, secret: str, *, is_token: bool) -> None:
        client = self._ready
        try:
            if not client.is_logged_in:
                await self._call(partial(client.log_in, user, secret, is_token=is_token))
            await self._call(client.capabilities)  # they are kept: to look at one of them does not wait from here on
        except RefusedError as refused:
            if is_passing(refused):
                raise
            raise AuthenticationError(
                f"imap: {self._config.host} refuses the login: {refused.reason}; see imap.username, and imap.password "
                "or imap.oauth, which are those of smtp where imap has none",
                code=refused.code,
            ) from None

    def close(self) -> None:
        """End the connection at once. May be called twice."""
        self._cut()
        for sock in self._sockets:
            sock.close()

    def _cut(self) -> None:
        """Have whoever waits for the connection, in whichever thread, wait no longer."""
        for sock in self._sockets[1:2]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    # --- reading ----------------------------------------------------------------------------------------------------

    async def look_at(self, folder: str) -> None:
        """Raises `RefusedError` where there is no *folder*."""
        await self._call(self._ready.look_at, folder)

    async def enter(self, folder: str, *, read_only: bool) -> Folder:
        """Go into *folder*."""
        answer = await self._call(partial(self._ready.enter, folder, read_only=read_only))
        validity, following = answer.get(b"UIDVALIDITY"), answer.get(b"UIDNEXT")
        if not isinstance(validity, int):
            raise NotSentError(f"imap: {self._config.host} does not say the UIDVALIDITY of {folder!r}")
        if not isinstance(following, int):
            following = max(await self.look("ALL"), default=0) + 1
        return Folder(validity, following - 1)

    async def look(self, criteria: str) -> Sequence[int]:
        """UIDs in the folder, as the server has them: for `n:*` the last one, whatever n is. `has_news` begins anew."""
        return await self._call(self._ready.look, criteria)

    async def small(self, uids: Sequence[int], octets: int) -> Sequence[int]:
        """Those of *uids* that are there, and have less than so many *octets*."""
        return await self._call(self._ready.small, uids, octets)

    async def sizes(self, uids: Sequence[int]) -> Sequence[Fetched]:
        """Of those of *uids* that are there, how large they are."""
        return await self._call(self._ready.sizes, uids)

    async def bodies(self, uids: Sequence[int], size: int) -> Sequence[Fetched]:
        """All of those of *uids* that are there, *size* octets together as far as the server knows."""
        patience = self._config.timeout + size / _SLOWEST
        return await self._call(self._ready.bodies, uids, self._max_size + _SLACK, patience=patience)

    async def header(self, uid: int) -> Sequence[Fetched]:
        """The header of one mail."""
        return await self._call(self._ready.header, uid)

    # --- settling ---------------------------------------------------------------------------------------------------

    async def mark(self, uids: Sequence[int], flag: str) -> None:
        """Set *flag* on *uids*. Here and below, those that are gone do not matter."""
        await self._call(self._ready.mark, uids, flag)

    async def move(self, uids: Sequence[int], folder: str) -> None:
        """Move *uids* to *folder*."""
        await self._call(self._ready.move_to, uids, folder)

    async def remove(self, uids: Sequence[int]) -> None:
        """Delete *uids*."""
        await self._call(self._ready.remove, uids)

    # --- waiting ----------------------------------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether the server has told of new mail since the last search."""
        return self._ready.has_news

    async def wait(self, clock: Clock) -> None:
        """Return when the server tells of new mail, or it is time to look all the same."""
        client, config = self._ready, self._config
        if config.idle and client.has_capability("IDLE"):
            begun = clock.monotonic()
            ended = await self._listen(client.begin_idle, clock, config.idle_renewal)
            await self._call(client.end_idle)
            if not ended or client.has_news:
                return
            left = config.poll_interval - (clock.monotonic() - begun)  # it does not want to be listened to
        else:
            left = config.poll_interval
        await self._listen(client.listen, clock, left)
        await self._call(client.look_up)

    async def _listen(self, begin: Callable[[], bool], clock: Clock, seconds: float) -> bool:
        """Tells whether the server has said what is to be looked at, within *seconds*."""
        end = clock.monotonic() + seconds
        told = await self._call(begin)
        while not told and await self._speaks(clock, end - clock.monotonic()):
            told = await self._call(self._ready.listen)
        return told

    async def _speaks(self, clock: Clock, seconds: float) -> bool:
        """Whether there is something to be read, within *seconds*."""
        speaks = False
        async with anyio.create_task_group() as tasks:

            async def expire() -> None:
                await clock.sleep(seconds)
                tasks.cancel_scope.cancel()

            tasks.start_soon(expire)
            await anyio.wait_readable(self._ready.socket())
            speaks = True
            tasks.cancel_scope.cancel()
        return speaks

    # --- threads and errors -----------------------------------------------------------------------------------------

    @property
    def _ready(self) -> Client:
        assert self._client is not None, "open comes first"
        return self._client

    async def _call(self, function: Callable[[Unpack[_Ts]], _T], *args: *_Ts, patience: float | None = None) -> _T:
        """Have *function* done in the thread, within *patience* seconds."""
        patience = patience or self._config.timeout
        found: list[_T | Exception] = []

        async def work() -> None:
            found.append(await to_thread.run_sync(_caught, partial(function, *args), limiter=self._limiter))
            tasks.cancel_scope.cancel()

        with anyio.move_on_after(patience) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(work)
                try:
                    await anyio.sleep_forever()
                finally:
                    if not found:
                        self._cut()
        if scope.cancelled_caught:
            raise NotSentError(f"imap: {self._config.host} has not given all of its answer within {patience:g} s")
        if isinstance(found[0], Exception):
            raise meaning(found[0], self._config, self._secrets) from None
        return found[0]


def _caught(call: Callable[[], _T]) -> _T | Exception:
    try:
        return call()
    except Exception as error:
        return error
