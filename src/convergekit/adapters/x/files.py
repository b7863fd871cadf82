"""Files of what came in: fetched from X' own hosts, and signed for where those ask for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qsl

from convergekit.errors import RejectedError
from convergekit.http import leads_to
from convergekit.model import Attachment

from .auth import Auth
from .oauth1 import encoded
from .session import Session

__all__ = ["fetched"]

#: What of X' serves files to whoever has an account's signature, and what to anybody.
_SIGNED: Final = ("ton.twitter.com", "*.ton.twitter.com", "ton.x.com", "*.ton.x.com")
_OPEN: Final = ("twimg.com", "*.twimg.com")


@asynccontextmanager
async def fetched(session: Session, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
    """See `XAdapter.fetch`."""
    url = attachment.url or ""
    headers = {}
    if _is_at(url, _SIGNED):
        headers["authorization"] = await _signed(session, url)
    elif not _is_at(url, _OPEN):
        raise RejectedError("that is no host of X'", channel=session.context.channel)
    http = session.context.http
    async with http.download(url, headers=headers, follow=lambda target: _is_at(target, _OPEN)) as chunks:
        yield chunks


async def _signed(session: Session, url: str) -> str:
    """QUIRK(X): files of direct messages are served to whoever signs by OAuth 1.0a, and to nobody else."""
    auth = Auth.by_oauth1(session.config, session.context)
    if auth is None:
        reason = "files of direct messages are given out by OAuth 1.0a only: set oauth1 beside oauth2"
        raise RejectedError(reason, channel=session.context.channel)
    base, _, query = url.partition("?")
    pairs = encoded(parse_qsl(query, keep_blank_values=True))
    return await auth.authorization("GET", base, pairs, identity="user")


def _is_at(url: str, hosts: tuple[str, ...]) -> bool:
    """Whether *url* leads to one of *hosts*, over TLS."""
    return url[:8].lower() == "https://" and leads_to(url, hosts)
