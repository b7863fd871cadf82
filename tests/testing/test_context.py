"""`FakeContext` keeps the promises of `ChannelContext` as the engine's own does: one suite for both."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from pydantic import BaseModel, ConfigDict

from convergekit import Address, Attachment, Hub, MemoryStore, MessageReceived, Receipt, Status
from convergekit.abc import Adapter, Admission, ChannelContext, Cursor, Outgoing
from convergekit.errors import InvalidInputError, NotSentError, StoreError, UnsupportedContentError
from convergekit.model import Event, TypingChanged
from convergekit.stores.sql import SqlStore
from convergekit.testing import FakeClock, FakeContext

pytestmark = pytest.mark.anyio

ANN = Address("loopback:ann")


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Borrower(Adapter[Settings]):
    """An adapter that does nothing but show what it is lent."""

    name = "borrower"
    schemes = frozenset({"borrower"})
    Config = Settings

    async def send(self, out: Outgoing) -> Receipt:
        return Receipt(Status.ACCEPTED)

    def __init__(self, config: Settings, context: ChannelContext) -> None:
        super().__init__(config, context)
        context.parts["lent"].append(context)


@dataclass
class Lent:
    """A context, and how a test looks behind it."""

    context: ChannelContext
    breaks: Any  # called with an error or None: what admission then fails with
    told: Any  # awaited: the ephemeral events so far


class Breaks:
    """A ledger that fails when it is told to."""

    fault: Exception | None = None

    async def admit(self, *args: Any, **options: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        return await super().admit(*args, **options)  # type: ignore[misc]


class BreakingMemory(Breaks, MemoryStore): ...


class BreakingFile(Breaks, SqlStore): ...


@asynccontextmanager
async def fake(transport: httpx.MockTransport, folder: Path) -> AsyncGenerator[Lent]:
    context = FakeContext(channel="lent", transport=transport, parts={"colour": "blue"})

    async def told() -> Sequence[Event]:
        return context.notified

    yield Lent(context, lambda error: setattr(context, "refuses_admission", error), told)
    await context.aclose()


@asynccontextmanager
async def real(transport: httpx.MockTransport, folder: Path, store: Any) -> AsyncGenerator[Lent]:
    lent, notified = list[ChannelContext](), list[Event]()
    async with Hub(store=store, clock=FakeClock()) as hub:
        await hub.add_channel("lent", Settings(), adapter=Borrower, lent=lent, transport=transport, colour="blue")

        @hub.on_event(TypingChanged)
        async def note(event: TypingChanged) -> None:
            notified.append(event)

        async def told() -> Sequence[Event]:
            await anyio.wait_all_tasks_blocked()
            return notified

        yield Lent(lent[0], lambda error: setattr(store, "fault", error), told)


async def serves(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/away":
        raise httpx.ConnectError("refused")
    return httpx.Response(200, json={"channel": request.url.host})


@pytest.fixture(params=["fake", "engine, in memory", "engine, on disk"])
async def lent(request: pytest.FixtureRequest, quick_path: Path) -> AsyncGenerator[Lent]:
    transport = httpx.MockTransport(serves)
    if request.param == "fake":
        made = fake(transport, quick_path)
    else:
        store = BreakingMemory() if "memory" in request.param else BreakingFile(f"sqlite:///{quick_path / 'ledger.db'}")
        made = real(transport, quick_path, store)
    async with made as lent:
        yield lent


@pytest.fixture
def context(lent: Lent) -> ChannelContext:
    return lent.context


def said(key: str, **more: Any) -> MessageReceived:
    return MessageReceived(key=key, sender=ANN, text=key, **more)


class TestAdmission:
    async def test_an_event_is_new_once(self, context: ChannelContext) -> None:
        assert await context.admit(said("1"), said("2"), said("1")) == (
            Admission.NEW,
            Admission.NEW,
            Admission.DUPLICATE,
        )
        assert await context.admit(said("2"), said("3")) == (Admission.DUPLICATE, Admission.NEW)
        assert await context.admit() == ()

    async def test_a_cursor_is_stored_with_the_events(self, context: ChannelContext) -> None:
        assert await context.cursor() is None
        value = {"page": [1]}
        await context.admit(said("1"), cursor=Cursor(value))
        value["page"].append(2)
        await context.admit(cursor=Cursor(7, feed="spam"))
        assert [await context.cursor(), await context.cursor("spam"), await context.cursor("other")] == [
            {"page": [1]},
            7,
            None,
        ]

    async def test_where_the_ledger_fails_nothing_is_stored(self, lent: Lent) -> None:
        lent.breaks(StoreError("the disk is full"))
        with pytest.raises(StoreError, match="the disk is full"):
            await lent.context.admit(said("1"), cursor=Cursor(1))
        lent.breaks(None)
        assert await lent.context.cursor() is None
        assert await lent.context.admit(said("1")) == (Admission.NEW,)

    async def test_without_a_key_it_is_refused(self, context: ChannelContext) -> None:
        with pytest.raises(InvalidInputError, match="no key"):
            await context.admit(said("1"), said(""))
        assert await context.admit(said("1")) == (Admission.NEW,)


class TestState:
    async def test_a_value_is_written_by_compare_and_set(self, context: ChannelContext) -> None:
        assert await context.state.get("token") == (None, 0)
        assert await context.state.put("token", "a", version=0)
        assert not await context.state.put("token", "b", version=0)
        value, version = await context.state.get("token")
        assert value == "a"
        assert await context.state.put("token", "b", version=version)
        assert not await context.state.put("token", "c", version=version)
        assert await context.state.put("token", "d")
        assert (await context.state.get("token"))[0] == "d"

    async def test_none_deletes(self, context: ChannelContext) -> None:
        await context.state.put("token", "a")
        assert await context.state.put("token", None)
        assert (await context.state.get("token"))[0] is None

    async def test_what_is_stored_is_not_what_was_given(self, context: ChannelContext) -> None:
        value = {"parts": [1]}
        await context.state.put("long", value)
        value["parts"].append(2)
        stored, _ = await context.state.get("long")
        assert stored == {"parts": [1]}
        stored["parts"].append(3)
        assert (await context.state.get("long"))[0] == {"parts": [1]}


async def test_a_lock_lets_in_one_at_a_time_under_each_name(context: ChannelContext) -> None:
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with context.lock("token"):
            inside += 1
            most = max(most, inside)
            async with context.lock("other than that"):
                await anyio.lowlevel.checkpoint()
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(work)
    assert (inside, most) == (0, 1)


class TestNotify:
    async def test_of_what_nobody_has_seen_yet_the_newest_wins(self, lent: Lent) -> None:
        bob = Address("loopback:bob")
        for sender, typing in ((ANN, True), (bob, True), (ANN, False)):
            lent.context.notify(TypingChanged(sender=sender, typing=typing))
        told = [(event.sender, event.typing) for event in await lent.told()]
        assert sorted(told, key=str) == [(ANN, False), (bob, True)]

        lent.context.notify(TypingChanged(sender=ANN, typing=True))
        assert [event.typing for event in await lent.told() if event.sender == ANN] == [False, True]

    async def test_it_is_bounded(self, lent: Lent) -> None:
        for number in range(3000):
            lent.context.notify(TypingChanged(sender=Address(f"loopback:{number}"), typing=True))
        told = await lent.told()
        assert 0 < len(told) < 3000
        assert told[-1].sender == Address("loopback:2999")

    async def test_it_says_where(self, lent: Lent) -> None:
        lent.context.notify(TypingChanged(sender=ANN, typing=True))
        (event,) = await lent.told()
        assert event.channel == "lent"
        assert event.conversation is not None
        assert event.conversation.address == ANN


async def chunks() -> AsyncGenerator[bytes]:
    yield b"x" * 70_000
    yield b"end"


class TestContent:
    @pytest.mark.parametrize("kind", ["data", "path", "stream"])
    async def test_it_is_read_wherever_it_is(self, context: ChannelContext, kind: str, tmp_path: Path) -> None:
        content = b"x" * 70_000 + b"end"
        (tmp_path / "file").write_bytes(content)
        made = {
            "data": lambda: Attachment(data=content),
            "path": lambda: Attachment(path=tmp_path / "file"),
            "stream": lambda: Attachment(stream=chunks, name="a"),
        }
        assert await context.read(made[kind]()) == content
        assert await context.read(made[kind](), limit=len(content)) == content
        with pytest.raises(UnsupportedContentError, match="exceeds 70002 bytes"):
            await context.read(made[kind](), limit=len(content) - 1)

    @pytest.mark.parametrize("attachment", [Attachment(data=b"x" * 70_003), Attachment(stream=chunks)])
    async def test_in_chunks_that_are_not_too_large(self, context: ChannelContext, attachment: Attachment) -> None:
        async with context.open(attachment) as stream:
            sizes = [len(chunk) async for chunk in stream]
        assert sum(sizes) == 70_003
        assert max(sizes) <= 65_536

    async def test_a_url_alone_has_no_bytes(self, context: ChannelContext) -> None:
        with pytest.raises(UnsupportedContentError, match="only a URL"):
            await context.read(Attachment(url="https://example.org/cat.png"))


class TestTheRest:
    async def test_http_goes_over_the_transport_that_the_host_gave(self, context: ChannelContext) -> None:
        answer = await context.http.request("GET", "https://example.org/", expect="json")
        assert answer.json() == {"channel": "example.org"}
        with pytest.raises(NotSentError) as caught:
            await context.http.request("GET", "https://example.org/away")
        assert caught.value.channel == "lent"

    async def test_names_and_parts(self, context: ChannelContext) -> None:
        assert context.channel == "lent"
        assert context.log.name == "convergekit.channel.lent"
        assert context.parts["colour"] == "blue"
        assert isinstance(context.parts["transport"], httpx.MockTransport)

    async def test_time_is_the_clocks(self, context: ChannelContext) -> None:
        assert isinstance(context.clock, FakeClock)
        before = context.clock.now()
        await context.clock.sleep(0)
        assert context.clock.now() == before


# What only the fake has


async def test_what_was_admitted_is_there_as_handlers_would_get_it() -> None:
    context = FakeContext(channel="lent")
    await context.admit(said("1"), said("2"))
    await context.admit(said("1"))
    assert [event.key for event in context.admitted] == ["1", "2"]
    first = context.admitted[0]
    assert first.channel == "lent"
    assert first.conversation is not None
    assert (first.conversation.channel, first.conversation.address) == ("lent", ANN)


async def test_secrets_are_found_wherever_the_log_has_them(caplog: pytest.LogCaptureFixture) -> None:
    context = FakeContext()
    context.log.debug("as an argument: %s", "hunter1")
    context.log.info("beside it", extra={"token": "hunter2"})
    try:
        raise ValueError("hunter3")
    except ValueError:
        context.log.exception("in a traceback")
    for secret in ("hunter1", "hunter2", "hunter3"):
        assert secret in context.logged
    assert [record.levelno for record in context.records] == [logging.DEBUG, logging.INFO, logging.ERROR]
    assert "hunter1" in caplog.text  # it goes on to where logs go
    assert FakeContext().logged == ""


async def test_it_is_made_outside_of_any_loop_and_used_in_one() -> None:
    """As a fixture that is not async makes it."""
    made: list[FakeContext] = []
    await anyio.to_thread.run_sync(lambda: made.append(FakeContext()))
    assert await made[0].admit(said("1")) == (Admission.NEW,)
