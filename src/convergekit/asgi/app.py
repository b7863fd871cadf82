"""The app itself: who is called, in which order things are done, and what is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence, Set
from typing import Final, Protocol, cast

from convergekit.abc import Admission, Headers, ReceivesWebhooks, Request, Response
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    NotRunningError,
    SignatureError,
    StoreError,
    UnsupportedMediaTypeError,
    place_of,
)
from convergekit.http import url_behind
from convergekit.model import Event

from ._bodies import Bodies
from ._health import HealthCheck, Report
from ._wire import Receive, Scope, Send, answer, answer_lifespan, below, refuse_websocket

__all__ = ["Receiver", "Receivers", "WebhookApp"]

_log: Final = logging.getLogger("convergekit.asgi")
_LATER: Final = {"retry-after": "5"}

_TOO_MANY: Final = Response(429, b"too many calls at once", _LATER)
_METHODS: Final = frozenset({"POST"})
#: The last three are for challenges, mostly.
_KNOWN_METHODS: Final = frozenset({"POST", "GET", "HEAD", "OPTIONS"})
_UNKNOWN: Final = Response(404, b"no such channel")
_NOT_ALLOWED: Final = Response(405, b"method not allowed", {"allow": "POST"})
_UNSIGNED: Final = Response(401, b"the signature is missing or does not fit")
_MALFORMED: Final = Response(400, b"the body makes no sense")
_UNREAD: Final = Response(415, b"a body of this kind is not read here")
_UNAVAILABLE: Final = Response(503, b"not available; try again", _LATER)
_BROKEN: Final = Response(500, b"internal error")


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
        max_concurrent: Calls that are being handled at the same time (429): verified, translated, stored.
        max_waiting: Bytes that all bodies together may have brought that have to be waited for; when there are more,
            whoever has kept the most for the longest is cut off (408).
        health: Whether `GET /-/live` and `GET /-/ready` are served. Off, as fits an app that is mounted in another.
        details: Whether `/-/ready` tells the names and the states of the channels.

    Raises:
        ConfigurationError: *public_url* is none, or a limit is not positive, or one body may be larger than all of
            them, or *health* is asked for of receivers that have no `health()`.
    """

    def __init__(
        self,
        receivers: Receivers,
        *,
        public_url: str | None = None,
        max_body: int = 1_048_576,
        body_timeout: float = 10.0,
        max_concurrent: int = 128,
        max_waiting: int = 33_554_432,
        health: bool = False,
        details: bool = False,
    ) -> None:
        self._receivers = receivers
        if public_url is not None and not public_url.startswith(("https://", "http://")):
            raise ConfigurationError(f"public_url is such as https://example.org/hooks, not {public_url[:80]!a}")
        self._public_url = None if public_url is None else public_url.rstrip("/")
        _check(max_body=max_body, body_timeout=body_timeout, max_concurrent=max_concurrent, max_waiting=max_waiting)
        self._bodies = Bodies(max_body=max_body, timeout=body_timeout, max_waiting=max_waiting)
        self._max_concurrent, self._handled = max_concurrent, 0
        self._never_open = True
        self._health = HealthCheck(_report_of(receivers), details=details) if health or details else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 has it."""
        match scope["type"]:
            case "http":
                response = await self._respond(scope, receive)
                if response is not None:
                    await answer(response, scope, send)
            case "lifespan":
                await answer_lifespan(receive, send)
            case "websocket":
                await refuse_websocket(send)
            case other:
                raise RuntimeError(f"this app does not speak {other!r}")

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer; None where nobody is left to hear it."""
        channel, slash, rest = below(scope).strip("/").partition("/")
        method = scope["method"]
        if channel == "-" and self._health is not None:
            return self._health(slash + rest, method)
        try:
            receiver = self._receivers.receiver(channel) if channel else None
        except NotRunningError as exc:
            if self._never_open:  # else it is closing, as it should
                self._never_open = False
                _log.warning("webhooks are answered with 503: %s", exc)
            return _UNAVAILABLE
        except ConfigurationError as exc:  # served in another thread than the hub
            _log.error("a webhook could not be taken: %s", exc)
            return _BROKEN
        self._never_open = False
        if receiver is None:
            return _UNKNOWN
        if method not in _KNOWN_METHODS:
            return _NOT_ALLOWED
        if self._handled >= self._max_concurrent:
            return _TOO_MANY
        body = await self._bodies.read(scope["headers"], receive)
        if body is None or isinstance(body, Response):
            return body
        self._handled += 1
        try:
            return await self._handle(receiver, channel, self._request(scope, channel, slash + rest, body))
        finally:
            self._handled -= 1

    def _request(self, scope: Scope, channel: str, path: str, body: bytes) -> Request:
        query = scope.get("query_string", b"").decode("latin-1")
        url = None
        if self._public_url is not None:
            url = url_behind(self._public_url, f"/{channel}{path}", query)
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
        except UnsupportedMediaTypeError as exc:
            _log.info("%s: a signed webhook is of a kind that is not read here: %s", channel, exc)
            return _UNREAD
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


async def _parsed(adapter: ReceivesWebhooks, request: Request) -> Sequence[Event]:
    try:
        found = adapter.parse(request)
        return found if isinstance(found, (tuple, list, Sequence)) else await found  # to ask an ABC takes longest
    except InvalidInputError:
        raise
    except ValueError as exc:  # pydantic's among them
        raise InvalidInputError("it does not fit the model") from exc


def _check(**limits: float) -> None:
    for name, value in limits.items():
        if not value > 0:
            raise ConfigurationError(f"WebhookApp: {name} is {value}; it has to be more than 0")
    if limits["max_waiting"] < limits["max_body"]:
        raise ConfigurationError(
            f"WebhookApp: max_body is {limits['max_body']}, and max_waiting, which is for all bodies that have to be "
            f"waited for, is {limits['max_waiting']}: it has to be as much at least"
        )


def _report_of(receivers: Receivers) -> Callable[[], Report]:
    report = getattr(receivers, "health", None)
    if report is None:
        raise ConfigurationError("WebhookApp: health=True asks for receivers that have health(), as a hub has")
    return cast("Callable[[], Report]", report)
