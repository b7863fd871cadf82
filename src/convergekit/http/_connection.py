"""One connection to one origin: anyio carries it, h11 knows HTTP/1.1, and here the two meet.

Those two are what httpx stands on as well. What lies between them there is made for more than one request at a time
over a connection, for HTTP/2 and for proxies, and costs several times what the request itself does; nothing here needs
that, for `Pools` lends a connection to one request at a time.

Rules kept here:
- Head and body leave together where the body is there: one packet, and one call into the system.
- What is plain, a request that is all printed and an answer with a length, or with a status that has no body, is
  written and read here: most are, and h11 takes ten times as long. Whatever has anything else in it is h11's, from its
  first byte on, as is every error.
- A connection on which the other side has said anything unasked is not used again: mostly it has closed it. Nor is one
  whose answer was not read to its end.
- Who hangs up while we still write may have answered before: the answer is read all the same.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, NamedTuple, Self, TypeAlias
from urllib.parse import quote, urlsplit

import anyio
import h11
from anyio.abc import ByteStream, SocketStream
from anyio.streams.tls import TLSStream

from ._call import Call
from ._wire import readable, wired
from .syntax import TOKEN

__all__ = ["Connection"]

#: Connects; given an origin, and its host and port.
Dial: TypeAlias = Callable[[str, str, int], Awaitable[SocketStream]]

_PORTS: Final = {"http": 80, "https": 443}
#: What may stand in the target of a request as it is; the rest of what is printed goes percent-encoded.
_AS_IT_IS: Final = "!#$%&'()*+,-./:;=?@[\\]^_|~"
_CHUNK: Final = 65536
#: Bytes of an answer's head, with all that may come before it (RFC 9110 §15.2).
_HEAD: Final = 100 * 1024
#: Bytes that may come for each one of the body that is wanted: chunks of one byte take six.
_FRAMED: Final = 8
#: Methods whose empty body is told to be one (RFC 9110 §8.6).
_WITH_A_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
#: What says how a message is framed, or what becomes of the connection: what has one of these is not plain.
_FRAMING: Final = frozenset({"connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"})
_PLAIN_REQUEST: Final = re.compile(rf"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:{TOKEN}: [!-~](?:[ -~]*[!-~])?\r\n)+\r\n")
_FIELD: Final = rf"({TOKEN}):([\t -~\x80-\xff]*)\r\n"  # in linear time, whatever somebody sends
_PLAIN_FIELDS: Final = re.compile(_FIELD)
_PLAIN_HEAD: Final = re.compile(rf"HTTP/1\.1 ([2-5][0-9]{{2}})(?: [\t -~\x80-\xff]*)?\r\n(?:{_FIELD})*\r\n")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
#: Statuses that have no body, whatever the answer says of its length (RFC 9112 §6.3).
_BODILESS: Final = frozenset({"204", "304"})


class Connection:
    """Made when it is first used, and anew when it is no more of use.

    Args:
        tls: Gives the context for https; what it raises comes out as it is.
        dial: Connects to the host and port of an origin; what it raises comes out as it is.
        connect_timeout: Seconds until there is a connection, TLS included.
        keep_alive: Seconds that it may be idle.
    """

    def __init__(
        self, tls: Callable[[], ssl.SSLContext], dial: Dial, *, connect_timeout: float, keep_alive: float
    ) -> None:
        self._tls, self._dial = tls, dial
        self._connect_timeout, self._keep_alive = connect_timeout, keep_alive
        self._stream: ByteStream | None = None
        self._is_readable: Callable[[], bool] = bool
        self._used_at = 0.0
        self._is_broken = False
        self._http: h11.Connection | None = None  # of the exchange that is under way, where it is not plain
        self._body, self._left = b"", -1  # of a plain answer: what is here, and how much is to come; -1 for no answer
        self._most = 0.0  # bytes that may come yet

    async def ask(self, call: Call) -> Self:
        """Write the request, and read the head of the answer into *call*; what is left to read of it is iterated.

        `release` comes after it, whatever happened.
        """
        request = _Request.of(call)
        assert call.origin is not None
        stream = await self._connected(call.origin)
        self._http, self._body, self._left = None, b"", -1
        self._most = math.inf if call.limit is None else _HEAD + _FRAMED * call.limit
        head = request.plain()
        if head is None or not isinstance(call.content, bytes):
            await self._ask_by_h11(request, stream, call)
            return self
        call.start()
        self._is_broken = False
        try:
            await stream.send(head + call.content)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._is_broken = True
        received = await self._receive()
        answer = _plain_answer(received) if call.method != "HEAD" else None
        if answer is None:
            http = self._http = _h11()
            for event in (request.of_h11(), h11.Data(call.content), h11.EndOfMessage()):
                http.send(event)  # as it has left already
            http.receive_data(received)
            await self._read_head(http, call)
        else:
            call.status, call.fields, self._left, self._body = answer
        return self

    async def _ask_by_h11(self, request: _Request, stream: ByteStream, call: Call) -> None:
        http = self._http = _h11()
        head = http.send(request.of_h11()) or b""  # it looks at all of it before anything leaves
        call.start()
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await stream.send(head)
            if isinstance(call.content, bytes):
                await stream.send(http.send(h11.Data(call.content)) or b"")
            else:
                async for chunk in call.content:
                    await stream.send(http.send(h11.Data(chunk)) or b"")
            if rest := http.send(h11.EndOfMessage()):
                await stream.send(rest)
        await self._read_head(http, call)

    async def _read_head(self, http: h11.Connection, call: Call) -> None:
        event = await self._event(http)
        while type(event) is h11.InformationalResponse:
            event = await self._event(http)
        if type(event) is not h11.Response:
            raise h11.RemoteProtocolError("there is no answer")
        call.status = event.status_code
        call.fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._http is not None:
            event = await self._event(self._http)
            if type(event) is h11.Data:
                return bytes(event.data)
            raise StopAsyncIteration
        if chunk := self._body:
            self._body = b""
            return chunk
        if self._left <= 0:
            raise StopAsyncIteration
        chunk = await self._receive()
        if not chunk:
            raise h11.RemoteProtocolError("the connection was closed before the answer's end")
        self._left -= len(chunk)
        return chunk if self._left >= 0 else chunk[: self._left]

    async def release(self) -> None:
        """The request is done: keep the connection for the next one, or close it where that cannot be."""
        if self._is_done():
            self._used_at = monotonic()
        else:
            await self.aclose()

    def _is_done(self) -> bool:
        """Whether the answer was read to its end, with nothing behind it, and the connection stays."""
        if self._http is None:
            return self._left == 0 and not self._body and not self._is_broken
        states = self._http.states
        return states[h11.CLIENT] is states[h11.SERVER] is h11.DONE and not self._http.trailing_data[0]

    async def aclose(self) -> None:
        """Close it. May be called twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)

    async def _connected(self, origin: str) -> ByteStream:
        if self._stream is not None and not self._is_of_use():
            await self.aclose()
        if self._stream is None:
            with anyio.fail_after(self._connect_timeout):
                self._stream = await self._connect(origin)
        return self._stream

    def _is_of_use(self) -> bool:
        return monotonic() - self._used_at < self._keep_alive and not self._is_readable()

    async def _connect(self, origin: str) -> ByteStream:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        context = self._tls() if parts.scheme == "https" else None
        stream: ByteStream = (plain := await self._dial(origin, host, parts.port or _PORTS[parts.scheme]))
        try:
            self._is_readable = readable(plain)
            stream = wired(plain)
            if context is None:
                return stream
            # Not standard-compatible: many servers close without a word, and we know whether the answer was whole.
            name = host.removesuffix(".")  # RFC 6066 §3
            return await TLSStream.wrap(stream, hostname=name, ssl_context=context, standard_compatible=False)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)
            raise

    async def _receive(self) -> bytes:
        """What comes next; b"" where nothing more does."""
        assert self._stream is not None
        try:
            received = await self._stream.receive(_CHUNK)
        except anyio.EndOfStream:
            return b""
        self._most -= len(received)
        if self._most < 0:
            raise h11.RemoteProtocolError("the answer does not end")
        return received

    async def _event(self, http: h11.Connection) -> Any:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await self._receive())  # where it is b"", h11 knows whether anything is missing
        return event


class _Request(NamedTuple):
    """What is written before the body."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    is_plain: bool

    @classmethod
    def of(cls, call: Call) -> _Request:
        parts = urlsplit(call.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        headers = list(call.headers.items())
        names = {name.lower() for name in call.headers}
        if "host" not in names:
            headers.insert(0, ("host", parts.netloc.lower().removesuffix(f":{_PORTS[parts.scheme]}")))
        size = len(call.content) if isinstance(call.content, bytes) else 0
        if "content-length" not in names and (size or call.method in _WITH_A_BODY):
            headers.append(("content-length", str(size)))
        is_plain = isinstance(call.content, bytes) and names.isdisjoint(_FRAMING)
        return cls(call.method, quote(target, safe=_AS_IT_IS), headers, is_plain)

    def plain(self) -> bytes | None:
        """As it goes over the wire; None where h11 has to look at it."""
        if not self.is_plain:
            return None
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        head = f"{self.method} {self.target} HTTP/1.1\r\n{lines}\r\n"
        return head.encode("ascii") if _PLAIN_REQUEST.fullmatch(head) else None

    def of_h11(self) -> h11.Request:
        headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in self.headers]
        return h11.Request(method=self.method, target=self.target, headers=headers)


class _Answer(NamedTuple):
    """The head of a plain answer, and what is there of its body."""

    status: int
    fields: list[tuple[str, str]]
    left: int
    body: bytes


def _plain_answer(received: bytes) -> _Answer | None:
    """What the first bytes of an answer are; None where h11 has to read them."""
    end = received.find(b"\r\n\r\n") + 4
    text = received[:end].decode("latin-1")
    head = _PLAIN_HEAD.fullmatch(text)
    if head is None:
        return None
    found = _PLAIN_FIELDS.findall(text, text.index("\n"))
    fields = [(name.lower(), value.strip(" \t")) for name, value in found]
    framing = [field for field in fields if field[0] in _FRAMING]
    lengths = [value for name, value in framing if name == "content-length" and _LENGTH.fullmatch(value)]
    kept = [value for name, value in framing if name == "connection" and value.lower() == "keep-alive"]
    told = 0 if head[1] in _BODILESS else 1  # a length that is told where there is no body is h11's to judge
    if len(lengths) != told or len(framing) != told + len(kept):
        return None
    length = int(lengths[0]) if lengths else 0
    return _Answer(int(head[1]), fields, length - (len(received) - end), received[end : end + length])


def _h11() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
