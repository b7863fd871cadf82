"""`RecordingHub` is a `Hub`: one suite for both; and what stands in for an adapter has its limits and its verbs."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest
from anyio import from_thread

from convergekit import Hub, Message, MessageReceived, Router, Status, first_of, sync, via
from convergekit.abc import Adapter
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    KeyConflictError,
    NotRunningError,
    NotSentError,
    RejectedError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import (
    Address,
    Attachment,
    AttachmentLimit,
    Capabilities,
    ConversationRef,
    DispatchState,
    Idempotency,
    IdempotencyKind,
    PresenceChanged,
    Receipt,
    ReceiptReceived,
    TextLimit,
    TypingChanged,
)
from convergekit.testing import FakeClock, Inbound, LoopbackAdapter, Medium, RecordingHub
from convergekit.testing import sync as blocking
from convergekit.testing.recording import recording

pytestmark = pytest.mark.anyio

ANN, BOB = "loopback:ann", "loopback:bob"
SETTINGS = {"adapter": "webhook", "url": "https://example.org/hook", "secrets": ["whsec_" + "QUJD" * 8]}


@dataclass
class World:
    hub: Hub
    medium: Medium
    say: Callable[..., Awaitable[Any]]
    advance: Callable[[float], Awaitable[None]]


@asynccontextmanager
async def plain(**options: Any) -> AsyncGenerator[World]:
    clock, medium = FakeClock(), Medium()
    hub = Hub(store="memory:", clock=clock, random=Random(1), **options)

    async def settle() -> None:
        await anyio.wait_all_tasks_blocked()
        await hub.idle()

    async def say(sender: str, text: str, **fields: Any) -> None:
        medium.say(sender=sender, text=text, **fields)
        await settle()

    async def advance(seconds: float) -> None:
        clock.advance(seconds)
        await settle()

    async with hub:
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
        yield World(hub, medium, say, advance)


@asynccontextmanager
async def recorder(**options: Any) -> AsyncGenerator[World]:
    async with RecordingHub(channels={"chat": "loopback"}, **options) as hub:

        async def say(*said: str, **fields: Any) -> None:
            await hub.inbound("chat", *said, **fields)

        yield World(hub, hub.captured, say, hub.advance)


@pytest.fixture(params=[plain, recorder], ids=["hub", "recording hub"])
def opened(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("real", [Hub, sync.Hub])
def test_every_public_name_is_there_with_its_signature(real: type[Any]) -> None:
    ours = RecordingHub if real is Hub else blocking.RecordingHub
    for name, member in inspect.getmembers(real, callable):
        if not name.startswith("_"):
            assert inspect.signature(getattr(ours, name)) == inspect.signature(member), name


class TestAsAHub:
    """Each of both."""

    async def test_a_message_goes_out_and_its_status_comes_back(self, opened: Any) -> None:
        async with opened() as world:
            ann, bob = await world.hub.send("hello", to=[ANN, BOB])
            assert (ann.status, bob.status) == (Status.ACCEPTED, Status.ACCEPTED)
            assert (world.medium.texts(), world.medium.texts(BOB)) == (["hello", "hello"], ["hello"])
            assert world.medium.sent[0].channel == "chat"

    async def test_a_key_is_known_again(self, opened: Any) -> None:
        async with opened() as world:
            first = await world.hub.send("hello", to=ANN, key="k")
            assert (await world.hub.send("hello", to=ANN, key="k")).id == first.id
            with pytest.raises(KeyConflictError):
                await world.hub.send("other", to=ANN, key="k")
            assert world.medium.texts() == ["hello"]

    async def test_a_handler_answers_once(self, opened: Any) -> None:
        router = Router()

        @router.on_message(channel="chat")
        async def answer(message: MessageReceived) -> str:
            return f"you said {message.text}"

        async with opened(router=router) as world:
            for _ in range(2):
                await world.say(ANN, "hi", key="m1")
            assert world.medium.texts(ANN) == ["you said hi"]

    async def test_a_refusal_is_raised(self, opened: Any) -> None:
        async with opened() as world:
            world.medium.script(RejectedError("no such person", code="550"))
            with pytest.raises(RejectedError) as caught:
                await world.hub.send("hello", to=ANN)
            assert (caught.value.code, caught.value.channel) == ("550", "chat")

    async def test_what_was_not_sent_is_tried_again(self, opened: Any) -> None:
        async with opened() as world:
            world.medium.script(NotSentError("busy"))
            sent = await world.hub.send("hello", to=ANN)
            assert sent.status is Status.QUEUED
            await world.advance(2)
            assert sent.status is Status.ACCEPTED

    async def test_what_may_have_gone_out_is_not_sent_again(self, opened: Any) -> None:
        async with opened() as world:
            world.medium.script(UncertainError("lost"))
            with pytest.raises(UncertainError):
                await world.hub.send("hello", to=ANN)
            await world.advance(3600)
            assert world.medium.texts() == ["hello"]

    async def test_what_is_scheduled_goes_when_it_is_time(self, opened: Any) -> None:
        async with opened() as world:
            later = Message("hello", not_before=world.hub.clock.now() + timedelta(days=1))
            sent = await world.hub.submit(later, to=ANN)
            await world.advance(86_399)
            assert (sent.state, world.medium.texts()) == (DispatchState.WAITING, [])
            await world.advance(1)
            assert world.medium.texts() == ["hello"]

    async def test_routes_and_plans(self, opened: Any) -> None:
        async with opened() as world:
            world.medium.script(RejectedError("gone"), to=ANN)
            way = first_of(via(ANN), via(BOB))
            assert len((await world.hub.plan("hello", to=ANN, via=way)).recipients[0].legs) == 2
            await world.hub.send("hello", to=ANN, via=way)
            assert [str(sent.to) for sent in world.medium.sent] == [BOB]

    async def test_channels_come_and_go(self, opened: Any) -> None:
        async with opened() as world:
            await world.hub.add_channel("second", "loopback://")
            with pytest.raises(ConfigurationError, match="default = true"):
                await world.hub.send("hello", to=ANN)
            await world.hub.remove_channel("second")
            assert {name: each.state for name, each in world.hub.health().channels.items()} == {"chat": "up"}
            with pytest.raises(ConfigurationError, match="fax"):
                await world.hub.send("hello", to="fax:1")

    async def test_it_is_entered_once_and_then_closed(self, opened: Any) -> None:
        async with opened() as world:
            hub = world.hub
        with pytest.raises(NotRunningError):
            await hub.send("hello", to=ANN)
        with pytest.raises(ConfigurationError, match="entered once"):
            async with hub:
                pass


# What stands in for an adapter


class NarrowConfig(LoopbackAdapter.Config):
    """Of its own: by them, an adapter is found."""


class Narrow(Adapter[Any]):
    """Limits of its own, and few verbs."""

    name, schemes, Config = "narrow", frozenset({"narrow"}), NarrowConfig
    capabilities = Capabilities(text=TextLimit(max=10), attachments=AttachmentLimit(count=0))

    async def send(self, out: Any) -> Receipt:
        raise AssertionError("nobody makes the real one")

    def __init__(self, *_: Any) -> None:
        raise AssertionError("nobody makes the real one")


class Knowing(Narrow):
    name, schemes = "knowing", frozenset({"knowing"})
    capabilities = Capabilities(idempotency=Idempotency(kind=IdempotencyKind.KEY))
    edit = Narrow.send


async def test_limits_and_verbs_are_the_real_ones() -> None:
    async with RecordingHub(channels={"sms": Narrow, "chat": Knowing}) as hub:
        await hub.send("one two three four", to="narrow:ann")
        assert hub.captured.texts(channel="sms") == ["one two", "three four"]
        with pytest.raises(UnsupportedContentError):
            await hub.send(Message(attachments=[Attachment(data=b"x")]), to="narrow:ann")

        conversation = hub.conversation("knowing:ann")
        await conversation.edit(await conversation.send("helo"), "hello")
        conversation = hub.conversation("narrow:ann")
        sent = await conversation.send("helo")
        with pytest.raises(UnsupportedContentError, match="narrow cannot edit"):
            await conversation.edit(sent, "hello")
        assert not await conversation.typing()
        assert hub.captured.texts(channel="chat") == ["helo", "hello"]


async def test_what_an_adapter_can_repeat_is_repeated_and_arrives_once() -> None:
    async with RecordingHub(channels={"chat": Knowing}) as hub:
        hub.captured.script(UncertainError("lost"))
        sent = await hub.submit("hello", to="knowing:ann")
        await hub.advance(5)
        assert sent.status is Status.ACCEPTED
        assert hub.captured.texts() == ["hello"]


async def test_a_plan_is_what_the_real_adapter_would_get() -> None:
    message = Message(markdown="**Your parcel**\n\n- one\n- two", attachments=[Attachment(data=b"x" * 9, name="a")])
    plans = []
    for hub in (Hub(store="memory:", clock=FakeClock(), random=Random(1)), RecordingHub()):
        async with hub:
            transport = httpx.MockTransport(lambda request: httpx.Response(204))
            await hub.add_channel("hook", SETTINGS, transport=transport)
            plans.append(str(await hub.plan(message, to="https://example.org/hook")))
    assert plans[0] == plans[1]


async def test_no_rate_keeps_a_test_waiting() -> None:
    async with RecordingHub() as hub:
        await hub.add_channel("chat", {"adapter": "loopback", "rate": {"count": 1, "per": 60}})
        for _ in range(3):
            await hub.send("hello", to=ANN)
        assert len(hub.captured.sent) == 3


async def test_media_come_from_the_medium_and_not_from_a_network() -> None:
    async with RecordingHub() as hub:
        await hub.add_channel("hook", {**SETTINGS, "fetch_media": 100, "media_hosts": ["example.org"]})
        hub.captured.uploads["https://example.org/cat.png"] = b"a cat"
        picture = Attachment(url="https://example.org/cat.png")
        event = await hub.inbound("hook", "https://example.org/ann", "look", attachments=[picture], key="m1")
        assert isinstance(event, MessageReceived)
        (found,) = (await hub.archive.search("look")).found
        assert await hub.read(found.content.attachments[0]) == b"a cat"


async def test_settings_that_the_real_hub_refuses_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="media_hosts"):
        await RecordingHub().add_channel("hook", {**SETTINGS, "fetch_media": 100})


# What comes in


async def answers(message: MessageReceived) -> str:
    match message.text:
        case "boom":
            raise LookupError("no such order")
        case "slow":
            await anyio.sleep_forever()
    return f"{message.key} {message.message_id} {message.subject}"


@asynccontextmanager
async def answering() -> AsyncGenerator[RecordingHub]:
    async with RecordingHub(channels={"chat": "loopback", "other": "loopback"}) as hub:
        hub.on_message(answers)
        yield hub


async def test_a_message_has_what_it_needs_and_what_it_is_given() -> None:
    async with answering() as hub:
        first = await hub.inbound("chat", ANN, "hi", subject="parcel")
        await hub.inbound("chat", Address(ANN), "hi", key="mine")
        assert hub.captured.texts() == ["in-1 in-1 parcel", "mine mine None"]
        assert (first.key, first.at) == ("in-1", hub.clock.now())


async def test_what_a_handler_raises_is_raised_and_the_event_is_kept() -> None:
    async with answering() as hub:
        with pytest.raises(LookupError, match="no such order"):
            await hub.inbound("chat", ANN, "boom")
        with pytest.raises(AssertionError, match="waits behind an event of the same lane"):
            await hub.inbound("chat", ANN, "hi")
        await hub.inbound("other", ANN, "hi")
        await hub.advance(60)
        assert [str(error) for error in hub.failures] == ["no such order"] * 2
        assert hub.captured.texts(channel="chat") == ["in-2 in-2 None"]


async def test_what_a_later_handler_raises_is_raised_too() -> None:
    """A report that a message brought about, say."""
    async with answering() as hub:

        @hub.on_event(ReceiptReceived)
        async def reported(event: ReceiptReceived) -> None:
            raise OSError("the dashboard is away")

        sent = await hub.send("hello", to=ANN, via=via("chat"))
        receipt = Receipt(Status.READ, ids=(hub.captured.only().id,))
        with pytest.raises(OSError, match="dashboard"):
            await hub.inbound("chat", event=ReceiptReceived(receipt=receipt))
        assert sent.status is Status.READ


async def test_what_is_never_stored_comes_in_as_well() -> None:
    async with answering() as hub:
        seen = list[bool]()

        @hub.on_event(TypingChanged)
        async def typing(event: TypingChanged) -> None:
            seen.append(event.typing)

        await hub.inbound("chat", event=TypingChanged(sender=Address(ANN), typing=True))
        assert seen == [True]


async def test_a_handler_that_hangs_is_told() -> None:
    async with answering() as hub:
        with pytest.raises(AssertionError, match=r"still being handled after 0.05 s"):
            await hub.inbound("chat", ANN, "slow", timeout=0.05)


async def test_an_unknown_channel_is_told() -> None:
    async with answering() as hub:
        with pytest.raises(ConfigurationError, match=r"no channel 'mail'; there are \['chat', 'other'\]"):
            await hub.inbound("mail", ANN, "hi")


async def test_a_sender_whom_the_adapter_could_not_answer_is_refused() -> None:
    async with answering() as hub:
        with pytest.raises(InvalidInputError, match=r"nobody writes from tel:\+15550100 on 'chat'.* loopback:"):
            await hub.inbound("chat", "tel:+15550100", "hi")
        conversation = ConversationRef(channel="chat", address=Address(ANN))
        await hub.inbound("chat", "tel:+15550100", "hi", conversation=conversation)
        assert [str(sent.to) for sent in hub.captured.sent] == [ANN]


async def test_what_no_handler_took_is_told() -> None:
    async with RecordingHub(channels={"chat": "loopback"}) as hub:
        hub.on_message(text="hello")(answers)
        event = await hub.inbound("chat", ANN, "helo")
        assert [each.key for each in hub.unhandled] == [event.key]
        with pytest.raises(AssertionError, match=r"(?s)0 messages.*no handler took:\n  chat from loopback:ann"):
            hub.captured.only()
        await hub.inbound("chat", ANN, "hello")
        assert len(hub.unhandled) == 1
        assert len(hub.captured.sent) == 1


async def test_an_unknown_channel_is_not_one_on_which_nothing_went_out() -> None:
    async with answering() as hub:
        for ask in (hub.captured.texts, hub.captured.only, hub.captured.script):
            with pytest.raises(ConfigurationError, match=r"no channel 'chta'; there are \['chat', 'other'\]"):
                ask(channel="chta")
        await hub.send("hello", to=ANN, via=via("other"))
        await hub.remove_channel("other")
        assert hub.captured.texts(channel="other") == ["hello"]


async def test_the_way_in_has_a_type() -> None:
    async with answering() as hub:
        inbound: Inbound = hub.inbound
        assert (await inbound("chat", ANN, "hi")).key == "in-1"


def test_the_way_in_has_a_type_in_blocking_code_too() -> None:
    with blocking.RecordingHub(channels={"chat": "loopback"}) as kiosk:
        say: blocking.Inbound = kiosk.inbound
        event = say("chat", ANN, "hi")
        assert [each.key for each in kiosk.unhandled] == [event.key]


@pytest.mark.parametrize("channels", [["chat"], {"chat": int}, {"chat": None}])
def test_channels_that_are_none_are_refused(channels: Any) -> None:
    with pytest.raises(TypeError, match="channels= has"):
        RecordingHub(channels=channels)


# Settings, and the application's own hub


async def test_settings_from_a_file_need_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAT_SECRET", raising=False)
    monkeypatch.setenv("CONVERGEKIT_CHANNELS__CHAT__POLL_INTERVAL", "2")
    path = tmp_path / "convergekit.toml"
    path.write_text(
        '[channels.chat]\nadapter = "loopback"\nsecret = { env = "CHAT_SECRET" }\n'
        '[store]\nurl = "postgresql://nobody@db.invalid/ledger"\n'
    )
    async with RecordingHub.from_toml(path) as hub:
        await hub.send("hello", to=ANN)
        assert hub.captured.texts() == ["hello"]
    path.write_text('[channels.chat]\nadapter = "loopback"\nsecrets = "x"\n')
    with pytest.raises(ConfigurationError, match="did you mean 'secret'"):
        RecordingHub.from_toml(path)


class Shop(Hub):
    """A host's own class."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(gates=(), role="submit", store=f"sqlite:///{path}")
        self.name = name

    async def greet(self) -> None:
        await self.send(f"{self.name} greets you", to=ANN)


async def test_the_applications_hub_is_itself_again_afterwards(tmp_path: Path) -> None:
    shop = Shop("shop", tmp_path / "never-made.db")
    await shop.add_channel("chat", {"adapter": "loopback"})
    handlers, before = str(shop.router), dict(vars(shop))
    for _ in range(2):
        with recording(shop) as hub:
            assert hub is shop
            async with hub:
                hub.on_message(answers)
                await shop.greet()
                await hub.inbound("chat", ANN, "hi")
                assert hub.captured.texts() == ["shop greets you", "in-1 in-1 None"]
    assert (type(shop), vars(shop), str(shop.router)) == (Shop, before, handlers)
    assert not (tmp_path / "never-made.db").exists()


async def test_a_hub_that_is_open_is_left_alone() -> None:
    async with Hub(store="memory:") as hub:
        with pytest.raises(ConfigurationError, match="close it first"), recording(hub):
            pass
        await hub.idle()


async def test_who_the_host_asks_is_still_asked() -> None:
    class Book:
        async def by_address(self, address: Address) -> None:
            return None

    book: Any = Book()
    with recording(Hub(contacts=book)) as hub:
        assert hub.contacts.resolver is book


# The same behind blocking code


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_blocking_code_has_the_same(backend: Any, tmp_path: Path) -> None:
    shop = sync.Hub(backend=backend, store=f"sqlite:///{tmp_path / 'never-made.db'}")
    shop.add_channel("chat", {"adapter": "loopback"})
    shop.on_message(answers)
    before = dict(vars(shop))
    for _ in range(2):
        with blocking.recording(shop) as hub, hub:
            assert hub is shop
            shop.send("hello", to=ANN)
            hub.inbound("chat", ANN, "hi")
            with pytest.raises(LookupError):
                hub.inbound("chat", ANN, "boom")
            hub.advance(1)
            hub.idle()
            assert (hub.captured.texts(), len(hub.failures)) == (["hello", "in-1 in-1 None"], 2)
    assert (type(shop), vars(shop)) == (sync.Hub, before)
    assert not list(tmp_path.iterdir())


def test_made_for_blocking_code(tmp_path: Path) -> None:
    (tmp_path / "convergekit.toml").write_text('[channels.chat]\nadapter = "loopback"\n')
    made = (
        blocking.RecordingHub(channels={"chat": "loopback"}, backend="trio"),
        blocking.RecordingHub.from_toml(tmp_path / "convergekit.toml"),
    )
    for hub in made:
        with hub:
            hub.send("hello", to=ANN)
            assert hub.captured.texts() == ["hello"]


def test_it_can_be_called_in_the_loop_that_it_lives_in() -> None:
    with blocking.RecordingHub(channels={"chat": "loopback"}) as hub:
        inner = hub._recorder
        from_thread.run(inner.advance, 1, token=inner.token)
        assert inner.clock.monotonic() == 1


def test_an_adapter_is_named_by_its_class_too() -> None:
    hub = RecordingHub(channels={"hook": WebhookAdapter})
    assert hub.health().channels["hook"].adapter == "webhook"


class Instant(LoopbackAdapter):
    name, schemes = "instant", frozenset({"im"})


async def test_a_room_that_is_made_has_an_address_of_the_medium_that_is_stood_in_for() -> None:
    async with RecordingHub(channels={"chat": Instant}) as hub:
        channel = hub.channel("chat")
        room = await channel.create_room("lobby")
        assert room.address.uri == "im:lobby"
        assert await channel.create_room("im:lobby") == room
        await hub.send("hello", to=room)
        assert hub.captured.only().channel == "chat"


async def test_presence_that_comes_in_is_known_afterwards() -> None:
    async with RecordingHub(channels={"chat": LoopbackAdapter}) as hub:
        await hub.inbound("chat", event=PresenceChanged(sender=Address(ANN), presence="busy"))
        assert (await hub.channel("chat").presence_of(ANN)).presence == "busy"


async def test_what_has_gone_out_is_asked_for_by_an_address_in_either_form() -> None:
    async with RecordingHub(channels={"chat": LoopbackAdapter}) as hub:
        hub.captured.script(UncertainError("no answer"), to=Address(ANN))
        with pytest.raises(UncertainError):
            await hub.send("one", to=ANN)
        await hub.send("two", to=BOB)
        assert hub.captured.texts(Address(BOB)) == hub.captured.texts(BOB) == ["two"]
        assert hub.captured.only(to=Address(ANN)).text == "one"


async def test_the_limits_are_those_of_the_settings_and_of_the_conversation(tmp_path: Path) -> None:
    """An application that posts to X sees in its tests which parts a thread has, and what a direct message holds."""
    config = tmp_path / "c.toml"
    config.write_text('[channels.x]\nadapter = "x"\ndsn = "x://KEY:SECRET@default?refresh_token=TOKEN"\n')
    text = "Many words. " * 40
    async with RecordingHub.from_toml(config) as hub:
        await hub.send(text, to="x:public")
        await hub.send(text, to="x:12345")

        *thread, direct = hub.captured.texts()
    assert [len(each) <= 280 for each in thread] == [True, True]
    assert direct == text
