"""From the settings to a connection that is encrypted, logged in, and ready for mail; by aiosmtplib.

Each step is taken by itself, so that what it needs is looked at first: without STARTTLS where that is wanted, and
without a way to log in that is wanted, the connection ends before anything was said that others must not hear.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
from asyncio import Transport
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, TypeVar, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from anyio import to_thread

from convergekit.errors import (
    AccountError,
    AuthenticationError,
    ConfigurationError,
    DeliveryError,
)
from convergekit.http import TokenProvider, token_of

from .. import sasl
from ..config import SmtpConfig
from ..tls import trusting
from .extensions import Extensions
from .replies import Reply, Step, broken_at, error_for
from .transaction import Session

__all__ = ["Account", "error_of"]

_T = TypeVar("_T")

_GO_ON: Final = 334
_TOKEN_REFUSED: Final = "535"
_METHOD: Final = re.compile(r"[a-z0-9_-]{1,20}")  # RFC 4422 §3.1
_PASSWORDS: Final = ("plain", "login")


class Account:
    """One account on one server.

    Args:
        config: Where it is, and how to log in.
        tokens: For XOAUTH2; None for a password.

    Raises:
        ConfigurationError: There is a user name, and nothing to prove it with.
    """

    def __init__(self, config: SmtpConfig, tokens: TokenProvider | None = None) -> None:
        by_token = config.username is not None and config.auth in ("auto", "xoauth2")
        self._tokens = tokens if by_token else None
        if by_token and config.auth == "xoauth2" and tokens is None:
            raise ConfigurationError('smtp.auth = "xoauth2" needs smtp.oauth, or a provider of tokens')
        if config.username is not None and self._tokens is None and config.password is None:
            raise ConfigurationError("smtp.username needs smtp.password, smtp.oauth, or a provider of tokens")
        self._config = config
        self._tls: ssl.SSLContext | None = None

    async def prepare(self) -> None:
        """Read the certificates; raises `ConfigurationError` where there are none to be read."""
        if self._config.security != "none":
            self._tls = await to_thread.run_sync(partial(trusting, self._config.ca, setting="smtp.ca"))

    async def open(self) -> Session:
        """A new connection.

        Raises:
            NotSentError: There is none to be had now.
            AccountError: A person has to act: the credentials, the certificate or the settings are at fault.
        """
        if self._tokens is None:
            password = self._config.password
            return await self._open("" if password is None else password.get_secret_value())
        token = await token_of(self._tokens)
        try:
            return await self._open(token)
        except AuthenticationError as refused:
            if not (refused.code or "").startswith(_TOKEN_REFUSED):
                raise
        # Another connection may have been told so before this one, and there is a new token by now.
        newer = await token_of(self._tokens)
        return await self._open(newer if newer != token else await token_of(self._tokens, fresh=True))

    async def _open(self, secret: str) -> Session:
        host, port = self._config.address
        client = SMTP(
            hostname=host,
            port=port,
            timeout=self._config.timeout,
            use_tls=self._config.security == "tls",
            start_tls=False,  # that is a step of its own
            tls_context=self._tls,
            local_hostname="localhost",  # is not said; without one the DNS is asked for ours, for as long as it takes
        )
        try:
            await _step(Step.GREETING, client.connect())
            await self._introduce(client)
            if self._config.username is not None:
                await self._log_in(client, self._config.username, secret)
            return self._session(client)
        except BaseException:
            if client.transport is not None:
                cast(Transport, client.transport).abort()
            client.close()
            raise

    def _session(self, client: SMTP) -> Session:
        if client.transport is None:
            raise broken_at(Step.MAIL, "the connection ended")
        return Session(
            cast(Transport, client.transport),
            Extensions.offered(client.esmtp_extensions),
            timeout=self._config.timeout,
            pipelining=self._config.pipelining,
        )

    async def _introduce(self, client: SMTP) -> None:
        name = self._config.local_hostname or _own_name(client.get_transport_info("sockname"))
        await _step(Step.EHLO, client.ehlo(hostname=name))
        if self._config.security != "starttls":
            return
        if not client.supports_extension("starttls"):
            # And never in the clear instead: somebody on the way may have taken it out of the answer.
            raise AccountError(
                "the server does not offer STARTTLS, and without it nothing is said: if it speaks TLS from the start, "
                'set smtp.security = "tls" and its port; if it should offer STARTTLS, somebody may listen on the way'
            )
        await _step(Step.STARTTLS, client.starttls())
        await _step(Step.EHLO, client.ehlo(hostname=name))  # RFC 3207 §4.2: what was said before TLS does not count

    async def _log_in(self, client: SMTP, username: str, secret: str) -> None:
        if self._config.security == "none" and not _is_here(client.get_transport_info("peername")):
            raise AccountError(
                'smtp.security = "none" would show the password to everybody on the way to the server: '
                'set it to "starttls" or "tls", or remove smtp.username'
            )
        code, text = 0, ""
        lines = _dialogue(self._method(client.server_auth_methods), username, secret)
        for line in lines:
            code, text = await _step(Step.AUTH, client.execute_command(line))
            if code != _GO_ON:
                break
        if code // 100 != 2:
            # Some servers repeat what they did not understand.
            said = (secret, *(line.rpartition(b" ")[2].decode() for line in lines))
            raise error_for(Step.AUTH, _reply(code, _without(said, text)))

    def _method(self, offered: Sequence[str]) -> str:
        by_token = self._tokens is not None
        chosen = self._config.auth
        wanted = (chosen,) if chosen != "auto" else ("xoauth2",) if by_token else _PASSWORDS
        for method in wanted:
            if method in offered:
                return method
        has = ", ".join(each.upper() for each in offered[:20] if _METHOD.fullmatch(each)) or "no way"
        raise AccountError(
            f"the server offers {has} to log in, and not {' or '.join(wanted).upper()}: see smtp.auth; "
            "where nobody has to log in, remove smtp.username"
        )


def _dialogue(method: str, username: str, secret: str) -> Sequence[bytes]:
    """What is said to log in, line by line, for as long as the server says to go on."""
    if method == "plain":  # RFC 4616 §2
        return (b"AUTH PLAIN " + _base64(sasl.plain(username, secret)),)
    if method == "login":
        return (b"AUTH LOGIN", _base64(username), _base64(secret))
    # An empty line asks for the reply, where the server has said only in words of its own what is wrong.
    return (b"AUTH XOAUTH2 " + _base64(sasl.xoauth2(username, secret)), b"")


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _own_name(sockname: Sequence[Any]) -> str:
    """How we call ourselves: by a name where this machine has one with a domain, else by address (RFC 5321 §4.1.4)."""
    name = socket.gethostname()
    if re.fullmatch(r"(?=.{3,253}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", name):
        return name
    address = str(sockname[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _is_here(peername: Sequence[Any]) -> bool:
    return ip_address(str(peername[0]).partition("%")[0]).is_loopback


async def _step(step: Step, doing: Awaitable[_T]) -> _T:
    try:
        return await doing
    # Whatever aiosmtplib raises is one of them; where a host name makes no sense, it is a ValueError.
    except (OSError, ValueError, SMTPException) as exc:
        raise error_of(exc, step) from exc


def _reply(code: int, text: str) -> Reply:
    return Reply(code, text.encode("utf-8", "surrogateescape"))


def error_of(exc: Exception, step: Step) -> DeliveryError:
    """What *exc*, which aiosmtplib raised at *step* before there was a transaction, means to the mail."""
    if isinstance(exc, SMTPResponseException):
        is_reply = exc.code > 0
        return error_for(step, _reply(exc.code, exc.message)) if is_reply else broken_at(step, "that is no reply")
    cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = getattr(cause, "verify_message", "it cannot be verified")
        return AccountError(f"the server's certificate is not trusted: {why}; see smtp.host and smtp.ca")
    if isinstance(cause, ssl.SSLError):
        if (why := getattr(cause, "reason", None)) == "WRONG_VERSION_NUMBER":  # of what is no TLS at all
            return AccountError("the server does not speak TLS on this port: see smtp.security and smtp.port")
        return broken_at(step, f"TLS failed ({why})")
    if isinstance(cause, TimeoutError):
        return broken_at(step, "there was no answer in time")
    if isinstance(cause, socket.gaierror):
        return broken_at(step, "the name of the server cannot be looked up")
    if isinstance(exc, ValueError):
        return AccountError("smtp.host is no name that can be looked up")
    return broken_at(step, f"the connection failed{_why(cause)}")


def _why(cause: BaseException) -> str:
    return f" ({cause.strerror})" if isinstance(cause, OSError) and cause.strerror else ""
