"""Files (XEP-0363) over a scripted stream and a scripted HTTP server: put once, or a typed refusal, never a doubt."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import anyio
import httpx
import pytest
from anyio.abc import TaskGroup

from convergekit.adapters.xmpp import XmppConfig
from convergekit.adapters.xmpp.files import Files
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.adapters.xmpp.stream import StanzaError
from convergekit.errors import (
    AccountError,
    DeliveryError,
    NotSentError,
    RejectedError,
    StoreError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Attachment, FailureKind
from convergekit.testing import FakeContext
from tests.adapters.xmpp.fake_stream import SILENT, FakeStream

pytestmark = pytest.mark.anyio

ITEMS = tag(NS.DISCO_ITEMS, "query")
INFO = tag(NS.DISCO_INFO, "query")
REQUEST = tag(NS.UPLOAD, "request")
SLOT = (
    f"<slot xmlns='{NS.UPLOAD}'><put url='https://up.example.org/put/SECRET'>"
    "<header name='Authorization'>Basic A==</header></put><get url='https://up.example.org/a.png'/></slot>"
)
SERVICES = f"<query xmlns='{NS.DISCO_ITEMS}'><item jid='rooms.example.org'/><item jid='up.example.org'/></query>"
PNG = Attachment(data=b"picture", name="a.png")


def info(limit: int | None = None) -> str:
    form = "" if limit is None else f"<field var='max-file-size'><value>{limit}</value></field>"
    return (
        f"<query xmlns='{NS.DISCO_INFO}'><feature var='{NS.UPLOAD}'/><x xmlns='jabber:x:data' type='result'>"
        f"<field var='FORM_TYPE'><value>{NS.UPLOAD}</value></field>{form}</x></query>"
    )


def only(jid: str, answer: Any, otherwise: Any = f"<query xmlns='{NS.DISCO_INFO}'/>") -> Callable[[Element], Any]:
    return lambda iq: answer if iq.get("to") == jid else otherwise


class Place:
    """Where files are put: answers with `status` once it is `open`, and keeps what came."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.requests: list[httpx.Request] = []
        self.open = anyio.Event()
        self.open.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        await self.open.wait()
        return httpx.Response(self.status)


class Bench:
    def __init__(self, place: Place, tasks: TaskGroup, **settings: Any) -> None:
        self.place, self.stream = place, FakeStream()
        self.stream.answers |= {ITEMS: SERVICES, INFO: only("up.example.org", info()), REQUEST: SLOT}
        self.context = FakeContext(channel="im", transport=httpx.MockTransport(place))
        config = XmppConfig(**{"jid": "bot@example.org", "password": "x", **settings})
        self.files = Files(self.stream, config, self.context, tasks)

    def asked(self, name: str) -> list[Element]:
        return [iq for iq in self.stream.asked if iq[0].tag == name]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running() as made:
        yield made


@contextlib.asynccontextmanager
async def running(place: Place | None = None, **settings: Any) -> AsyncIterator[Bench]:
    async with anyio.create_task_group() as tasks:
        made = Bench(place or Place(), tasks, **settings)
        await made.stream.open()
        yield made
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await made.context.aclose()


async def test_a_file_is_put_and_its_url_returned(bench: Bench) -> None:
    assert await bench.files.upload(PNG) == "https://up.example.org/a.png"

    (put,) = bench.place.requests
    assert (put.method, str(put.url)) == ("PUT", "https://up.example.org/put/SECRET")
    assert put.content == b"picture"
    assert put.headers["content-length"] == "7"
    assert put.headers["content-type"] == "image/png"
    assert put.headers["authorization"] == "Basic A=="
    (request,) = bench.asked(REQUEST)
    assert request.get("to") == "up.example.org"
    assert request[0].attrib == {"filename": "a.png", "size": "7", "content-type": "image/png"}


async def test_what_has_a_url_keeps_it(bench: Bench) -> None:
    assert await bench.files.upload(Attachment(url="https://e.org/x")) == "https://e.org/x"
    assert not bench.stream.asked


async def test_content_of_any_place_is_put(bench: Bench, tmp_path: Path) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"a" * 70_000
        yield b"b"

    (path := tmp_path / "f.bin").write_bytes(b"c" * 100_000)
    for attachment in (Attachment(stream=stream, name="s"), Attachment(path=path)):
        await bench.files.upload(attachment)

    assert [len(put.content) for put in bench.place.requests] == [70_001, 100_000]
    assert [iq[0].get("size") for iq in bench.asked(REQUEST)] == ["70001", "100000"]


async def test_the_service_is_looked_for_once_in_a_session(bench: Bench) -> None:
    for _ in range(3):
        await bench.files.upload(PNG)
    assert len(bench.asked(ITEMS)) == 1

    bench.stream.drop()
    await bench.stream.open()
    await bench.files.upload(PNG)
    assert len(bench.asked(ITEMS)) == 2


async def test_two_at_once_look_for_it_once(bench: Bench) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bench.files.upload, PNG)
        tasks.start_soon(bench.files.upload, PNG)
    assert len(bench.asked(ITEMS)) == 1
    assert len(bench.place.requests) == 2


async def test_a_server_that_takes_them_itself_is_found(bench: Bench) -> None:
    bench.stream.answers |= {ITEMS: StanzaError("cancel", "item-not-found"), INFO: only("example.org", info())}
    await bench.files.upload(PNG)
    assert bench.asked(REQUEST)[0].get("to") == "example.org"


async def test_a_component_asks_the_server_that_it_is_below() -> None:
    async with running(jid="gateway.example.org", account="component", host="127.0.0.1") as bench:
        await bench.files.upload(PNG)
        assert bench.asked(ITEMS)[0].get("to") == "example.org"


async def test_one_who_does_not_answer_hides_nobody(bench: Bench) -> None:
    bench.stream.answers[INFO] = only("up.example.org", info(), otherwise=SILENT)
    assert await bench.files.upload(PNG)


async def test_nobody_is_not_there_as_long_as_somebody_is_silent(bench: Bench) -> None:
    bench.stream.answers[INFO] = only("up.example.org", SILENT)
    with pytest.raises(NotSentError):
        await bench.files.upload(PNG)

    bench.stream.answers[INFO] = only("up.example.org", info())
    assert await bench.files.upload(PNG)


async def test_without_a_service_the_way_out_is_a_url(bench: Bench) -> None:
    bench.stream.answers[INFO] = f"<query xmlns='{NS.DISCO_INFO}'/>"

    assert await bench.files.limit() is None
    with pytest.raises(UnsupportedContentError, match="url"):
        await bench.files.upload(PNG)


async def test_without_a_session_it_is_not_sent(bench: Bench) -> None:
    bench.stream.drop()
    with pytest.raises(NotSentError):
        await bench.files.upload(PNG)


class TestSize:
    @pytest.mark.parametrize(("service", "most"), [(None, 1000), (10, 10), (10_000, 1000)])
    async def test_the_limit_is_the_smaller_of_the_server_s_and_ours(self, service: int | None, most: int) -> None:
        async with running(max_file=1000) as bench:
            bench.stream.answers[INFO] = only("up.example.org", info(service))
            assert await bench.files.limit() == most

    @pytest.mark.parametrize("service", [None, 6])
    async def test_a_larger_file_is_refused_before_a_place_is_asked_for(self, service: int | None) -> None:
        async with running(max_file=7 if service else 6) as bench:
            bench.stream.answers[INFO] = only("up.example.org", info(service))
            with pytest.raises(UnsupportedContentError, match="6") as caught:
                await bench.files.upload(PNG)
            assert caught.value.kind is FailureKind.TOO_LARGE
            assert not bench.asked(REQUEST)

    async def test_one_that_the_service_finds_too_large_is_refused_for_good(self, bench: Bench) -> None:
        bench.stream.answers[REQUEST] = StanzaError("modify", "not-acceptable")
        with pytest.raises(UnsupportedContentError) as caught:
            await bench.files.upload(PNG)
        assert caught.value.kind is FailureKind.TOO_LARGE

    async def test_so_is_one_that_the_place_finds_too_large(self) -> None:
        async with running(Place(413)) as bench:
            with pytest.raises(UnsupportedContentError) as caught:
                await bench.files.upload(PNG)
            assert caught.value.kind is FailureKind.TOO_LARGE


class TestRefusals:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (StanzaError("wait", "resource-constraint"), NotSentError),  # the quota of XEP-0363 §4
            (StanzaError("cancel", "resource-constraint"), NotSentError),
            (StanzaError("cancel", "internal-server-error"), NotSentError),
            (StanzaError("cancel", "not-allowed"), RejectedError),
            (StanzaError("auth", "forbidden"), RejectedError),
            (SILENT, NotSentError),
        ],
    )
    async def test_of_a_slot(self, bench: Bench, error: Exception, kind: type[DeliveryError]) -> None:
        bench.stream.answers[REQUEST] = error
        with pytest.raises(DeliveryError) as caught:
            await bench.files.upload(PNG)
        assert type(caught.value) is kind
        assert not bench.place.requests

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            *((401, RejectedError), (403, RejectedError), (404, RejectedError), (409, RejectedError)),
            *((500, NotSentError), (502, NotSentError), (503, NotSentError), (507, NotSentError)),
            *((429, ThrottledError), (302, RejectedError)),
        ],
    )
    async def test_of_the_place(self, status: int, kind: type[DeliveryError]) -> None:
        """It is never uncertain, and never about the account: nobody has heard anything yet."""
        async with running(Place(status)) as bench:
            with pytest.raises(DeliveryError) as caught:
                await bench.files.upload(PNG)
        assert type(caught.value) is kind
        assert not isinstance(caught.value, AccountError | UncertainError)
        assert "a file could not be uploaded" in str(caught.value)
        assert "SECRET" not in str(caught.value)

    @pytest.mark.parametrize("put", ["http://up.example.org/a", "ftp://up.example.org/a", "nowhere"])
    async def test_of_ours_to_put_it_just_anywhere(self, bench: Bench, put: str) -> None:
        bench.stream.answers[REQUEST] = SLOT.replace("https://up.example.org/put/SECRET", put)
        with pytest.raises(RejectedError):
            await bench.files.upload(PNG)
        assert not bench.place.requests

    async def test_without_tls_where_the_stream_has_none(self) -> None:
        async with running(security="none", host="localhost") as bench:
            bench.stream.answers[REQUEST] = SLOT.replace("https://up", "http://up")
            assert await bench.files.upload(PNG)

    async def test_content_that_is_lost_is_no_bug_of_the_message(self, bench: Bench) -> None:
        async def lost() -> AsyncIterator[bytes]:
            yield b"a"
            raise StoreError("gone")

        with pytest.raises(NotSentError):
            await bench.files.upload(Attachment(stream=lost, size=2))


class TestRepeats:
    async def test_a_further_attempt_does_not_upload_again(self, bench: Bench) -> None:
        assert await bench.files.upload(PNG, "k/0") == await bench.files.upload(PNG, "k/0")
        assert len(bench.place.requests) == 1

        await bench.files.upload(PNG, "k/1")
        assert len(bench.place.requests) == 2

    async def test_one_that_takes_longer_than_an_attempt_goes_on(self, bench: Bench) -> None:
        """Else a large file on a slow line would be begun again and again, and never be there."""
        bench.place.open = anyio.Event()
        async with anyio.create_task_group() as attempt:
            attempt.start_soon(bench.files.upload, PNG, "k")
            await bench.stream.until(lambda: bench.place.requests)
            attempt.cancel_scope.cancel()

        bench.place.open.set()
        assert await bench.files.upload(PNG, "k") == "https://up.example.org/a.png"
        assert len(bench.place.requests) == 1

    async def test_what_failed_when_nobody_waited_is_begun_again(self, bench: Bench) -> None:
        bench.place.open, bench.place.status = anyio.Event(), 500
        async with anyio.create_task_group() as attempt:
            attempt.start_soon(bench.files.upload, PNG, "k")
            await bench.stream.until(lambda: bench.place.requests)
            attempt.cancel_scope.cancel()
        bench.place.open.set()
        await anyio.wait_all_tasks_blocked()

        bench.place.status = 201
        assert await bench.files.upload(PNG, "k")

    async def test_a_channel_that_closes_lets_nobody_wait(self) -> None:
        place, seen = Place(), list[Exception]()
        place.open = anyio.Event()
        async with anyio.create_task_group() as attempts, running(place) as bench:

            async def attempt() -> None:
                try:
                    await bench.files.upload(PNG, "k")
                except NotSentError as exc:
                    seen.append(exc)

            attempts.start_soon(attempt)
            await bench.stream.until(lambda: place.requests)
        assert len(seen) == 1

    async def test_without_a_key_each_is_its_own(self, bench: Bench) -> None:
        await bench.files.upload(PNG)
        await bench.files.upload(PNG)
        assert len(bench.place.requests) == 2

    async def test_what_failed_is_tried_again(self, bench: Bench) -> None:
        bench.place.status = 500
        with pytest.raises(NotSentError):
            await bench.files.upload(PNG, "k")
        bench.place.status = 201
        assert await bench.files.upload(PNG, "k")

    async def test_only_the_latest_are_remembered(self, bench: Bench) -> None:
        for number in range(257):
            await bench.files.upload(PNG, f"k{number}")
        await bench.files.upload(PNG, "k256")
        assert len(bench.place.requests) == 257
        await bench.files.upload(PNG, "k0")
        assert len(bench.place.requests) == 258


async def test_the_authorities_of_the_channel_are_trusted_for_its_files(tmp_path: Path) -> None:
    """By what is fetched, too, which the engine does by the same HTTP."""
    settings: dict[str, Any] = {"jid": "bot@example.org", "password": "x", "ca": tmp_path / "none.pem"}
    context = FakeContext()
    async with anyio.create_task_group() as tasks:
        Files(FakeStream(), XmppConfig(**settings), context, tasks)
        with pytest.raises(AccountError, match="certificates"):
            await context.http.request("GET", "https://localhost:1/")
    await context.aclose()
