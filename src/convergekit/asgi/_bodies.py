"""Bodies, within bounds of time, of bytes and of number.

Mostly a body is there before we ask, and then none of this costs anything. One that has to be waited for takes a place.
Places are for everybody, also for callers who send nothing, so nobody may keep one from the next: when there is none
left, whoever is slowest loses his, and it is not the newcomer.
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

#: Bytes that everybody is taken to have sent already, so that nobody is slow who has only just begun.
_CREDIT: Final = 16_384


class Bodies:
    """Reads bodies.

    Args:
        max_body: Bytes of one.
        timeout: Seconds for one, from the moment at which it has to be waited for.
        max_waiting: How many may be waited for at the same time.
        max_waiting_bytes: Bytes that all of these may have brought so far.
    """

    def __init__(self, *, max_body: int, timeout: float, max_waiting: int, max_waiting_bytes: int) -> None:
        self._max_body, self._timeout = max_body, timeout
        self._max_waiting, self._max_bytes = max_waiting, max_waiting_bytes
        self._waiting: set[_Place] = set()
        self._bytes = 0

    async def read(self, headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> bytes | Response | None:
        """All of the body, or the answer to one that we won't have, or None when the caller has gone."""
        refusal = self._refused_by_length(headers)
        if refusal is not None:
            return refusal
        # A timer costs more than all the rest of the limits, so the scope gets its deadline only if `receive` has to
        # wait. It is entered before: whatever scopes the server's `receive` opens lie inside it.
        with anyio.CancelScope() as scope:
            place = _Place(self, scope, receive())
            try:
                message = await place
                if message["type"] != "http.request":
                    return None
                body: bytes = message.get("body", b"")
                if not message.get("more_body", False):
                    return body if len(body) <= self._max_body else _TOO_LARGE
                return await self._rest(place, bytearray(body), receive)
            finally:
                if place.since is not None:
                    self._leave(place)
        return _TIMEOUT

    async def _rest(self, place: _Place, body: bytearray, receive: Receive) -> bytes | Response | None:
        if place.since is None:
            self.wait(place)
        more = True
        while more:
            if len(body) > self._max_body:
                return _TOO_LARGE
            self._grow(place, len(body))
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body) if len(body) <= self._max_body else _TOO_LARGE

    def _refused_by_length(self, headers: Sequence[tuple[bytes, bytes]]) -> Response | None:
        seen = False
        for name, value in headers:
            if name == b"content-length":
                # RFC 9112 §6.3: two of them, or no number, is what whoever stands in front of us may read otherwise.
                if seen or not value.isdigit() or len(value) > 18:
                    return _BAD_LENGTH
                if int(value) > self._max_body:
                    return _TOO_LARGE
                seen = True
        return None

    # Places

    def wait(self, place: _Place) -> None:
        """From now on *place* is waited for."""
        place.since = anyio.current_time()
        place.scope.deadline = place.since + self._timeout
        self._waiting.add(place)
        self._make_room()

    def _grow(self, place: _Place, size: int) -> None:
        if place in self._waiting:
            self._bytes += size - place.size
            place.size = size
            self._make_room()

    def _leave(self, place: _Place) -> None:
        if place in self._waiting:
            self._waiting.remove(place)
            self._bytes -= place.size

    def _make_room(self) -> None:
        while len(self._waiting) > self._max_waiting or self._bytes > self._max_bytes:
            now = anyio.current_time()
            slowest = min(self._waiting, key=lambda each: each.pace(now))
            self._leave(slowest)
            slowest.scope.cancel()


class _Place:
    """One body, and the wait for its first bytes: `await place`.

    Attributes:
        since: When it began to be waited for; None where that was not needed.
        size: Bytes that it has brought.
    """

    __slots__ = ("_bodies", "_call", "scope", "since", "size")

    def __init__(self, bodies: Bodies, scope: anyio.CancelScope, call: Awaitable[MutableMapping[str, Any]]) -> None:
        self._bodies, self.scope, self._call = bodies, scope, call
        self.since: float | None = None
        self.size = 0

    def pace(self, now: float) -> float:
        """Bytes a second; those that have just begun are the quickest."""
        assert self.since is not None
        return (self.size + _CREDIT) / (now - self.since + 1e-6)

    def __await__(self) -> Generator[Any, Any, MutableMapping[str, Any]]:
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
