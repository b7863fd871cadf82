"""The client of X: tweepy's endpoint methods over our own transport.

Of tweepy only the methods are used that name a route and put a request together; each of them ends in `request`, which
is ours. So time-outs, limits, tokens, errors and what may be logged are the same as elsewhere, on asyncio and on Trio.

Traps of tweepy 4.17 that are avoided by that: it waits and asks again by itself after a 429, without end and with a
request that is not the same; it lets a body that is not JSON out as somebody else's exception; it logs credentials and
messages; it makes models that fail on a time without fractions; it wants a session of aiohttp, and a host that cannot
be chosen. Its methods that ask for the own id behind one's back are not for use here: they end in a TypeError.
"""

from __future__ import annotations

import copy
import json as jsonlib
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from convergekit.abc import ChannelContext, Outgoing
from convergekit.http import HttpAnswer

from .auth import Auth, Identity
from .budgets import Budgets, Cost, Priority, items_of, template
from .config import XConfig
from .oauth1 import encoded
from .problems import act_of, body_of, outcome, status_of

__all__ = ["Answer", "XClient", "make"]

_JSON: Final = jsonlib.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
#: Bytes of an answer. A page of 100 posts with all that belongs to them has a tenth of it.
_LIMIT: Final = 4 * 1024 * 1024
#: Seconds for a piece of a file, at least.
_SLOW: Final = 60.0


class Answer(dict[str, Any]):
    """What X said: the JSON object as it was, {} where it said nothing.

    Attributes:
        status: Of HTTP; 2xx.
        date: When X said it, as its header has it; "" where it has none.
    """

    status = 200
    date = ""

    async def json(self) -> Answer:
        """Itself: tweepy's methods ask an answer for it."""
        return self


if TYPE_CHECKING:

    class _Endpoints:
        """What is used of tweepy's `AsyncClient`, which has no types."""

        create_direct_message: Callable[..., Awaitable[Answer]]
        create_tweet: Callable[..., Awaitable[Answer]]
        delete_tweet: Callable[..., Awaitable[Answer]]
        get_user: Callable[..., Awaitable[Answer]]
        get_users_mentions: Callable[..., Awaitable[Answer]]

        def __init__(self, *, return_type: type) -> None: ...

else:
    _Endpoints = object  # `make` puts tweepy's in its place: it is loaded where a channel opens, and not before


class XClient(_Endpoints):
    """Asks X, as one account; made by `make`. Safe to use from any number of tasks.

    All of tweepy's endpoint methods are there, and give an `Answer`. What they say about who signs (`user_auth`) is not
    heard: `acting` says it.

    Attributes:
        own: The account's id, where it is known: to read what it wrote itself is cheaper.
    """

    def __init__(self, config: XConfig, context: ChannelContext, auth: Auth, budgets: Budgets) -> None:
        super().__init__(return_type=dict)
        self.own = config.user_id
        self._config, self._context, self._auth, self._budgets = config, context, auth, budgets
        self._out: Outgoing | None = None
        self._priority = Priority.NORMAL
        self._identity: Identity = "user"
        self._cost: Cost | None = None

    def acting(
        self,
        *,
        out: Outgoing | None = None,
        priority: Priority = Priority.NORMAL,
        identity: Identity = "user",
        cost: Cost | None = None,
        auth: Auth | None = None,
    ) -> XClient:
        """The same client, on behalf of somebody.

        Args:
            out: The message that goes out by the next request.
            priority: How urgent it is.
            identity: Who signs.
            cost: What it costs, where the request itself does not tell.
            auth: Signs in place of what signs usually.
        """
        twin = copy.copy(self)
        twin._auth = auth or self._auth
        twin._out, twin._priority, twin._identity, twin._cost = out, priority, identity, cost
        return twin

    async def request(
        self,
        method: str,
        route: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        user_auth: bool = False,
    ) -> Answer:
        """Ask X once; or again with a fresh token, where the first one was refused.

        Args:
            method: In upper case.
            route: The path; what cannot stand in one is encoded.
            params: What stands behind the "?": lists are joined by commas, times are told in UTC, None is left out.
            json: The body.
            user_auth: Not heard.

        Raises:
            DeliveryError: One of the four outcomes; nothing that was only read is uncertain.
        """
        call = _Call(method, self._config.api + quote(route, safe="/-._~"), _query(params), self._config.timeout)
        if json is not None:
            call.content = _JSON.encode(json).encode()
            call.kind, call.said = "application/json", json
        return await self._answered(call, template(route))

    async def append_media(self, media: str, index: int, segment: bytes) -> Answer:
        """Hand over a piece of a file.

        Args:
            media: What X calls the file.
            index: Of the piece, from 0 to 999.
            segment: Its bytes.
        """
        route = f"/2/media/upload/{media}/append"
        call = _Call("POST", self._config.api + route, [], max(_SLOW, self._config.timeout))
        call.content, call.kind = _multipart({"segment_index": str(index)}, "media", segment)
        return await self._answered(call, template(route))

    async def signed(self, method: str, route: str, params: Mapping[str, Any] | None = None) -> tuple[str, str]:
        """The URL of a request and its `Authorization`: for what is read in another way, as a stream is."""
        call = _Call(method, self._config.api + quote(route, safe="/-._~"), _query(params), self._config.timeout)
        return call.whole_url, await self._auth.authorization(method, call.url, call.query, identity=self._identity)

    async def _answered(self, call: _Call, route: str) -> Answer:
        """Within what limits and money allow."""
        out, act = self._out, act_of(call.method, route, call.said)
        ticket = await self._budgets.before(
            call.method,
            route,
            priority=self._priority,
            cost=self._cost,
            json=call.said,
            identity=self._identity,
            first=out is not None and out.attempt == 1,
        )
        try:
            answer = await self._exchanged(call)
        except BaseException:
            await self._budgets.after(ticket, status=None, sent=call.is_sent)
            raise
        body = body_of(answer)
        items = items_of(route, body, own=self.own) if call.method == "GET" else ()
        status = status_of(answer, body, act)
        wait = await self._budgets.after(ticket, status=status, headers=answer.headers, items=items)
        way_out = self._auth.way_out(self._identity)
        if error := outcome(
            answer, body, act, wait=wait, way_out=way_out, hidden=call.hidden, channel=self._context.channel
        ):
            raise error
        found = Answer(body or ())
        found.status, found.date = answer.status, answer.headers.get("date", "")
        return found

    async def _exchanged(self, call: _Call) -> HttpAnswer:
        answer = await self._sent(call)
        if answer.status == 401 and self._auth.can_renew(self._identity):
            answer = await self._sent(call, fresh=True)  # nothing was taken, so nothing is done twice
        return answer

    async def _sent(self, call: _Call, *, fresh: bool = False) -> HttpAnswer:
        call.authorization = await self._auth.authorization(
            call.method, call.url, call.query, identity=self._identity, fresh=fresh
        )
        is_read = call.method == "GET"
        call.out, call.is_sent = self._out, is_read
        return await self._context.http.request(
            call.method,
            call.whole_url,
            out=None if is_read else call,
            headers=call.headers,
            content=call.content,
            expect="anything",
            timeout=call.timeout,
            limit=_LIMIT,
        )


@dataclass(slots=True)
class _Call:
    """One request. It is what is told that the first byte leaves, and it tells the message that goes out."""

    method: str
    url: str
    query: list[tuple[str, str]]
    timeout: float
    content: bytes = b""
    kind: str | None = None
    said: Any = None
    authorization: str = ""
    out: Outgoing | None = None
    is_sent: bool = False

    def started(self) -> None:
        """The first byte leaves."""
        self.is_sent = True
        if self.out is not None:
            self.out.started()

    @property
    def whole_url(self) -> str:
        if not self.query:
            return self.url
        return f"{self.url}?{'&'.join(f'{name}={value}' for name, value in self.query)}"

    @property
    def headers(self) -> dict[str, str]:
        kind = {} if self.kind is None else {"content-type": self.kind}
        return {"authorization": self.authorization, "accept": "application/json", **kind}

    def hidden(self) -> Iterator[str]:
        """What no error shows."""
        yield self.authorization
        yield from _texts(self.said)


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, Mapping):
        for each in said.values():
            yield from _texts(each)
    elif isinstance(said, list | tuple):
        for each in said:
            yield from _texts(each)


def _query(params: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    return encoded((name, _value(value)) for name, value in params.items() if value is not None) if params else []


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _multipart(fields: Mapping[str, str], name: str, content: bytes) -> tuple[bytes, str]:
    """A form with one file, and its media type (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
    head = "".join((*parts, file, "Content-Type: application/octet-stream\r\n\r\n"))
    whole = b"".join((head.encode(), content, f"\r\n--{boundary}--\r\n".encode()))
    return whole, f"multipart/form-data; boundary={boundary}"


def make(config: XConfig, context: ChannelContext, budgets: Budgets) -> XClient:
    """The client of an account; tweepy is loaded now, if it was not."""
    return _client_class()(config, context, Auth(config, context), budgets)


@cache
def _client_class() -> type[XClient]:
    from tweepy.asynchronous import AsyncClient  # type: ignore[import-untyped]

    return type("XClient", (XClient, AsyncClient), {"__doc__": XClient.__doc__, "__module__": __name__})
