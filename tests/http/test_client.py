"""`Http` over stand-ins for the network, of httpx and of its successor."""

from __future__ import annotations

import importlib
import inspect
import logging
import subprocess
import sys
from typing import Any

import httpcore
import httpx
import pytest

from convergekit.errors import ConvergeError, DeliveryError, NotSentError, RejectedError, UncertainError
from convergekit.http import OUTCOMES, Fault, Http, Outcome
from convergekit.http._library import fault_of

pytestmark = pytest.mark.anyio

URL = "https://example.org/hook"


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    """Both; the successor where it is installed."""
    return pytest.importorskip(request.param)


class Mark:
    def __init__(self) -> None:
        self.times = 0

    def started(self) -> None:
        self.times += 1


def raising(library: Any, error: Exception) -> Http:
    def handler(request: Any) -> Any:
        raise error

    return Http(transport=library.MockTransport(handler))


@pytest.mark.parametrize("door", ["transport", "client"])
async def test_a_transport_or_a_client_of_the_host_stands_in(library: Any, door: str) -> None:
    seen: list[Any] = []

    def handler(request: Any) -> Any:
        seen.append(request)
        return library.Response(200, json={"id": 7})

    transport = library.MockTransport(handler)
    http, out = Http(transport=transport), Mark()
    if door == "client":
        http = Http(client=library.AsyncClient(transport=transport))
    answer = await http.request("POST", URL, out=out, json={"a": "ä"}, expect="json")

    assert answer.json() == {"id": 7}
    assert seen[0].content == '{"a":"ä"}'.encode()
    assert seen[0].headers["content-type"] == "application/json"
    assert out.times == 1
    await http.aclose()


async def test_a_client_of_the_host_logs_no_url_of_ours_and_goes_on_logging_its_own(
    library: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = library.AsyncClient(transport=library.MockTransport(lambda _: library.Response(200)))
    http = Http(client=client)
    await http.request("POST", f"{URL}/OURS", out=Mark())
    await client.get(f"{URL}/theirs")
    assert "OURS" not in caplog.text
    assert "theirs" in caplog.text

    assert logging.getLogger(library.__name__).filters == [], "nothing stays behind"
    await http.aclose()
    assert not client.is_closed, "it is the host's to close"
    await client.aclose()


async def test_a_redirect_is_an_answer_and_is_not_followed(library: Any) -> None:
    calls = 0

    def handler(request: Any) -> Any:
        nonlocal calls
        calls += 1
        return library.Response(302, headers={"location": "https://elsewhere.example/"})

    client = library.AsyncClient(transport=library.MockTransport(handler), follow_redirects=True)
    with pytest.raises(RejectedError, match="'Found', and no redirect is followed"):
        await Http(client=client).request("POST", URL, out=Mark())
    assert calls == 1
    await client.aclose()


def exceptions_of(library: Any) -> list[type[Exception]]:
    found = [item for _, item in inspect.getmembers(library, inspect.isclass)]
    return [item for item in found if issubclass(item, Exception) and not issubclass(item, Warning)]


def made(kind: type[Exception], library: Any) -> Exception:
    """An instance, whatever its constructor wants; its text holds something that must not come out."""
    if kind.__name__ == "HTTPStatusError":
        request = library.Request("GET", URL)
        return kind("SECRET", request=request, response=library.Response(500, request=request))  # type: ignore[call-arg]
    if kind.__name__ in {"StreamConsumed", "StreamClosed", "ResponseNotRead", "RequestNotRead"}:
        return kind()
    return kind("SECRET")


async def test_all_that_the_library_can_raise_is_one_of_the_outcomes(library: Any) -> None:
    for kind in exceptions_of(library):
        out = Mark()
        with pytest.raises(DeliveryError) as caught:
            await raising(library, made(kind, library)).request("POST", URL, out=out)
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("core", ["httpcore", "httpcore2"])
def test_the_exceptions_of_the_core_are_known_as_well(core: str) -> None:
    """An own transport over httpcore, such as an address guard, lets them through."""
    for kind in exceptions_of(pytest.importorskip(core)):
        if kind.__name__ != "ConnectionNotAvailable":
            assert fault_of(kind(), started=True) is not None, kind


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (httpx.ConnectError, Fault.CONNECT, Fault.CONNECT),
        (httpx.ConnectTimeout, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_BEFORE),
        (httpx.PoolTimeout, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_BEFORE),
        (httpx.ReadTimeout, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER),
        (httpx.WriteTimeout, Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER),
        (httpx.ReadError, Fault.CONNECT, Fault.LOST),
        (httpx.WriteError, Fault.CONNECT, Fault.LOST),
        (httpx.ProxyError, Fault.CONNECT, Fault.CONNECT),
        (httpx.RemoteProtocolError, Fault.CONNECT, Fault.MALFORMED),
        (httpx.LocalProtocolError, Fault.INVALID, Fault.INVALID),
        (httpx.UnsupportedProtocol, Fault.INVALID, Fault.INVALID),
        (httpx.DecodingError, Fault.CONNECT, Fault.UNREADABLE),
        (httpcore.ReadError, Fault.CONNECT, Fault.LOST),
        (ConnectionResetError, Fault.CONNECT, Fault.LOST),
        (ZeroDivisionError, None, None),
    ],
)
def test_a_fault_depends_on_whether_the_request_had_started(
    kind: type[Exception], before: Fault | None, after: Fault | None
) -> None:
    error = kind("")
    assert (fault_of(error, started=False), fault_of(error, started=True)) == (before, after)


async def test_a_strangers_exception_goes_through() -> None:
    """The engine then knows by `started` whether it is a bug or uncertain."""
    with pytest.raises(ZeroDivisionError):
        await raising(httpx, ZeroDivisionError()).request("POST", URL, out=Mark())


async def test_connecting_that_fails_in_a_foreign_transport_is_not_sent(library: Any) -> None:
    with pytest.raises(NotSentError):
        await raising(library, library.ConnectError("")).request("POST", URL, out=Mark())


async def test_the_table_can_be_overridden_key_by_key() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(int(request.url.path[1:])))

    async def outcome(status: int, table: Any) -> str:
        try:
            await Http(transport=transport).request("POST", f"http://h/{status}", out=Mark(), outcomes=table)
        except ConvergeError as exc:
            return type(exc).__name__
        return "taken"

    table = OUTCOMES | {409: Outcome.TAKEN, "5xx": Outcome.NOT_SENT, Fault.CONNECT: Outcome.UNCERTAIN}
    assert await outcome(409, table) == "taken"
    assert await outcome(500, table) == "NotSentError"
    assert await outcome(503, table) == "UncertainError", "the more specific key wins"
    assert await outcome(500, {}) == "UncertainError", "what is in no table is uncertain"
    with pytest.raises(UncertainError):
        await raising(httpx, httpx.ConnectError("")).request("POST", URL, out=Mark(), outcomes=table)


async def test_an_answer_that_was_to_be_json_and_is_not_is_uncertain() -> None:
    http = Http(transport=httpx.MockTransport(lambda _: httpx.Response(200, text="<html>")))
    with pytest.raises(UncertainError) as caught:
        await http.request("POST", URL, out=Mark(), expect="json")
    assert caught.value.code == "200"


async def test_anything_is_returned_to_who_wants_to_judge_for_himself() -> None:
    http = Http(transport=httpx.MockTransport(lambda _: httpx.Response(400, json={"code": 21610})))
    answer = await http.request("POST", URL, out=Mark(), expect="anything")
    error = answer.error(reason="opted out", code=str(answer.json()["code"]), channel="sms")
    assert str(error) == "sms: opted out [21610]"


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("POST", "ftp://example.org/", {}),
        ("POST", "https:///nohost", {}),
        ("POST", "https://user:SECRET@example.org/", {}),
        ("POST", "https://[::1/", {}),
        ("POST", "https://example.org:99999/", {}),
        ("POST", "https://example.org/a b", {}),
        ("POST", "https://example.org/\r\nx: SECRET", {}),
        ("POST", "https://example.org/\ud800", {}),
        ("POST", URL, {"x": "SECRET\r\ny: z"}),
        ("POST", URL, {"x": "SECRET\x00"}),
        ("POST", URL, {"x": "SECRETä\udfff"}),
        ("POST", URL, {"x y": "SECRET"}),
        ("POST", URL, {"x\r\n": "SECRET"}),
        ("PO ST", URL, {}),
    ],
)
async def test_what_cannot_be_written_is_refused_and_not_shown(method: str, url: str, headers: dict[str, str]) -> None:
    out = Mark()
    with pytest.raises(RejectedError) as caught:
        await Http().request(method, url, out=out, headers=headers)
    assert out.times == 0
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_client_library_is_loaded_by_the_first_request_and_not_before() -> None:
    code = (
        "import sys; from convergekit.http import Http; Http(channel='x'); "
        "import convergekit.adapters.webhook; import convergekit.asgi; "
        "print(*{'httpx', 'httpcore', 'ssl', 'starlette', 'hypercorn'} & {*sys.modules})"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "httpx" not in answer.stdout
    assert "starlette" not in answer.stdout
    assert importlib.util.find_spec("httpx") is not None
