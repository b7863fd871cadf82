"""The HTTP client that adapters are lent.

Rules kept here:
- `out.started()` is called once, just before the first byte of the request is written, and not at all where there is
  no connection. A transport of the host's that cannot tell us when it writes (any but httpx's own) may have written at
  any time, so there it is called before the transport is.
- Requests go over a connection of ours, or to the host's transport: nothing logs the URL, no redirect is followed
  unless the caller says where to, no cookie is kept, and no proxy or credential comes out of the environment.
- No text of the client library reaches an error.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, Self
from urllib.parse import urljoin

import anyio

from convergekit._version import __version__
from convergekit.errors import AccountError, InvalidInputError, NotSentError, RejectedError

from . import _library
from ._call import Call
from ._hosted import Hosted
from ._pools import Pools
from .answers import OUTCOMES, Fault, HttpAnswer, Outcome, Outcomes, error_for, outcome_for
from .guard import AddressGuard, refuse
from .retry_after import parse_retry_after

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from ._dial import Lookups

__all__ = ["Http", "Started", "Tells"]

#: RFC 9110 §9.2.1: whatever becomes of such a request, there was nothing to be taken.
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final[Mapping[str, str]] = {
    "user-agent": f"convergekit/{__version__}",
    "accept": "*/*",
    "accept-encoding": "identity",  # what is small needs no compression, and cannot be a bomb
}

_JSON: Final = jsonlib.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_HOPS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Started(Protocol):
    """What is told that the first byte is about to leave: an `Outgoing`."""

    @property
    def started(self) -> Callable[[], None]:
        """Called just before."""
        ...


class Tells(Protocol):
    """What tells the time of day: the context's clock."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class _SystemTime:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Http:
    """HTTP for one channel: pooled, bounded in time and in size, silent in the log.

    Cheap to make: what speaks HTTP is loaded by the first request. Safe to use from any number of tasks.

    Args:
        channel: Name of the channel, for errors.
        transport: Stands in for the network, in tests and behind proxies: an `httpx.AsyncBaseTransport` or one of
            its API-compatible successor. It stays the host's to close.
        client: A whole client of either library instead; likewise the host's to close.
        clock: Tells the time that a `Retry-After` date is measured from.
        connections: To one origin at the same time; further requests wait, which counts as connecting.
        connect_timeout: Seconds until there is a connection, TLS included.
        keep_alive: Seconds that an idle connection is kept. Less than the 5 s after which common servers close
            theirs, since a request that meets the closing end has an uncertain outcome.
    """

    def __init__(
        self,
        *,
        channel: str = "?",
        transport: Any = None,
        client: Any = None,
        clock: Tells | None = None,
        connections: int = 8,
        connect_timeout: float = 5.0,
        keep_alive: float = 4.0,
    ) -> None:
        self.channel = channel
        hosted = transport is not None or client is not None
        self._hosted = Hosted(transport, client, connect_timeout=connect_timeout) if hosted else None
        self._clock = clock or _SystemTime()
        self._connect_timeout, self._keep_alive = connect_timeout, keep_alive
        self._pools = Pools(self._connection, connections, keep=keep_alive)
        self._authorities: Path | None = None
        self._guard: AddressGuard | None = None
        self._lookups: Lookups | None = None

    def trust(self, authorities: Path) -> None:
        """Believe servers that are certified by *authorities* too, from the next connection on.

        A transport or client of the host's own is not asked: it has its own list.

        Args:
            authorities: A file of certificates (PEM), beside the well-known ones. Where it cannot be read, requests
                over TLS are an `AccountError`.
        """
        self._authorities = authorities

    def guard(self, guard: AddressGuard) -> None:
        """Ask *guard* about every address before a connection to it is made, from the next one on.

        What it objects to is a `RejectedError`, and no connection is made. A name is resolved once, all that it leads
        to has to pass, and the connection goes to one of those addresses; TLS and Host keep the name. A transport or
        client of the host's own resolves by itself: there only what the URL says is looked at, an address in any
        spelling, and names that stand for one.
        """
        self._guard = guard

    async def tidy(self) -> None:
        """Close connections that nobody has used for a while, until cancelled: one task for all of them.

        Without it they are closed when others are asked for, and by `aclose`.
        """
        await self._pools.tidy()

    async def aclose(self) -> None:
        """Close every connection of ours. May be called twice; a later request opens new ones."""
        await self._pools.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        out: Started | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        json: Any = None,
        expect: Literal["ok", "json", "anything"] = "ok",
        outcomes: Outcomes = OUTCOMES,
        timeout: float = 20.0,
        limit: int = 65536,
    ) -> HttpAnswer:
        """Make one request, once, and read its answer.

        Args:
            method: In upper case.
            url: With http or https, percent-encoded, and without user name or password.
            out: The message that goes out by this request; None for a call that sends nothing to anybody.
            headers: Beside Host, Content-Length, User-Agent and Accept; printable ASCII.
            content: The body.
            json: The body as a JSON-able value, in place of *content*.
            expect: "ok" raises for every answer that *outcomes* do not call taken; "json" also where the body of one
                that they do is not JSON; "anything" returns any answer, for the caller to judge (`HttpAnswer.error`).
            outcomes: The table that judges.
            timeout: Seconds for all of it.
            limit: Bytes of the answer's body; what is longer comes back incomplete.

        Raises:
            DeliveryError: One of the four outcomes. Where nothing was to be taken (*out* is None, and *method* is
                safe) an uncertain one becomes a `NotSentError`.
        """
        headers = {**_HEADERS, **(headers or {})}
        if json is not None:
            content = _JSON.encode(json).encode()
            headers.setdefault("content-type", "application/json")
        call = Call(method, url, headers, content, limit, _nobody if out is None else out.started)
        if call.origin is not None:
            await self._run(call, timeout)
        answer = self._answer(call)
        fault = call.fault
        if fault is None and expect == "anything":
            return answer
        self._raise_for(fault, answer, call, outcomes, json=expect == "json", safe=out is None and method in _SAFE)
        return answer

    async def upload(
        self,
        url: str,
        chunks: AsyncIterable[bytes],
        *,
        size: int,
        method: str = "PUT",
        headers: Mapping[str, str] | None = None,
        outcomes: Outcomes = OUTCOMES,
        timeout: float = 300.0,
    ) -> HttpAnswer:
        """Hand over what *chunks* give, as they come; nobody gets a message by that, and to do it again does no harm.

        Args:
            url: With http or https, percent-encoded, and without user name or password.
            chunks: Read once. What they raise comes out as it is.
            size: Bytes in all. If there are more or fewer, the request is not finished.
            method: In upper case.
            headers: Beside Host, Content-Length, User-Agent and Accept; printable ASCII.
            outcomes: The table that judges the answer.
            timeout: Seconds for all of it.

        Raises:
            DeliveryError: The answer is none that *outcomes* call taken, or there is none. What is uncertain in a
                request that is not repeated is a `NotSentError` here.
        """
        headers = {**_HEADERS, **(headers or {}), "content-length": str(size)}
        call = Call(method, url, headers, _Measured(chunks, size, self.channel), 65536, _nobody)
        if call.origin is not None:
            await self._run(call, timeout)
        answer = self._answer(call)
        self._raise_for(call.fault, answer, call, outcomes, json=False, safe=True)
        return answer

    @asynccontextmanager
    async def download(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        follow: Callable[[str], bool] | None = None,
        outcomes: Outcomes = OUTCOMES,
        timeout: float = 300.0,
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """What *url* serves, in chunks as they come; of any size, so whoever reads sets a limit.

        Args:
            url: With http or https, percent-encoded, and without user name or password.
            headers: Beside ours; a redirect to another origin does not get them.
            follow: Asked whether a redirect to a URL, which is absolute, is followed; None follows none.
            outcomes: The table that judges the answer.
            timeout: Seconds for all of it, reading included.

        Raises:
            DeliveryError: The answer is none that *outcomes* call taken, or it broke off: then also while reading.
                What is uncertain in a request that changes something is a `NotSentError` here.
        """
        more = dict(headers or {})
        with anyio.move_on_after(timeout):
            for _ in range(_HOPS + 1):
                call = Call("GET", url, {**_HEADERS, **more}, b"", None, _nobody)
                async with self._answered(call, outcomes) as stream:
                    target = _redirected(call) if follow is not None else None
                    if target is None:
                        self._judge(call, outcomes)
                        async with aclosing(self._received(call, stream)) as chunks:
                            yield chunks
                        return
                if follow is None or not follow(target):
                    raise RejectedError("it was redirected to where nobody follows", channel=self.channel)
                more = more if Call("GET", target, {}, b"", None, _nobody).origin == call.origin else {}
                url = target
            raise RejectedError(f"it was redirected more than {_HOPS} times", channel=self.channel)
        raise NotSentError(f"not all had come within {timeout:g} s", channel=self.channel)

    @asynccontextmanager
    async def _answered(self, call: Call, outcomes: Outcomes) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The head of the answer is in *call*; yields the stream of the body, which is cut off where it is not read."""
        if call.origin is None:
            self._judge(call, outcomes)
        inside = False
        try:
            async with self._exchange(call) as stream:
                inside = True
                try:
                    yield stream
                finally:
                    await _cut_off(stream)
        except Exception as exc:
            if inside or _library.fault_of(exc, started=call.started) is None:
                raise
            call.failure = exc
            self._judge(call, outcomes)

    def _judge(self, call: Call, outcomes: Outcomes) -> None:
        self._raise_for(call.fault, self._answer(call), call, outcomes, json=False, safe=True)

    async def _received(self, call: Call, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        try:
            async for chunk in stream:
                yield chunk
        except Exception as exc:
            if _library.fault_of(exc, started=True) is None:
                raise
            raise NotSentError("the connection ended before all had come", channel=self.channel) from exc

    def _raise_for(
        self, fault: Fault | None, answer: HttpAnswer, call: Call, outcomes: Outcomes, *, json: bool, safe: bool
    ) -> None:
        outcome, reason = outcome_for(answer.status, outcomes, retry_after=answer.retry_after), answer.reason
        if fault is None and json and outcome is Outcome.TAKEN and not _is_json(answer):
            fault = Fault.UNREADABLE
        if fault is not None:
            outcome, reason = outcomes.get(fault, Outcome.UNCERTAIN), call.in_words(fault)
        if safe and outcome is Outcome.UNCERTAIN:
            outcome = Outcome.NOT_SENT
        code = str(answer.status) if answer.status else None
        error = error_for(outcome, reason, code=code, retry_after=answer.retry_after, channel=self.channel)
        if error is not None:
            # The text of what stands for INVALID may quote the URL, or a header: it must not even be the cause.
            raise error from (None if fault is Fault.INVALID else call.failure)

    async def _run(self, call: Call, timeout: float) -> None:
        """Let *call* come as far as it can; only a stranger's exception comes out."""
        with anyio.move_on_after(timeout) as scope:
            try:
                if self._hosted is None:
                    await self._over_network(call, scope)
                else:
                    async with self._exchange(call) as stream:
                        await _read(call, stream, scope)
            except Exception as exc:
                if _library.fault_of(exc, started=call.started) is None:
                    raise
                call.failure = exc

    async def _over_network(self, call: Call, scope: anyio.CancelScope) -> None:
        """As `_exchange`, without what that costs."""
        assert call.origin is not None
        pool, connection = await self._pools.take(call.origin)
        try:
            await _read(call, await connection.ask(call), scope)
        finally:
            await self._pools.give(pool, connection)

    @asynccontextmanager
    async def _exchange(self, call: Call) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The head of the answer is in *call*; yields the stream of the body."""
        if self._hosted is not None:
            if self._guard is not None:
                refuse(self._guard.objection_to(call.url), self.channel)
            async with self._hosted.exchange(call) as stream:
                yield stream
            return
        assert call.origin is not None
        async with self._pools.lend(call.origin) as connection:
            yield await connection.ask(call)

    def _connection(self) -> Any:
        from ._connection import Connection

        return Connection(self._tls, self._dial, connect_timeout=self._connect_timeout, keep_alive=self._keep_alive)

    async def _dial(self, origin: str, host: str, port: int) -> SocketStream:
        from ._dial import Lookups, dial

        if self._lookups is None:
            self._lookups = Lookups()
        return await dial(origin, host, port, guard=self._guard, channel=self.channel, resolve=self._lookups)

    def _tls(self) -> Any:
        try:
            return _library.tls(self._authorities)
        except OSError as exc:  # also what is no certificate
            reason = f"the certificates to trust cannot be read: {exc.strerror or 'they are none'}"
            raise AccountError(reason, channel=self.channel) from exc

    def _answer(self, call: Call) -> HttpAnswer:
        headers = dict(call.fields)
        if len(headers) != len(call.fields):  # a field came several times
            headers = {}
            for name, value in call.fields:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        asked = headers.get("retry-after")
        retry_after = None if asked is None else parse_retry_after(asked, self._clock.now())
        return HttpAnswer(call.status, headers, bytes(call.body[: call.limit]), call.complete, retry_after)


class _Measured:
    """*chunks*, which are to be *size* bytes in all; anything else comes out before the request is complete."""

    def __init__(self, chunks: AsyncIterable[bytes], size: int, channel: str) -> None:
        self._chunks, self._left, self._channel = aiter(chunks), size, channel

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await anext(self._chunks, None)
        self._left -= len(chunk or b"")
        if self._left < 0 or (chunk is None and self._left):
            raise RejectedError("the content has another size than was said", channel=self._channel)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


async def _cut_off(stream: AsyncIterator[bytes]) -> None:
    """End *stream* where it is: cancelled from the inside, for Trio warns of generators that nobody has closed."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        with suppress(Exception):  # it may have failed already
            async for _ in stream:
                pass


def _redirected(call: Call) -> str | None:
    """Where the answer says to go, as an absolute URL; None where it does not."""
    location = next((value for name, value in call.fields if name.lower() == "location"), None)
    try:
        return None if call.status not in _REDIRECTS or location is None else urljoin(call.url, location)
    except ValueError:
        return None


def _nobody() -> None:
    """Nobody has to be told that the request started."""


def _is_json(answer: HttpAnswer) -> bool:
    try:
        answer.json()
    except InvalidInputError:
        return False
    return True


async def _read(call: Call, stream: AsyncIterable[bytes], scope: anyio.CancelScope) -> None:
    async for chunk in stream:
        call.body += chunk
        if call.limit is not None and len(call.body) > call.limit:
            # Cancelled rather than left: so the library's nested generators are unwound from the inside, and the
            # connection closes now; Trio warns of generators that the garbage collector has to close.
            scope.cancel()
    call.complete = call.limit is None or len(call.body) <= call.limit
