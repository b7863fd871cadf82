"""One connection: what is plain is read here as h11 reads it, the rest by h11, and neither leaves anything behind."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import anyio
import h11
import pytest
from anyio.abc import SocketStream
from hypothesis import given
from hypothesis import strategies as st

from convergekit.errors import NotSentError, RejectedError, UncertainError
from convergekit.http import Http, _connection
from convergekit.http._connection import _plain_answer
from convergekit.http._wire import Wire
from tests.http import raw

pytestmark = pytest.mark.anyio

PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"


class Server:
    """Answers each request with what is next, and counts connections.

    Attributes:
        answers: The pieces of each answer; each piece leaves in a packet of its own.
        requests: What came, by connection.
    """

    def __init__(self, *answers: bytes | list[bytes]) -> None:
        self.answers = [[each] if isinstance(each, bytes) else each for each in answers]
        self.requests: list[list[bytes]] = []

    async def __call__(self, stream: SocketStream) -> None:
        seen = list[bytes]()
        self.requests.append(seen)
        try:
            while self.answers:
                seen.append(await raw.request_of(stream))
                for piece in self.answers.pop(0):
                    await stream.send(piece)
                    await anyio.wait_all_tasks_blocked()
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return

    async def asked(self, *methods: str, **more: Any) -> list[Any]:
        http = Http()
        async with raw.serving(self) as origin:
            answers = [await http.request(method, f"{origin}/a", expect="anything", **more) for method in methods]
            await http.aclose()
        return answers


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN,
        CHUNKED,
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + PLAIN,
        [PLAIN[:9], PLAIN[9:30], PLAIN[30:-1], PLAIN[-1:]],
        [PLAIN[:-2], b"h", b"i"],
        [CHUNKED[:50], CHUNKED[50:]],
    ],
)
async def test_whatever_shape_an_answer_has_the_next_request_goes_over_the_same_connection(
    answer: bytes | list[bytes],
) -> None:
    server = Server(answer, PLAIN, answer)
    answers = await server.asked("GET", "POST", "GET")
    assert [(each.status, each.body, each.complete) for each in answers] == [(200, b"hi", True)] * 3
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n"),
        ("POST", b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"),
    ],
)
async def test_what_has_no_body_is_not_waited_for(method: str, answer: bytes) -> None:
    server = Server(answer, PLAIN)
    first, second = await server.asked(method, "GET")
    assert (first.body, first.complete, second.body) == (b"", True, b"hi")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        PLAIN + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged",  # nobody has asked for that
        CHUNKED + b"HTTP/1.1 200 OK\r\n",
    ],
)
async def test_what_is_not_clean_is_not_used_again(answer: bytes) -> None:
    server = Server(answer, PLAIN)
    answers = await server.asked("GET", "GET")
    assert [each.body for each in answers] == [b"hi", b"hi"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 99 OK\r\ncontent-length: 2\r\n\r\nhi",
    ],
)
async def test_what_can_be_read_in_two_ways_is_not_read(answer: bytes) -> None:
    http = Http()
    async with raw.serving(raw.answers(answer)) as origin:
        with pytest.raises(UncertainError):
            await http.request("POST", origin)
        await http.aclose()


async def read(http: Http, url: str) -> bytes:
    async with http.download(url) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_an_answer_that_breaks_off_is_incomplete() -> None:
    async def script(stream: SocketStream) -> None:
        await raw.request_of(stream)
        await stream.send(PLAIN[:-1])

    http = Http()
    async with raw.serving(script) as origin:
        answer = await http.request("GET", origin, expect="anything")
        assert (answer.status, answer.body, answer.complete) == (200, b"h", False)
        with pytest.raises(NotSentError):
            await read(http, origin)
        await http.aclose()


async def test_head_and_body_leave_together() -> None:
    packets: list[bytes] = []

    async def script(stream: SocketStream) -> None:
        packets.append(await stream.receive())
        await stream.send(PLAIN)

    http = Http()
    async with raw.serving(script) as origin:
        await http.request("POST", origin, content=b"body")
        await http.aclose()
    assert len(packets) == 1
    assert packets[0].endswith(b"content-length: 4\r\n\r\nbody")


async def test_a_connection_that_the_other_side_has_closed_is_not_used() -> None:
    """It would leave open what became of the request."""
    closed: list[anyio.Event] = []

    async def script(stream: SocketStream) -> None:
        closed.append(event := anyio.Event())
        await raw.request_of(stream)
        await stream.send(PLAIN)
        await stream.aclose()
        event.set()

    http = Http()
    async with raw.serving(script) as origin:
        for _ in range(3):
            assert (await http.request("POST", origin)).body == b"hi"
            await closed[-1].wait()
        await http.aclose()
    assert len(closed) == 3


async def test_who_hangs_up_while_we_write_may_have_answered() -> None:
    refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

    async def script(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(refusal)
        with anyio.move_on_after(5):
            while True:  # what is under way is taken in, so that the answer is not lost by a reset
                await stream.receive()

    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(64):
            yield b"x" * 65536

    http, chunks = Http(), endless()
    async with raw.serving(script) as origin:
        with pytest.raises(RejectedError) as caught:
            await http.upload(origin, chunks, size=64 * 65536)
        await http.aclose()
    await chunks.aclose()
    assert caught.value.code == "413"


@pytest.mark.skipif(os.name != "posix", reason="there is one descriptor only")
@pytest.mark.parametrize("script", [raw.answers(PLAIN), raw.closes, raw.stalls], ids=["answered", "closed", "cut off"])
@pytest.mark.parametrize("scheme", ["http:", "https:"])
async def test_nothing_stays_open(script: raw.Script, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a connection there are two descriptors, and where TLS fails nobody else closes them."""
    wires: list[Wire] = []

    def wired(stream: SocketStream) -> Wire:
        wires.append(Wire(stream))
        return wires[-1]

    monkeypatch.setattr(_connection, "wired", wired)
    http = Http(connect_timeout=0.2)
    async with raw.serving(script) as origin:
        with suppress(NotSentError):
            await http.request("GET", origin.replace("http:", scheme), timeout=0.2)
        await http.aclose()
    assert len(wires) == 1
    assert wires[0]._socket.fileno() == -1
    with pytest.raises(anyio.ClosedResourceError):
        await wires[0]._stream.receive()


@pytest.mark.parametrize("value", [" a", "a "])
async def test_what_h11_refuses_has_not_left(value: str) -> None:
    server, http = Server(PLAIN), Http()
    async with raw.serving(server) as origin:
        with pytest.raises(RejectedError):
            await http.request("GET", origin, headers={"x-a": value})
        await http.aclose()
    assert not any(server.requests)


@pytest.mark.parametrize("headers", [{"x-a": ""}, {"te": "trailers"}, {"content-length": "4"}])
async def test_what_is_not_plain_h11_writes(headers: dict[str, str]) -> None:
    server = Server(PLAIN, PLAIN)
    answers = await server.asked("POST", "POST", headers=headers, content=b"body")
    assert [each.body for each in answers] == [b"hi", b"hi"]
    (name, value), (first, _) = *headers.items(), server.requests[0]
    assert f"\r\n{name}: {value}\r\n".encode() in first
    assert first.count(b"content-length: 4\r\n") == 1
    assert first.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", b"/"),
        ("?a=b", b"/?a=b"),
        ("/a%2Fb;c?d=e%20f&g=[h]|i#part", b"/a%2Fb;c?d=e%20f&g=[h]|i"),
        ('/a"b<c>{d}`?e="f"', b"/a%22b%3Cc%3E%7Bd%7D%60?e=%22f%22"),
    ],
)
async def test_a_target_is_written_as_one(path: str, target: bytes) -> None:
    server = Server(PLAIN)
    http = Http()
    async with raw.serving(server) as origin:
        await http.request("GET", origin + path)
        await http.aclose()
    assert server.requests[0][0].startswith(b"GET " + target + b" HTTP/1.1\r\n")
    assert f"\r\nhost: {origin.removeprefix('http://')}\r\n".encode() in server.requests[0][0]


heads = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 201 ",
        b"HTTP/1.1 404",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1  200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 2000 OK",
    ]
)
lines = st.sampled_from(
    [
        b"Content-Length: 2",
        b"content-length:2",
        b"content-length: 0",
        b"content-length: 2, 2",
        b"content-length: -2",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"connection: Keep-Alive",
        b"x-a:",
        b"x-a: \t b c \t",
        b"x-a: caf\xe9",
        b"x a: b",
        b" folded",
        b": b",
        b"x-a",
        b"x-a: b\x0bc",
        b"x-a: b\nc: d",
        b"x-a: b\rc",
        b"",
    ]
)
ends = st.sampled_from([b"\r\n\r\nhi", b"\r\n\r\n", b"\r\n\r\nh", b"\r\n\r\nhi there", b"\n\nhi", b"\r\n"])


@given(heads, st.lists(lines, max_size=4), ends)
def test_what_is_plain_is_what_h11_reads(head: bytes, fields: list[bytes], end: bytes) -> None:
    """Where the two could differ, somebody in between could make us see an answer that was not given."""
    received = b"\r\n".join((head, *fields)) + end
    plain = _plain_answer(received)
    if plain is None:
        return
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(received)
    response = reader.next_event()
    assert isinstance(response, h11.Response)
    assert plain.status == response.status_code
    assert plain.fields == [(name.decode(), value.decode("latin-1")) for name, value in response.headers]
    body = b""
    while isinstance(event := reader.next_event(), h11.Data):
        body += event.data
    assert plain.body == body
    assert (plain.left > 0) == (event is h11.NEED_DATA)
    assert (plain.left < 0) == bool(reader.trailing_data[0])


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_an_answer_without_a_body_is_plain_where_no_length_is_told(length: bytes) -> None:
    """So most receivers of webhooks answer, and h11 would take longer for it than all else does."""
    answer = _plain_answer(b"HTTP/1.1 204 No Content\r\nServer: nginx\r\n" + length + b"Connection: keep-alive\r\n\r\n")
    assert (answer is None) is bool(length)
    assert answer is None or (answer.status, answer.left, answer.body) == (204, 0, b"")


def test_a_head_that_is_made_to_take_long_does_not() -> None:
    """A pattern that tries each way to divide a run of blanks takes minutes for this."""
    for line in (b"x:" + b" " * 60_000 + b"\x00", b"x" * 60_000 + b"\x00:", b"x: " + b"a " * 30_000 + b"\x00"):
        assert _plain_answer(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n") is None
