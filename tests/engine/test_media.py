"""Media that a medium serves by URL: fetched once, whole, within their limit, whatever happens meanwhile."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import SocketStream
from pydantic import ValidationError

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.abc import Store
from convergekit.engine.options import ChannelOptions
from convergekit.errors import ConfigurationError, DeliveryError, NotSentError, UnsupportedContentError
from convergekit.model import Attachment, Event, MediaFetched
from convergekit.stores.sql import SqlStore
from convergekit.testing import FakeClock
from tests.engine.kit import Probe, ProbeConfig
from tests.http import raw

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
CONTENT = bytes(range(256)) * 1000
HERE = ChannelOptions(fetch_media=300_000, media_hosts=("127.0.0.1",))


def ok(content: bytes = CONTENT) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content


def status(line: str, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", "content-length: 0", *fields, "", ""]).encode()


class Server:
    """Answers with *answers*, one after the other, the last one for ever; None says nothing, and b"" hangs up."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.origin = ""
        self.asked = anyio.Event()

    async def script(self, stream: SocketStream) -> None:
        self.requests.append(await raw.request_of(stream))
        self.asked.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await anyio.sleep_forever()
        else:
            await stream.send(answer)


@asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncGenerator[Server]:
    server = Server(*answers)
    async with raw.serving(server.script) as server.origin:
        yield server


def received(*urls: str, key: str = "1", **fields: Any) -> MessageReceived:
    attachments = [Attachment(url=url, name="cat.png", media_type="image/png", **fields) for url in urls]
    return MessageReceived(key=key, sender="probe:ann", text="look", attachments=attachments)


class Host:
    """A hub with one channel, and what its handlers saw."""

    def __init__(self, hub: Hub, clock: FakeClock) -> None:
        self.hub = hub
        self.clock = clock
        self.fetched: list[MediaFetched] = []
        self.messages: list[MessageReceived] = []

        @hub.on_event(MediaFetched)
        async def fetched(event: MediaFetched) -> None:
            self.fetched.append(event)

        @hub.on_message
        async def message(event: MessageReceived) -> None:
            self.messages.append(event)

    async def admit(self, *events: Event) -> Sequence[Any]:
        adapter = self.hub.channel("probe").adapter
        assert adapter is not None
        admissions = await adapter.context.admit(*events)
        await self.settle()
        return admissions

    async def settle(self, seconds: float = 0) -> None:
        self.clock.advance(seconds)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        await self.hub.idle()

    async def until_fetched(self) -> None:
        with anyio.fail_after(60):
            while not self.fetched:  # noqa: ASYNC110 - it is seen from outside
                await anyio.sleep(0.001)

    async def dead(self) -> list[str | None]:
        return [entry.reason for entry in await self.hub.store.dead_entries()]


@asynccontextmanager
async def host(
    store: Store | None = None,
    options: ChannelOptions = HERE,
    config: Any = None,
    clock: FakeClock | None = None,
    **parts: Any,
) -> AsyncGenerator[Host]:
    clock = clock or FakeClock()
    hub = Hub(store=store or MemoryStore(), clock=clock, random=Random(7), drain=0.1)
    found = Host(hub, clock)
    with anyio.fail_after(60):
        async with hub:
            await hub.add_channel("probe", config or ProbeConfig(), options=options, **parts)
            yield found


async def test_what_is_only_a_url_is_fetched_and_told_of() -> None:
    """The handler of the message does not wait for it; whoever has the attachment can read it from then on."""
    async with serving(ok()) as server, host() as h:
        assert await h.admit(received(f"{server.origin}/cat")) == ("new",)

        (event,), (message,) = h.fetched, h.messages
        assert (event.target, event.conversation, event.sender) == ("1", message.conversation, message.sender)
        assert event.attachment.claim is not None
        assert (event.attachment.name, event.attachment.size, event.attachment.url) == ("cat.png", len(CONTENT), None)
        assert await h.hub.read(event.attachment) == CONTENT
        assert await h.hub.read(message.attachments[0]) == CONTENT
        assert await h.hub.fetch(message.attachments[0]) == event.attachment
        assert await h.hub.fetch(event.attachment) is event.attachment
        assert len(server.requests) == 1


async def test_what_was_swept_is_fetched_anew() -> None:
    """What retention has taken is gone from the store, and may still be served."""
    store = MemoryStore()
    async with serving(ok(), ok()) as server, host(store) as h:
        await h.admit(received(f"{server.origin}/cat"))
        store._blobs.clear()
        assert await h.hub.read(h.messages[0].attachments[0]) == CONTENT
        assert len(server.requests) == 2


async def test_a_handler_may_have_it_now() -> None:
    """It is fetched then and there; and once, although it had been offered as well."""
    got: list[bytes] = []
    async with serving(ok()) as server, host() as h:

        @h.hub.router.middleware
        async def read(handling: Any, call_next: Any) -> Any:
            if isinstance(handling.event, MessageReceived):
                got.extend([await h.hub.read(each) for each in handling.event.attachments])
            return await call_next(handling)

        await h.admit(received(f"{server.origin}/1", f"{server.origin}/2"))
        assert got == [CONTENT, CONTENT]
        assert len(server.requests) == 2
        assert len(h.fetched) == 2


async def test_a_message_that_comes_twice_is_fetched_for_once() -> None:
    async with serving(ok()) as server, host() as h:
        await h.admit(received(server.origin))
        assert await h.admit(received(server.origin), received(server.origin, key="2")) == ("duplicate", "new")
        assert [event.target for event in h.fetched] == ["1", "2"]
        assert len(server.requests) == 2


async def test_nothing_is_fetched_that_nobody_asked_for() -> None:
    """A stranger chooses the URL: without a setting it stays what it is, and who asks is told which setting."""
    async with serving(ok()) as server, host(options=ChannelOptions()) as h:
        await h.admit(received(server.origin))
        (message,) = h.messages
        assert message.attachments == received(server.origin).attachments
        with pytest.raises(UnsupportedContentError, match="fetch_media"):
            await h.hub.fetch(message.attachments[0])
        assert server.requests == []


async def test_half_of_the_settings_is_refused() -> None:
    """Or somebody would believe that media are kept, and they are not."""
    with pytest.raises(ConfigurationError, match="'probe': fetch_media needs media_hosts, for probe"):
        async with host(options=ChannelOptions(fetch_media=9)):
            pass
    with pytest.raises(ConfigurationError, match="'probe': media_hosts needs fetch_media"):
        async with host(options=ChannelOptions(media_hosts=("a.example",))):
            pass
    for wrong in ("https://a.example", "a.example/x", "*", "", "a*.example"):
        with pytest.raises(ValidationError):
            ChannelOptions(fetch_media=9, media_hosts=(wrong,))


@pytest.mark.parametrize(
    ("hosts", "url", "wanted"),
    [
        (("a.example",), "https://A.example/x", True),
        (("A.example",), "https://a.example:8443/x", True),
        (("*.a.example",), "https://b.c.a.example/x", True),
        (("*.a.example",), "https://a.example/x", False),
        (("*.a.example",), "https://evila.example/x", False),
        (("a.example",), "https://a.example.evil/x", False),
        (("a.example",), "https://evil/a.example", False),
        (("a.example",), "https://a.example@evil/", False),
        (("a.example",), "http://[a.example", False),
        (("a.example",), "a.example", False),
    ],
)
async def test_only_hosts_that_are_known_are_asked(hosts: tuple[str, ...], url: str, wanted: bool) -> None:
    """And what looks like one of them is none."""
    transport = httpx.MockTransport(lambda request: httpx.Response(404))
    async with host(options=ChannelOptions(fetch_media=9, media_hosts=hosts), transport=transport) as h:
        await h.admit(received(url))
        assert (h.messages[0].attachments[0].kept_as is not None) == wanted


async def test_nobody_else_says_under_which_name_it_is_kept() -> None:
    """Or one channel's content could be read through another's."""
    async with serving(ok()) as server, host() as h:
        await h.admit(received(server.origin))
        name = h.messages[0].attachments[0].kept_as
        forged = received("https://evil.example/", key="2", kept_as=name)
        await h.admit(forged, received(server.origin, key="3", kept_as="probe|other"))
        assert h.messages[1].attachments[0].kept_as is None
        assert h.messages[2].attachments[0].kept_as not in (None, name, "probe|other")


CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    + (b"10000\r\n" + bytes(65536) + b"\r\n") * 9
    + b"0\r\n\r\n"
)


@pytest.mark.parametrize("answer", [ok(bytes(300_001)), CHUNKED])
async def test_what_is_too_large_is_kept_for_a_person(answer: bytes) -> None:
    """It says how large it may be; trying again would not make it smaller."""
    store = MemoryStore()
    async with serving(answer) as server, host(store) as h:
        await h.admit(received(server.origin))
        assert await h.dead() == ["UnsupportedContentError: probe: it is larger than fetch_media, 300000 bytes"]
        assert h.fetched == []
        assert len(h.messages) == 1
        assert len(server.requests) == 1
        with pytest.raises(UnsupportedContentError, match="300000"):
            await h.hub.fetch(h.messages[0].attachments[0])


async def test_what_says_that_it_is_too_large_is_not_asked_for() -> None:
    async with serving(ok()) as server, host() as h:
        await h.admit(received(server.origin, size=300_001))
        assert len(await h.dead()) == 1
        assert server.requests == []


async def test_what_fits_exactly_is_taken() -> None:
    async with serving(ok(bytes(300_000))) as server, host() as h:
        await h.admit(received(server.origin))
        assert len(h.fetched) == 1


@pytest.mark.parametrize("answer", [status("404 Not Found"), status("410 Gone")])
async def test_what_is_gone_for_good_is_kept_for_a_person(answer: bytes) -> None:
    """Who may have it fetched again once it is there."""
    async with serving(answer, ok()) as server, host() as h:
        await h.admit(received(server.origin))
        assert [str(reason)[:14] for reason in await h.dead()] == ["RejectedError:"]
        (entry,) = await h.hub.store.dead_entries()
        assert await h.hub.store.revive(entry.id)
        h.hub._engine.inbox_pool.wake()
        await h.settle()
        assert len(h.fetched) == 1


@pytest.mark.parametrize(
    "answer",
    [
        status("500 Internal Server Error"),
        status("429 Too Many Requests", "retry-after: 1"),
        status("403 Forbidden"),
        ok()[:-1],
        ok()[:20],
        b"",
        b"nonsense\r\n\r\n",
    ],
    ids=["500", "429", "403", "cut at the end", "cut in the head", "hangs up", "not HTTP"],
)
async def test_what_cannot_be_had_now_is_fetched_later(answer: bytes) -> None:
    """Nothing of the first try is taken for the content."""
    async with serving(answer, answer, ok()) as server, host() as h:
        await h.admit(received(server.origin))
        assert (h.fetched, await h.dead()) == ([], [])
        with pytest.raises(DeliveryError):
            await h.hub.fetch(h.messages[0].attachments[0])
        await h.settle(2)
        (event,) = h.fetched
        assert await h.hub.read(event.attachment) == CONTENT


async def test_it_is_tried_for_hours_and_then_kept_for_a_person() -> None:
    async with serving(status("500 X")) as server, host() as h:
        await h.admit(received(server.origin))
        for _ in range(11):
            assert await h.dead() == []
            await h.settle(3600)
        assert [str(reason)[:13] for reason in await h.dead()] == ["NotSentError:"]
        assert len(server.requests) == 12


async def test_others_do_not_wait_for_one_that_fails() -> None:
    """Neither those of the same channel, nor the conversation."""

    class Half(Server):
        async def script(self, stream: SocketStream) -> None:
            request = await raw.request_of(stream)
            await stream.send(status("500 X") if b"/bad" in request else ok())

    server = Half(None)
    async with raw.serving(server.script) as server.origin, host() as h:
        for number in range(12):
            await h.admit(received(f"{server.origin}/{'bad' if number % 2 else 'good'}", key=str(number)))
        assert len(h.messages) == 12
        assert len(h.fetched) == 6


async def test_a_few_are_fetched_at_a_time_and_messages_go_on() -> None:
    """A host that says nothing holds up four, not the hub."""
    async with serving(None) as server, host() as h:
        adapter = h.hub.channel("probe").adapter
        assert adapter is not None
        await adapter.context.admit(*(received(f"{server.origin}/{number}", key=str(number)) for number in range(80)))
        while len(h.messages) < 80 or len(server.requests) < 4:
            await anyio.lowlevel.checkpoint()
        for _ in range(200):
            await anyio.lowlevel.checkpoint()
        assert len(server.requests) == 4


# Redirects


async def test_redirects_lead_only_to_hosts_that_are_known() -> None:
    async with (
        serving(ok()) as there,
        serving(status("302 Found", f"location: {there.origin}/x")) as server,
        host() as h,
    ):
        await h.admit(received(server.origin))
        assert len(h.fetched) == 1

    async with serving(ok()) as there:
        elsewhere = there.origin.replace("127.0.0.1", "localhost")
        async with serving(status("302 Found", f"location: {elsewhere}")) as server, host() as h:
            await h.admit(received(server.origin))
            assert len(await h.dead()) == 1
            assert there.requests == []


# Restarts


@pytest.fixture(params=["memory", "sql"])
def ledgers(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """What opens the same ledger again."""
    memory = MemoryStore()
    return lambda: memory if request.param == "memory" else SqlStore(f"sqlite:///{tmp_path}/ledger.db")


async def test_what_was_being_fetched_when_the_hub_closed_is_fetched_by_the_next(
    ledgers: Callable[[], Store],
) -> None:
    """It is in the ledger from the moment when the medium was told that we have the message."""
    clock = FakeClock()
    async with serving(None, ok()) as server:
        async with host(ledgers(), clock=clock) as first:
            adapter = first.hub.channel("probe").adapter
            assert adapter is not None
            await adapter.context.admit(received(server.origin))
            await server.asked.wait()
        assert first.fetched == []

        async with host(ledgers(), clock=clock) as second:
            await second.until_fetched()
            assert await second.hub.read(second.fetched[0].attachment) == CONTENT
            assert await second.hub.read(first.messages[0].attachments[0]) == CONTENT


_KILLED = """
import sys, anyio
from convergekit import Hub
from tests.engine.test_media import HERE, ProbeConfig, received

async def main():
    async with Hub(store=sys.argv[1]) as hub:
        await hub.add_channel("probe", ProbeConfig(), options=HERE)
        await hub.channel("probe").adapter.context.admit(received(sys.argv[2]))
        await anyio.sleep_forever()

anyio.run(main)
"""


async def test_a_process_that_is_killed_while_it_fetches_forgets_nothing(tmp_path: Path) -> None:
    """The next one on the same ledger takes it up when the lease has ended."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    async with serving(None, ok()) as server:
        command = [sys.executable, "-c", _KILLED, url, server.origin]
        with anyio.fail_after(60):
            async with await anyio.open_process(command, cwd=ROOT, stdout=None, stderr=None) as process:
                await server.asked.wait()
                process.kill()
                await process.wait()

        clock = FakeClock(datetime.now(UTC) + timedelta(hours=1))
        async with host(SqlStore(url), clock=clock) as h:
            await h.until_fetched()
            assert await h.hub.read(h.fetched[0].attachment) == CONTENT
            assert len(server.requests) == 2


async def test_a_crash_after_it_was_kept_does_not_fetch_it_again() -> None:
    """The offer is handled once more, and finds it."""

    class Crashing(MemoryStore):
        crashes = True

        async def admit(self, channel: str, events: Sequence[Event], *args: Any, **options: Any) -> Any:
            if self.crashes and isinstance(events[0], MediaFetched):
                raise NotSentError("cut off here")
            return await super().admit(channel, events, *args, **options)

    store = Crashing()
    async with serving(ok()) as server, host(store) as h:
        await h.admit(received(server.origin))
        assert h.fetched == []
        store.crashes = False
        await h.settle(2)
        assert len(h.fetched) == 1
        assert len(server.requests) == 1


# Adapters that fetch


class CarefulConfig(ProbeConfig):
    """For `Careful`."""


class Careful(Probe):
    """Serves media to those who have its token."""

    name = "careful"
    schemes = frozenset({"probe"})
    Config = CarefulConfig

    @asynccontextmanager
    async def fetch(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
        assert attachment.url is not None
        async with self.context.http.download(attachment.url, headers={"authorization": "Bearer 1"}) as chunks:
            yield chunks


async def test_an_adapter_that_can_fetches_with_its_credentials() -> None:
    """From wherever its medium says; the limit stays the engine's."""
    options = ChannelOptions(fetch_media=len(CONTENT))
    async with serving(ok(), ok(CONTENT + b"x")) as server, host(options=options, config=CarefulConfig()) as h:
        await h.admit(received(server.origin))
        assert len(h.fetched) == 1
        assert b"authorization: Bearer 1" in server.requests[0]
        await h.admit(received(server.origin, key="2"))
        assert [str(reason)[:23] for reason in await h.dead()] == ["UnsupportedContentError"]


async def test_a_bug_in_an_adapter_is_tried_again_like_any_handlers() -> None:
    class Broken(Careful):
        name = "broken"

        @asynccontextmanager
        async def fetch(self, attachment: Attachment) -> AsyncGenerator[AsyncIterator[bytes]]:
            raise RuntimeError("secret")
            yield

    class BrokenConfig(ProbeConfig):
        """For `Broken`."""

    Broken.Config = BrokenConfig
    async with host(options=ChannelOptions(fetch_media=9), config=BrokenConfig()) as h:
        await h.admit(received("https://a.example/"))
        for _ in range(12):
            await h.settle(3600)
        assert await h.dead() == ["RuntimeError"]


async def test_a_channel_that_is_not_open_here_is_named() -> None:
    async with serving(ok()) as server, host() as h:
        await h.admit(received(server.origin))
        attachment = h.messages[0].attachments[0].model_copy(update={"kept_as": "gone|1"})
        with pytest.raises(NotSentError, match="gone: its channel is not open here"):
            await h.hub.fetch(attachment)
