"""`Http.download` against real sockets: all of it, or an error that says what can be done."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from convergekit.errors import AuthenticationError, DeliveryError, NotSentError, RejectedError, ThrottledError
from convergekit.http import Http
from tests.http import raw

pytestmark = pytest.mark.anyio

BODY = bytes(range(256)) * 2000


def answer(status: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields, "", ""]).encode() + body


@asynccontextmanager
async def http() -> AsyncGenerator[Http]:
    client = Http(channel="hooks")
    try:
        yield client
    finally:
        await client.aclose()


async def downloaded(url: str, **more: Any) -> bytes:
    async with http() as client, client.download(url, **more) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def refused(url: str, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await downloaded(url, **more)
    return caught.value


async def test_all_of_it_comes_in_chunks() -> None:
    async with raw.serving(raw.answers(answer("200 OK", body=BODY))) as origin:
        assert await downloaded(f"{origin}/file") == BODY


async def test_whoever_has_enough_may_stop() -> None:
    """And the next request on the same client is not disturbed by what was left."""
    async with raw.serving(raw.answers(answer("200 OK", body=BODY * 20))) as origin, http() as client:
        for _ in range(3):
            async with client.download(origin) as chunks:
                async for chunk in chunks:
                    assert chunk
                    break


async def test_an_error_of_whoever_reads_is_theirs() -> None:
    async with raw.serving(raw.answers(answer("200 OK", body=BODY))) as origin, http() as client:
        with pytest.raises(OSError, match="my disk"):
            async with client.download(origin):
                raise OSError("my disk")


@pytest.mark.parametrize(
    ("status", "fields", "error"),
    [
        ("404 Not Found", [], RejectedError),
        ("410 Gone", [], RejectedError),
        ("401 Unauthorized", [], AuthenticationError),
        ("500 Internal Server Error", [], NotSentError),
        ("429 Too Many Requests", ["retry-after: 7"], ThrottledError),
        ("302 Found", ["location: /there"], RejectedError),
        ("302 Found", [], RejectedError),
    ],
)
async def test_a_refusal_tells_whether_to_try_again(status: str, fields: list[str], error: type[DeliveryError]) -> None:
    """Nothing is uncertain: to fetch once more does no harm."""
    async with raw.serving(raw.answers(answer(status, *fields, body=b"secret"))) as origin:
        found = await refused(f"{origin}/token")
    assert type(found) is error
    assert found.code == status[:3]
    assert "secret" not in str(found)
    assert "token" not in str(found)


async def breaks_off(stream: SocketStream) -> None:
    await raw.request_of(stream)
    await stream.send(answer("200 OK", body=BODY)[:-1])


async def breaks_off_chunked(stream: SocketStream) -> None:
    await raw.request_of(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")


@pytest.mark.parametrize("script", [breaks_off, breaks_off_chunked, raw.closes, raw.resets])
async def test_what_breaks_off_is_never_taken_for_all(script: Callable[[SocketStream], Any]) -> None:
    async with raw.serving(script) as origin:
        assert isinstance(await refused(origin), NotSentError)


async def test_no_connection() -> None:
    with raw.closed_port() as port:
        assert isinstance(await refused(f"http://127.0.0.1:{port}"), NotSentError)


@pytest.mark.parametrize("url", ["", "ftp://example.org", "http://ann:secret@example.org/", "http:///x", "http://a b/"])
async def test_a_url_that_makes_no_sense(url: str) -> None:
    found = await refused(url)
    assert type(found) is RejectedError
    assert "secret" not in str(found)


async def test_it_takes_no_longer_than_it_may() -> None:
    """Before the answer, and in the middle of it."""

    async def stalls_half_way(stream: SocketStream) -> None:
        await raw.request_of(stream)
        await stream.send(answer("200 OK", body=BODY)[:1000])
        await anyio.sleep_forever()

    for script in (raw.stalls, stalls_half_way):
        async with raw.serving(script) as origin:
            assert "within 0.2 s" in str(await refused(origin, timeout=0.2))


def redirecting(target: Callable[[], str], seen: list[bytes]) -> raw.Script:
    async def script(stream: SocketStream) -> None:
        try:
            while True:
                seen.append(await raw.request_of(stream))
                path = seen[-1].split()[1]
                found = (
                    answer("200 OK", body=b"here") if path == b"/there" else answer("307 X", f"location: {target()}")
                )
                await stream.send(found)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    return script


async def test_a_redirect_is_followed_where_the_caller_says_so() -> None:
    """The same origin gets the same headers; asked is for the absolute URL."""
    seen: list[bytes] = []
    asked: list[str] = []
    async with raw.serving(redirecting(lambda: "/there", seen)) as origin:
        found = await downloaded(
            f"{origin}/here", headers={"authorization": "secret"}, follow=lambda url: asked.append(url) is None
        )
        assert asked == [f"{origin}/there"]
    assert found == b"here"
    assert [b"authorization: secret" in request for request in seen] == [True, True]


async def test_credentials_stay_with_their_origin() -> None:
    seen: list[bytes] = []
    elsewhere = ""
    async with (
        raw.serving(redirecting(lambda: elsewhere, seen)) as origin,
        raw.serving(redirecting(lambda: "", seen)) as other,
    ):
        elsewhere = f"{other}/there"
        assert await downloaded(origin, headers={"authorization": "secret"}, follow=lambda _: True) == b"here"
    assert [b"secret" in request for request in seen] == [True, False]


@pytest.mark.parametrize("target", ["/round", "http://ann:secret@127.0.0.1/", "http://[", "file:///etc/passwd"])
async def test_redirects_that_lead_nowhere(target: str) -> None:
    async with raw.serving(redirecting(lambda: target, [])) as origin:
        found = await refused(origin, follow=lambda _: True)
    assert type(found) is RejectedError
    assert "secret" not in str(found)


async def test_a_redirect_that_the_caller_refuses() -> None:
    seen: list[bytes] = []
    async with raw.serving(redirecting(lambda: "/there", seen)) as origin:
        found = await refused(origin, follow=lambda _: False)
    assert "redirected" in str(found)
    assert len(seen) == 1
