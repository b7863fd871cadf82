"""`Http` against servers that misbehave, over real sockets: each ending has its outcome."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from convergekit.errors import (
    AccountError,
    AuthenticationError,
    ConvergeError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.http import Http
from convergekit.testing import FakeClock, outgoing
from tests.http import raw

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


class Mark:
    """An `out` that knows whether it was told."""

    def __init__(self) -> None:
        self.times = 0

    def started(self) -> None:
        self.times += 1


async def post(url: str, out: Mark, **more: Any) -> ConvergeError:
    http = Http(channel="hooks")
    try:
        with pytest.raises(DeliveryError) as caught:
            await http.request("POST", url, out=out, content=b"body", **more)
    finally:
        await http.aclose()
    return caught.value


async def test_a_request_arrives_whole_and_its_answer_comes_back() -> None:
    seen: list[bytes] = []

    async def script(stream: SocketStream) -> None:
        seen.append(await raw.request_of(stream))
        await stream.send(b"HTTP/1.1 201 Created\r\nX-Id: 1\r\nx-id: 2\r\ncontent-length: 2\r\n\r\nhi")

    http, out = Http(), Mark()
    async with raw.serving(script) as origin:
        answer = await http.request("POST", f"{origin}/a?b=c", out=out, headers={"x-key": "k"}, content=b"body")
        await http.aclose()

    assert (answer.status, answer.body, answer.complete, answer.headers["x-id"]) == (201, b"hi", True, "1, 2")
    assert seen[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert seen[0].endswith(b"\r\n\r\nbody")
    assert b"\r\nx-key: k\r\n" in seen[0]
    assert out.times == 1


async def test_no_connection_is_not_sent_and_nothing_has_started() -> None:
    out = Mark()
    with raw.closed_port() as port:
        error = await post(f"http://127.0.0.1:{port}/", out)
    assert type(error) is NotSentError
    assert out.times == 0


async def test_an_unknown_host_is_not_sent() -> None:
    out = Mark()
    assert type(await post("http://nowhere.invalid/", out)) is NotSentError
    assert out.times == 0


async def test_tls_that_fails_is_not_sent() -> None:
    async def speaks_plain(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    out = Mark()
    async with raw.serving(speaks_plain) as origin:
        error = await post(origin.replace("http:", "https:"), out)
    assert type(error) is NotSentError
    assert out.times == 0


@pytest.mark.parametrize("script", [raw.resets, raw.closes, raw.stalls], ids=["reset", "closed", "no answer"])
async def test_an_answer_that_is_lost_after_the_request_was_written_is_uncertain(script: raw.Script) -> None:
    out = Mark()
    # Without an answer the time has to run out, and not before the request was written.
    timeout = 1.0 if script is raw.stalls else 60.0
    async with raw.serving(script) as origin:
        error = await post(origin, out, timeout=timeout)
    assert type(error) is UncertainError
    assert out.times == 1


@pytest.mark.parametrize(
    "reply",
    [b"nonsense\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x16\x03\x01", b"HTTP/1.1 200 OK\r\nx" + b"y" * 200_000],
)
async def test_an_answer_that_is_not_http_is_uncertain(reply: bytes) -> None:
    async def script(stream: SocketStream) -> None:
        await raw.request_of(stream)
        await stream.send(reply)

    async with raw.serving(script) as origin:
        assert type(await post(origin, Mark(), timeout=60)) is UncertainError


async def test_time_that_runs_out_before_anything_was_written_is_not_sent() -> None:
    """All connections to that host are in use, and the request never gets its turn."""
    http, first, second = Http(connections=1), Mark(), Mark()
    errors: dict[str, type[Exception]] = {}

    async def send(name: str, out: Mark, timeout: float) -> None:
        try:
            await http.request("POST", origin, out=out, content=b"x", timeout=timeout)
        except DeliveryError as exc:
            errors[name] = type(exc)

    server = raw.Held()
    async with raw.serving(server) as origin, anyio.create_task_group() as tasks:
        tasks.start_soon(send, "first", first, 60)
        await server.asked.wait()
        await send("second", second, 0.05)
        server.let_go.set()
    await http.aclose()

    assert errors == {"first": UncertainError, "second": NotSentError}
    assert (first.times, second.times) == (1, 0)


@pytest.mark.parametrize(
    ("head", "error", "wait"),
    [
        ("301 Moved\r\nlocation: http://127.0.0.1:1/", RejectedError, None),
        ("400 Bad Request", RejectedError, None),
        ("401 Unauthorized", AuthenticationError, None),
        ("402 Payment Required", CreditError, None),
        ("403 Forbidden", AuthenticationError, None),
        ("407 Proxy Authentication Required", AccountError, None),
        ("408 Request Timeout", NotSentError, None),
        ("409 Conflict", UncertainError, None),
        ("418 Teapot", RejectedError, None),
        ("425 Too Early", NotSentError, None),
        ("429 Too Many Requests", ThrottledError, 60.0),
        ("429 Too Many Requests\r\nretry-after: 7", ThrottledError, 7.0),
        ("429 Too Many Requests\r\nretry-after: Thu, 01 Jan 2026 00:01:00 GMT", ThrottledError, 60.0),
        ("500 Internal Server Error", UncertainError, None),
        ("502 Bad Gateway", UncertainError, None),
        ("503 Service Unavailable", UncertainError, None),
        ("503 Service Unavailable\r\nretry-after: 3", ThrottledError, 3.0),
        ("504 Gateway Timeout", UncertainError, None),
        ("599 Whatever", UncertainError, None),
        ("799 Whatever", UncertainError, None),
    ],
)
async def test_each_status_has_its_outcome(head: str, error: type[DeliveryError], wait: float | None) -> None:
    http = Http(channel="hooks", clock=FakeClock())
    reply = f"HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n".encode()
    async with raw.serving(raw.answers(reply)) as origin:
        with pytest.raises(DeliveryError) as caught:
            await http.request("POST", origin, out=Mark())
        await http.aclose()
    assert type(caught.value) is error
    assert caught.value.code == head[:3]
    assert caught.value.channel == "hooks"
    assert getattr(caught.value, "retry_after", None) == wait


async def test_a_body_is_read_up_to_the_limit_and_its_connection_is_closed() -> None:
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    async def script(stream: SocketStream) -> None:
        await raw.request_of(stream)
        await stream.send(endless)
        try:
            while True:
                await stream.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            ended.set()

    ended = anyio.Event()
    http = Http()
    async with raw.serving(script) as origin:
        answer = await http.request("POST", origin, out=Mark(), limit=10_000)
        with anyio.fail_after(60):
            await ended.wait()
        await http.aclose()
    assert (len(answer.body), answer.complete) == (10_000, False)


async def test_a_body_that_breaks_off_leaves_the_status_in_force() -> None:
    async def script(stream: SocketStream) -> None:
        await raw.request_of(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    http = Http()
    async with raw.serving(script) as origin:
        answer = await http.request("POST", origin, out=Mark())
        assert (answer.status, answer.body, answer.complete) == (200, b"half", False)
        with pytest.raises(UncertainError):
            await http.request("POST", origin, out=Mark(), expect="json")
        await http.aclose()


async def test_connections_are_used_again_and_closed_at_the_end() -> None:
    connections, closed = 0, 0

    async def script(stream: SocketStream) -> None:
        nonlocal connections, closed
        connections += 1
        await raw.answers(OK)(stream)
        closed += 1

    http = Http()
    async with raw.serving(script) as origin:
        for _ in range(5):
            await http.request("POST", origin, out=Mark())
        assert (connections, closed) == (1, 0)
        await http.aclose()
        with anyio.fail_after(60):
            while not closed:
                await anyio.lowlevel.checkpoint()
        await http.request("POST", origin, out=Mark())
        assert connections == 2, "a closed one opens again when it is used"
        await http.aclose()


async def test_one_slow_host_takes_no_connection_from_another() -> None:
    http, server = Http(connections=1), raw.Held()
    async with (
        raw.serving(server) as slow,
        raw.serving(raw.answers(OK)) as quick,
        anyio.create_task_group() as tasks,
    ):

        async def wait() -> None:
            with pytest.raises(UncertainError):
                await http.request("POST", slow, out=Mark())

        tasks.start_soon(wait)
        await server.asked.wait()
        assert (await http.request("POST", quick, out=Mark())).status == 200
        server.let_go.set()
    await http.aclose()


async def test_cancelling_closes_the_connection_and_leaves_the_next_request_its_turn() -> None:
    http, mark, asked = Http(connections=1), Mark(), anyio.Event()

    async def script(stream: SocketStream) -> None:
        await raw.request_of(stream)
        if not asked.is_set():
            asked.set()
            await anyio.sleep_forever()
        await stream.send(OK)

    async with raw.serving(script) as origin:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: http.request("POST", origin, out=mark))
            await asked.wait()
            tasks.cancel_scope.cancel()
        assert mark.times == 1
        assert (await http.request("POST", origin, out=Mark())).status == 200
        await http.aclose()


async def test_nothing_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert os.environ["HTTP_PROXY"]
    http = Http()
    async with raw.serving(raw.answers(OK)) as origin:
        assert (await http.request("POST", origin, out=Mark())).status == 200
        await http.aclose()


async def test_neither_url_nor_headers_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    http = Http()
    async with raw.serving(raw.answers(OK)) as origin:
        await http.request(
            "POST", f"{origin}/hook/TOKEN1?k=TOKEN2", out=outgoing(origin), headers={"authorization": "TOKEN3"}
        )
        await http.aclose()
    assert "TOKEN" not in caplog.text


async def test_a_safe_request_that_sends_nothing_is_never_uncertain() -> None:
    http = Http()
    async with raw.serving(raw.closes) as origin:
        with pytest.raises(NotSentError):
            await http.request("GET", origin)
        with pytest.raises(UncertainError):
            await http.request("POST", origin)
        await http.aclose()


@pytest.mark.parametrize("size", [100, 20_000_000])
async def test_a_server_that_refuses_before_it_has_read_all_is_heard_or_uncertain(size: int) -> None:
    """And nothing is left for the garbage collector to complain about."""

    async def script(stream: SocketStream) -> None:
        await stream.receive(10)
        await stream.send(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    http = Http()
    async with raw.serving(script) as origin:
        with pytest.raises((RejectedError, UncertainError)):
            await http.request("POST", origin, out=Mark(), content=b"x" * size)
        await http.aclose()
    gc.collect()
