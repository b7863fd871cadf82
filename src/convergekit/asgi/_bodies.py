"""Bodies, within bounds of time and of bytes.

Mostly a body is there before we ask, and then none of this costs anything. One that has to be waited for has its time,
and all of those together may have brought so many bytes; when there are more, whoever has kept the most for the longest
is cut off. So nobody is turned away because others are slow: who sends little is in nobody's way, however many there
are, since what such a caller costs is a connection, and those are the server's to count.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, MutableMapping, Sequence
from typing import Any, Final

import anyio

from convergekit.abc import Response

from ._wire import Receive

__all__ = ["Bodies"]

_TIMEOUT: Final = Response(408, b"the body did not arrive in time", {"connection": "close"})
_TOO_LARGE: Final = Response(413, b"the body is too large", {"connection": "close"})
_BAD_LENGTH: Final = Response(400, b"malformed content-length", {"connection": "close"})


class Bodies:
    """Reads bodies.

    Args:
        max_body: Bytes of one.
        timeout: Seconds for one, from the moment at which it has to be waited for.
        max_waiting: Bytes that all of those that are waited for may have brought so far.
    """

    def __init__(self, *, max_body: int, timeout: float, max_waiting: int) -> None:
        self._max_body, self._timeout, self._max_waiting = max_body, timeout, max_waiting
        self._waiting: set[_Unfinished] = set()
        self._bytes = 0

    async def read(self, headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> bytes | Response | None:
        """All of the body, or the answer to one that we won't have, or None when the caller has gone."""
        refusal = self._refused_by_length(headers)
        if refusal is not None:
            return refusal
        # A timer costs more than all the rest of the limits, so the scope gets its deadline only if `receive` has to
        # wait. It is entered before: whatever scopes the server's `receive` opens lie inside it.
        with anyio.CancelScope() as scope:
            unfinished = _Unfinished(self, scope)
            try:
                message = await unfinished.next(receive())
                if message["type"] != "http.request":
                    return None
                body: bytes = message.get("body", b"")
                if not message.get("more_body", False):
                    return body if len(body) <= self._max_body else _TOO_LARGE
                return await self._rest(unfinished, bytearray(body), receive)
            finally:
                if unfinished.since is not None:
                    self._leave(unfinished)
        return _TIMEOUT

    async def _rest(self, unfinished: _Unfinished, body: bytearray, receive: Receive) -> bytes | Response | None:
        more = True
        while more:
            if len(body) > self._max_body:
                return _TOO_LARGE
            unfinished.brought = len(body)
            if unfinished.since is not None:
                self._grow(unfinished)
            message = await unfinished.next(receive())
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body) if len(body) <= self._max_body else _TOO_LARGE

    def _refused_by_length(self, headers: Sequence[tuple[bytes, bytes]]) -> Response | None:
        seen = chunked = False
        for name, value in headers:
            if name == b"content-length":
                # RFC 9112 §6.3: two of them, no number, or one beside chunks is what whoever stands in front of us may
                # read otherwise: what we take for one request would be two there.
                if seen or not value.isdigit() or len(value) > 18:
                    return _BAD_LENGTH
                if int(value) > self._max_body:
                    return _TOO_LARGE
                seen = True
            elif name == b"transfer-encoding":
                chunked = True
        return _BAD_LENGTH if seen and chunked else None

    # Those that are not whole

    def wait(self, body: _Unfinished) -> None:
        """From now on *body* is waited for."""
        body.since = anyio.current_time()
        body.scope.deadline = body.since + self._timeout
        self._waiting.add(body)
        self._grow(body)

    def _grow(self, body: _Unfinished) -> None:
        if body not in self._waiting:
            return  # cut off, and about to hear of it
        self._bytes += body.brought - body.size
        body.size = body.brought
        while self._bytes > self._max_waiting:
            now = anyio.current_time()
            most = max(self._waiting, key=lambda each: each.kept(now))
            self._leave(most)
            most.scope.cancel()

    def _leave(self, body: _Unfinished) -> None:
        if body in self._waiting:
            self._waiting.remove(body)
            self._bytes -= body.size


class _Unfinished:
    """One body, and the wait for the next of its bytes: `await unfinished.next(receive())`.

    Attributes:
        since: When it began to be waited for; None where that was not needed.
        brought: Bytes that have come.
        size: Those of them that are counted among what waits.
    """

    __slots__ = ("_bodies", "_call", "brought", "scope", "since", "size")

    def __init__(self, bodies: Bodies, scope: anyio.CancelScope) -> None:
        self._bodies, self.scope = bodies, scope
        self._call: Awaitable[MutableMapping[str, Any]] | None = None
        self.since: float | None = None
        self.brought = self.size = 0

    def next(self, call: Awaitable[MutableMapping[str, Any]]) -> Awaitable[MutableMapping[str, Any]]:
        """What *call* gives; its time begins only where it is not there yet."""
        if self.since is not None:
            return call
        self._call = call
        return self

    def kept(self, now: float) -> float:
        """Bytes times seconds."""
        assert self.since is not None
        return self.size * (now - self.since)

    def __await__(self) -> Generator[Any, Any, MutableMapping[str, Any]]:
        assert self._call is not None
        steps = self._call.__await__()
        try:
            waits_for = next(steps)
        except StopIteration as there:
            message: MutableMapping[str, Any] = there.value
            return message
        self._bodies.wait(self)
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
