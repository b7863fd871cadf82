"""What a hostile server sends is read up to a limit, whatever shape it has."""

from __future__ import annotations

import gzip

import anyio
import httpx
import pytest
from anyio.abc import SocketStream

from convergekit.errors import DeliveryError, UncertainError
from convergekit.http import Http, HttpAnswer
from tests.http import raw

pytestmark = pytest.mark.anyio

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(50_000_000), 1)


class Endless:
    """A server that sends *first*, and then *more* again and again, until nobody listens.

    Attributes:
        sent: Bytes that left, which is what was read and what stood in the system's buffers.
    """

    def __init__(self, first: bytes, more: bytes) -> None:
        self._first, self._more = first, more
        self.sent, self.ended = 0, anyio.Event()

    async def __call__(self, stream: SocketStream) -> None:
        await raw.request_of(stream)
        try:
            await stream.send(self._first)
            while True:
                await stream.send(self._more)
                self.sent += len(self._more)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.ended.set()


async def asked(server: Endless) -> HttpAnswer | DeliveryError:
    """What became of it, once the server has noticed that we hung up."""
    http = Http()
    async with raw.serving(server) as origin:
        try:
            found: HttpAnswer | DeliveryError = await http.request("POST", origin, timeout=60, limit=8192)
        except DeliveryError as exc:
            found = exc
        with anyio.fail_after(60):
            await server.ended.wait()
        await http.aclose()
    return found


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"y" * 1000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nx-long: ", b"y" * 65536),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </" + b"a" * 1000 + b">\r\n\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"HTTP/1.1 ", b"2" * 65536),
        (b"", b"\r\n" * 10_000),
    ],
    ids=["many fields", "a long one", "early hints", "continue", "status", "empty lines"],
)
async def test_a_head_that_does_not_end_is_not_waited_for(first: bytes, more: bytes) -> None:
    server = Endless(first, more)
    assert type(await asked(server)) is UncertainError
    assert server.sent < 20_000_000


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n", b"y" * 65536),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"y" * 65536),
        (CHUNKED, b"10000\r\n" + b"y" * 65536 + b"\r\n"),
        (CHUNKED, b"1\r\ny\r\n" * 1000),
        (CHUNKED, b"1;" + b"x" * 10_000 + b"\r\ny\r\n"),
        (CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n"), b"10000\r\n" + b"y" * 65536 + b"\r\n"),
    ],
    ids=["length", "until it closes", "chunks", "small chunks", "extensions", "compressed"],
)
async def test_a_body_that_does_not_end_is_cut_off_and_the_status_stands(first: bytes, more: bytes) -> None:
    server = Endless(first, more)
    answer = await asked(server)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.complete) == (200, False)
    assert len(answer.body) <= 8192
    assert server.sent < 20_000_000


async def test_what_follows_a_body_is_not_waited_for() -> None:
    server = Endless(CHUNKED + b"2\r\nhi\r\n0\r\n", b"x-trailer: " + b"y" * 1000 + b"\r\n")
    answer = await asked(server)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.complete, answer.body) == (200, False, b"hi")


async def test_a_compressed_body_is_not_opened() -> None:
    """We ask for none; who sends one nevertheless is read as he wrote."""
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(BOMB)}\r\n\r\n"
    http = Http()
    async with raw.serving(raw.answers(head.encode() + BOMB)) as origin:
        answer = await http.request("POST", origin)
        await http.aclose()
    assert answer.body == BOMB[:65536]

    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(BOMB))

    answer = await Http(transport=httpx.MockTransport(handler)).request("POST", "https://example.org/")
    assert answer.body == BOMB[:65536]
