"""`Http.upload` against real sockets: all of it, of the size that was said, and nothing is ever uncertain."""

from __future__ import annotations

import gc
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme
from anyio.abc import SocketStream
from anyio.streams.tls import TLSListener

from convergekit.errors import (
    AccountError,
    AuthenticationError,
    DeliveryError,
    NotSentError,
    RejectedError,
    StoreError,
    ThrottledError,
)
from convergekit.http import Http
from tests.http import raw

pytestmark = pytest.mark.anyio

BODY = bytes(range(256)) * 2000
CREATED = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"


async def pieces(body: bytes = BODY, size: int = 4096) -> AsyncGenerator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def uploaded(url: str, *, size: int = len(BODY), body: bytes = BODY, **more: Any) -> int:
    http = Http(channel="files")
    chunks = pieces(body)
    try:
        return (await http.upload(url, chunks, size=size, **more)).status
    finally:
        await chunks.aclose()
        await http.aclose()


async def refused(url: str, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await uploaded(url, **more)
    return caught.value


async def test_all_of_it_arrives_with_its_length() -> None:
    seen: list[bytes] = []

    async def script(stream: SocketStream) -> None:
        seen.append(await raw.request_of(stream))
        await stream.send(CREATED)

    async with raw.serving(script) as origin:
        assert await uploaded(f"{origin}/slot", headers={"content-type": "image/png"}) == 201

    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(b"PUT /slot HTTP/1.1\r\n")
    assert f"content-length: {len(BODY)}".encode() in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert b"content-type: image/png" in head.lower()


async def test_nothing_at_all_can_be_uploaded() -> None:
    async with raw.serving(raw.answers(CREATED)) as origin:
        assert await uploaded(origin, size=0, body=b"") == 201


@pytest.mark.parametrize("size", [len(BODY) - 1, len(BODY) + 1, 0])
async def test_another_size_than_was_said_is_refused(size: int) -> None:
    async with raw.serving(raw.answers(CREATED)) as origin:
        assert "another size" in str(await refused(origin, size=size))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("403 Forbidden\r\n", AuthenticationError),
        ("413 Content Too Large\r\n", RejectedError),
        ("302 Found\r\nlocation: /there\r\n", RejectedError),
        ("500 Internal Server Error\r\n", NotSentError),
        ("503 Service Unavailable\r\nretry-after: 7\r\n", ThrottledError),
    ],
)
async def test_a_refusal_tells_whether_to_try_again(answer: str, error: type[DeliveryError]) -> None:
    reply = f"HTTP/1.1 {answer}content-length: 6\r\n\r\nsecret".encode()
    async with raw.serving(raw.answers(reply)) as origin:
        found = await refused(f"{origin}/token")
    assert type(found) is error
    assert found.code == answer[:3]
    assert "secret" not in str(found)
    assert "token" not in str(found)


@pytest.mark.parametrize("script", [raw.resets, raw.closes], ids=["reset", "closed"])
async def test_an_answer_that_is_lost_is_no_uncertainty(script: Callable[[SocketStream], Any]) -> None:
    """To upload once more does no harm."""
    async with raw.serving(script) as origin:
        assert type(await refused(origin)) is NotSentError


async def test_it_takes_no_longer_than_it_may() -> None:
    async with raw.serving(raw.stalls) as origin:
        assert type(await refused(origin, timeout=0.2)) is NotSentError


async def test_no_connection() -> None:
    assert type(await refused("http://127.0.0.1:1/")) is NotSentError


@pytest.mark.parametrize("url", ["", "ftp://e.org/", "http://user:secret@e.org/", "http://e.org/a b"])
async def test_a_url_that_makes_no_sense(url: str) -> None:
    found = await refused(url)
    assert type(found) is RejectedError
    assert "secret" not in str(found)


async def test_a_server_that_refuses_before_it_has_read_all_is_heard_or_it_is_not_sent() -> None:
    async def script(stream: SocketStream) -> None:
        await stream.receive(10)
        await stream.send(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    big = BODY * 40
    async with raw.serving(script) as origin:
        assert type(await refused(origin, size=len(big), body=big)) in (RejectedError, NotSentError)
    gc.collect()


async def test_what_the_content_raises_comes_out_as_it_is() -> None:
    async def lost() -> AsyncGenerator[bytes]:
        yield b"a"
        raise StoreError("the ledger is gone")

    http, chunks = Http(), lost()
    async with raw.serving(raw.stalls) as origin:
        with pytest.raises(StoreError):
            await http.upload(origin, chunks, size=2)
    await chunks.aclose()
    await http.aclose()


async def test_a_transport_of_the_host_s_own_gets_it_too() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201 if await request.aread() == BODY else 400)

    answer = await Http(transport=httpx.MockTransport(handler)).upload("https://e.org/slot", pieces(), size=len(BODY))
    assert answer.status == 201


class TestTrust:
    @pytest.fixture
    def ca(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    async def origin(self, ca: trustme.CA) -> AsyncIterator[str]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(context)
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        port = plain.extra(anyio.abc.SocketAttribute.local_port)

        async def serve(stream: Any) -> None:
            async with stream:
                await raw.answers(CREATED)(stream)

        async with (
            TLSListener(plain, context, standard_compatible=False) as listener,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(listener.serve, serve)
            yield f"https://localhost:{port}"
            tasks.cancel_scope.cancel()

    @pytest.fixture
    def pem(self, ca: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "ca.pem"
        ca.cert_pem.write_to_path(str(path))
        return path

    async def test_an_authority_of_the_host_s_own_is_believed_when_it_is_named(self, origin: str, pem: Path) -> None:
        http = Http()
        with pytest.raises(NotSentError, match="certificate is not trusted"):
            await http.request("PUT", origin)
        await http.aclose()
        http.trust(pem)
        assert (await http.request("PUT", origin)).status == 201
        await http.aclose()

    @pytest.mark.parametrize("content", [None, b"no certificate"])
    async def test_authorities_that_cannot_be_read_are_told(self, content: bytes | None, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_bytes(content)
        http = Http()
        http.trust(path)
        with pytest.raises(AccountError, match="certificates"):
            await http.request("GET", "https://127.0.0.1:1/")
        await http.aclose()
