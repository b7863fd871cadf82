"""The far side over HTTP, as a server on loopback: each thing that it can do, as any client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint

from convergekit.testing.adapter import Cannot, Fault, HttpSubject, Verdict, verify
from tests.testing.adapter.subjects import PigeonSubject, example

pytestmark = pytest.mark.anyio

BottleSubject: type[HttpSubject] = example("own_client").BottleSubject


async def _post(subject: HttpSubject) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        return await client.post(subject.url, json={"text": "hello"})


async def test_what_it_is_handed_is_kept_as_it_came() -> None:
    subject = BottleSubject()
    async with subject.opened():
        assert (await _post(subject)).status_code == 201
    (received,) = subject.received()
    assert received.startswith(b"POST http://127.0.0.1:")
    assert received.endswith(b'\r\n\r\n{"text":"hello"}')


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.UNREACHABLE, httpx.ConnectError),
        (Fault.ANSWER_LOST, httpx.RemoteProtocolError),
        (Fault.RESET, httpx.ReadError),
    ],
)
async def test_a_connection_ends_where_the_fault_says(fault: Fault, error: type[Exception]) -> None:
    subject = BottleSubject()
    async with subject.opened():
        subject.fault(fault)
        with pytest.raises(error):
            await _post(subject)
        assert len(subject.received()) == (fault is not Fault.UNREACHABLE)
        subject.attempted()
        assert (await _post(subject)).status_code == 201


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.REFUSED, 400), (Fault.ACCOUNT, 401), (Fault.THROTTLED, 429), (Fault.ERROR_PAGE, 502)]
)
async def test_an_answer_comes_over_the_wire(fault: Fault, status: int) -> None:
    subject = BottleSubject()
    async with subject.opened():
        subject.fault(fault)
        assert (await _post(subject)).status_code == status


class _Elsewhere(HttpSubject):
    """Another server has the answers."""

    def accept(self, request: httpx.Request) -> Awaitable[httpx.Response]:
        return self._asked(201)

    async def meet(self, fault: Fault, request: httpx.Request) -> httpx.Response:
        return await self._asked(418)

    async def _asked(self, status: int) -> httpx.Response:
        await checkpoint()
        return httpx.Response(status)


async def test_another_server_may_answer_when_all_is_well_and_when_not() -> None:
    subject = _Elsewhere()
    async with httpx.AsyncClient(transport=subject.parts()["transport"]) as client:
        for fault in (None, Fault.REFUSED, Fault.RESET, None):
            if fault is not None:
                subject.fault(fault)
            expected = 201 if fault is None else 418
            assert (await client.post("https://far.example", json={})).status_code == expected
    assert len(subject.received()) == 4


class _Words(httpx.AsyncByteStream):
    """Two words, and then nothing for ever."""

    def __init__(self) -> None:
        self._words = [b"two", b"one"]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._words:
            await anyio.sleep_forever()
        return self._words.pop()


async def test_a_body_that_is_a_stream_comes_as_it_does_until_the_connection_is_dropped() -> None:
    class Speaks(BottleSubject):  # type: ignore[misc, valid-type]
        def accept(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=_Words())

    subject = Speaks()
    heard = b""
    client = httpx.AsyncClient(trust_env=False, timeout=5)
    async with subject.opened(), client, client.stream("GET", subject.url) as answer:
        async for chunk in answer.aiter_bytes():
            heard += chunk
            if heard == b"onetwo":
                await subject.drop()
    assert heard == b"onetwo"


async def test_without_a_server_there_is_no_connection_to_drop() -> None:
    with pytest.raises(Cannot):
        await PigeonSubject().drop()


async def test_what_is_no_http_is_hung_up_on() -> None:
    subject = BottleSubject()
    async with subject.opened():
        url = httpx.URL(subject.url)
        async with await anyio.connect_tcp(url.host, url.port or 0) as stream:
            await stream.send(b"\x16\x03\x01\r\n\r\n")
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()
        assert (await _post(subject)).status_code == 201


@pytest.mark.parametrize(
    "rule", ["unreachable-not-sent", "lost-answer-uncertain", "silence-uncertain", "leaves-nothing"]
)
def test_the_adapter_that_is_lent_a_client_keeps_the_contract_there_as_well(rule: str) -> None:
    """Real connections, by the pool of `context.http`; and a minute of silence takes a moment."""

    class OnLoopback(PigeonSubject):  # type: ignore[misc]
        on_loopback = True

        def settings_at(self, url: str) -> dict[str, str]:
            return {**PigeonSubject.settings, "url": f"{url}/notes"}

    assert {each.verdict for each in verify(OnLoopback, rules=[rule])} - {Verdict.SKIPPED} == {Verdict.KEPT}
