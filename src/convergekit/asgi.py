"""Every inbound webhook through one pure ASGI app; no framework is needed, and none is in the way.

    app = WebhookApp(hub)                                      # `POST /support-hook` is the channel "support-hook"
    starlette.routing.Mount("/hooks", app=WebhookApp(hub))     # ... and here `POST /hooks/support-hook`

Rules kept here:

- The order is fixed: route, method, size, body (bounded in time and bytes), challenge, signature over the raw bytes,
  translation, admission, answer. A 2xx goes out only after the events are safe.
- None of uvicorn, hypercorn and granian limits a body in time or size by itself, so this app does.
- Servers and frameworks disagree on what a mounted app sees: `root_path` is stripped where the path begins with it,
  else the path is taken as it is; a slash at the end does not count. Lifespan is answered, but never relied on.
- What came in is never reflected, nor logged; answers are `text/plain` and `nosniff`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, MutableMapping, Sequence, Set
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import quote

import anyio

from convergekit.abc import Admission, Headers, ReceivesWebhooks, Request, Response
from convergekit.errors import InvalidInputError, NotRunningError, SignatureError, StoreError, place_of
from convergekit.model import Event

__all__ = ["Receive", "Receiver", "Receivers", "Scope", "Send", "WebhookApp"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log: Final = logging.getLogger(__name__)
_PLAIN: Final = (b"content-type", b"text/plain; charset=utf-8")
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_LATER: Final = {"retry-after": "5"}

_TOO_MANY: Final = Response(429, b"too many calls at once", _LATER)
_METHODS: Final = frozenset({"POST"})
_UNKNOWN: Final = Response(404, b"no such channel")
_NOT_ALLOWED: Final = Response(405, b"method not allowed", {"allow": "POST"})
_TIMEOUT: Final = Response(408, b"the body did not arrive in time", {"connection": "close"})
_TOO_LARGE: Final = Response(413, b"the body is too large", {"connection": "close"})
_BAD_LENGTH: Final = Response(400, b"malformed content-length", {"connection": "close"})
_UNSIGNED: Final = Response(401, b"the signature is missing or does not fit")
_MALFORMED: Final = Response(400, b"the body makes no sense")
_UNAVAILABLE: Final = Response(503, b"not available; try again", _LATER)
_BROKEN: Final = Response(500, b"internal error")
_LIVE: Final = Response(200, b"ok")
_NOT_READY: Final = Response(503, b"not ready", _LATER)
#: RFC 3986 §3.3: what stands in a path as it is.
_UNQUOTED: Final = "/:@!$&'()*+,;=~-._"


class Receiver(Protocol):
    """One channel that can be called."""

    @property
    def adapter(self) -> ReceivesWebhooks:
        """Verifies, translates and replies."""
        ...

    async def admit(self, *events: Event) -> tuple[Admission, ...]:
        """Store *events*; returns once they are safe.

        Raises:
            NotRunningError: The channel, or the hub, is closing.
            StoreError: The ledger failed; nothing was stored.
        """
        ...


class Receivers(Protocol):
    """Who knows the channels: the hub."""

    def receiver(self, channel: str) -> Receiver | None:
        """The one called *channel*; None where there is none, or where it takes no webhooks.

        Raises:
            NotRunningError: The hub is not open.
        """
        ...


class WebhookApp:
    """An ASGI 3 application: `/{channel}` and `/{channel}/...`.

    Args:
        receivers: The hub.
        public_url: Where the outside world finds this app, for providers that sign the URL. The Host header is
            anybody's, and is never used.
        max_body: Bytes of one body (413).
        body_timeout: Seconds for one body, from the moment at which it has to be waited for (408).
        max_concurrent: Calls whose bodies are held at the same time (429).
        ready: Given, `GET /-/live` and `GET /-/ready` are served, and it says whether we are ready. None leaves
            them out, as fits an app that is mounted in another.
    """

    def __init__(
        self,
        receivers: Receivers,
        *,
        public_url: str | None = None,
        max_body: int = 1_048_576,
        body_timeout: float = 10.0,
        max_concurrent: int = 128,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self._receivers = receivers
        self._public_url = public_url.rstrip("/") if public_url else None
        self._max_body, self._body_timeout = max_body, body_timeout
        self._max_concurrent, self._held = max_concurrent, 0
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 has it."""
        match scope["type"]:
            case "http":
                response = await self._respond(scope, receive)
                if response is not None:
                    await _send(response, send, closing=scope.get("http_version", "1.1").startswith("1"))
            case "lifespan":
                await _answer_lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})  # before the handshake: refused with 403
            case other:
                raise RuntimeError(f"this app does not speak {other!r}")

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer; None where nobody is left to hear it."""
        channel, path = _route(scope)
        method = scope["method"]
        if channel == "-" and self._ready is not None:
            return self._health(path, method)
        try:
            receiver = self._receivers.receiver(channel) if channel else None
        except NotRunningError:
            return _UNAVAILABLE
        if receiver is None:
            return _UNKNOWN
        if method not in {"POST", "GET", "HEAD", "OPTIONS"}:  # the last three are for challenges, mostly
            return _NOT_ALLOWED
        if self._held >= self._max_concurrent:
            return _TOO_MANY
        self._held += 1
        try:
            body = await self._body(scope, receive)
            if body is None or isinstance(body, Response):
                return body
            return await self._handle(receiver, channel, self._request(scope, channel, path, body))
        finally:
            self._held -= 1

    async def _body(self, scope: Scope, receive: Receive) -> bytes | Response | None:
        """All of the body, or the answer to one that we won't have, or None when the caller has gone."""
        refusal = self._refused_by_length(scope["headers"])
        if refusal is not None:
            return refusal
        # A timer costs more than all the rest of the limits. Mostly the body is there before we ask, so the scope
        # gets its deadline only if `receive` has to wait: see `_Watched`.
        with anyio.CancelScope() as limit:
            message = await _Watched(receive(), limit, self._body_timeout)
            if message["type"] != "http.request":
                return None
            body: bytes = message.get("body", b"")
            if not message.get("more_body", False):
                return body if len(body) <= self._max_body else _TOO_LARGE
            return await self._rest(bytearray(body), receive, limit)
        return _TIMEOUT

    async def _rest(self, body: bytearray, receive: Receive, limit: anyio.CancelScope) -> bytes | Response | None:
        if limit.deadline == float("inf"):
            limit.deadline = anyio.current_time() + self._body_timeout
        more = True
        while more:
            if len(body) > self._max_body:
                return _TOO_LARGE
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body) if len(body) <= self._max_body else _TOO_LARGE

    def _refused_by_length(self, headers: Sequence[tuple[bytes, bytes]]) -> Response | None:
        for name, value in headers:
            if name == b"content-length":
                if not value.isdigit() or len(value) > 18:
                    return _BAD_LENGTH
                if int(value) > self._max_body:
                    return _TOO_LARGE
        return None

    def _request(self, scope: Scope, channel: str, path: str, body: bytes) -> Request:
        query = scope.get("query_string", b"").decode("latin-1")
        url = None
        if self._public_url is not None:
            url = f"{self._public_url}/{quote(channel + path, safe=_UNQUOTED)}" + (f"?{query}" if query else "")
        return Request(scope["method"], path, query, Headers(scope["headers"]), body, url)

    async def _handle(self, receiver: Receiver, channel: str, request: Request) -> Response:
        adapter = receiver.adapter
        try:
            challenge = adapter.challenge(request)
            if challenge is not None:
                return challenge
            methods: Set[str] = getattr(adapter, "webhook_methods", _METHODS)
            if request.method not in methods:
                return Response(405, b"method not allowed", {"allow": ", ".join(sorted(methods))})
            await adapter.verify(request)
            events = await _parsed(adapter, request)
            admitted = await receiver.admit(*events) if events else ()
            return adapter.reply(request, admitted)
        except SignatureError as exc:
            _log.info("%s: a webhook was refused for its signature: %s", channel, exc)
            return _UNSIGNED
        except InvalidInputError as exc:
            _log.info("%s: a signed webhook makes no sense: %s", channel, type(exc.__cause__ or exc).__name__)
            return _MALFORMED
        except (NotRunningError, StoreError) as exc:
            _log.warning("%s: a webhook could not be taken: %s", channel, type(exc).__name__)
            return _UNAVAILABLE
        except Exception as exc:
            # Neither the text nor the values: they may be what came in.
            _log.error("%s: a webhook failed with %s at %s", channel, type(exc).__name__, place_of(exc))
            return _BROKEN

    def _health(self, path: str, method: str) -> Response:
        assert self._ready is not None
        if method not in {"GET", "HEAD"}:
            return Response(405, b"method not allowed", {"allow": "GET"})
        if path == "/live":
            return _LIVE
        if path == "/ready":
            return _LIVE if self._ready() else _NOT_READY
        return _UNKNOWN


class _Watched:
    """Awaits *call*; if that has to wait, *scope* gets its deadline first.

    The scope is entered before the call is begun, so whatever scopes the server's `receive` opens lie inside it.
    """

    __slots__ = ("_call", "_scope", "_seconds")

    def __init__(self, call: Awaitable[MutableMapping[str, Any]], scope: anyio.CancelScope, seconds: float) -> None:
        self._call, self._scope, self._seconds = call, scope, seconds

    def __await__(self) -> Generator[Any, Any, MutableMapping[str, Any]]:
        steps = self._call.__await__()
        try:
            waits_for = next(steps)
        except StopIteration as there:
            message: MutableMapping[str, Any] = there.value
            return message
        self._scope.deadline = anyio.current_time() + self._seconds
        message = yield from _resumed(waits_for, steps)
        return message


def _resumed(waits_for: Any, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """What `yield from steps` does (PEP 380), for a generator that has been begun already."""
    while True:
        try:
            try:
                sent = yield waits_for
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as exc:
                waits_for = steps.throw(exc)
            else:
                waits_for = next(steps) if sent is None else steps.send(sent)
        except StopIteration as done:
            return done.value


async def _parsed(adapter: ReceivesWebhooks, request: Request) -> Sequence[Event]:
    try:
        found = adapter.parse(request)
        return found if isinstance(found, Sequence) else await found
    except InvalidInputError:
        raise
    except ValueError as exc:  # pydantic's among them
        raise InvalidInputError("it does not fit the model") from exc


def _route(scope: Scope) -> tuple[str, str]:
    """Channel, and the path behind it: "" or with a slash before and none behind."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}:
        path = path[len(root) :]
    channel, slash, rest = path.strip("/").partition("/")
    return channel, slash + rest


async def _send(response: Response, send: Send, *, closing: bool) -> None:
    headers = _headers(response)
    if not closing and response.headers:  # RFC 9113 §8.2.2: HTTP/2 has no such field, and servers refuse it
        headers = [field for field in headers if field[0] != b"connection"]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _headers(response: Response) -> list[tuple[bytes, bytes]]:
    if response.status == 204 and not response.headers:  # most of our answers
        return [_NOSNIFF]
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    names = {name for name, _ in headers}
    headers.append(_NOSNIFF)
    if response.status != 204:  # RFC 9110 §8.6
        headers.append((b"content-length", b"%d" % len(response.body)))
        if b"content-type" not in names:
            headers.append(_PLAIN)
    return headers


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
