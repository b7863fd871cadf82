"""The public interface: the obvious call is the right call, and a wrong one says what to do."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import (
    Address,
    Attachment,
    Contact,
    ConversationRef,
    Hub,
    MemoryStore,
    Message,
    MessageReceived,
    Receipt,
    Router,
    Status,
    all_of,
    first_of,
    via,
)
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import LoopbackConfig, Medium
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    KeyConflictError,
    NotRunningError,
    NotSentError,
    RejectedError,
    SuppressedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import ConversationKind, DispatchState, FailureKind, Operation
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
BOB = "loopback:bob"


class World:
    """A hub, its clock, and the medium of its only channel."""

    def __init__(self, hub: Hub, clock: FakeClock, medium: Medium) -> None:
        self.hub, self.clock, self.medium = hub, clock, medium

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for _ in range(20):
            await checkpoint()
        await self.hub.idle()


@asynccontextmanager
async def opened(medium: Medium | None = None, **options: Any) -> AsyncGenerator[World]:
    clock, medium = FakeClock(), medium or Medium()
    hub = Hub(store=options.pop("store", None) or MemoryStore(), clock=clock, random=Random(3), **options)
    with anyio.fail_after(60):
        async with hub:
            await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
            yield World(hub, clock, medium)


def never(gate: anyio.Event) -> Any:
    async def step(out: Outgoing) -> Receipt | None:
        await gate.wait()
        return None

    return step


# Sending


@pytest.mark.parametrize(
    "to",
    [
        ANN,
        Address.parse(ANN),
        Contact(id="1", addresses=(ANN,)),
        ConversationRef(channel="loop", address=ANN),
        ConversationRef(address=ANN),
    ],
    ids=["uri", "address", "contact", "conversation", "conversation without a channel"],
)
async def test_whatever_names_somebody_can_be_sent_to(to: Any) -> None:
    """One handle comes back, which knows the status."""
    async with opened() as world:
        sent = await world.hub.send("hello", to=to)

        assert sent.status is Status.ACCEPTED
        assert sent.state is DispatchState.SATISFIED
        assert sent.error is None
        assert sent.reason is None
        assert world.medium.texts(ANN) == ["hello"]
        assert sent.id in repr(sent)
        assert (await world.hub.store.load(sent.id)) == sent.dispatch


async def test_a_conversations_handle_can_be_sent_to_as_well() -> None:
    """It is a recipient like its reference."""
    async with opened() as world:
        conversation = world.hub.conversation(ANN)
        await world.hub.send("one", to=conversation)
        await world.hub.send("two", to=[conversation, conversation.ref])

        assert world.medium.texts(ANN) == ["one", "two", "two"]


async def test_several_recipients_give_a_list_in_their_order() -> None:
    """One of several too; none of none."""
    async with opened() as world:
        handles = await world.hub.send("hello", to=(ANN, BOB))
        assert [str(handle.deliveries[0].address) for handle in handles] == [ANN, BOB]
        assert len(await world.hub.submit("hello", to=[ANN])) == 1
        assert await world.hub.submit("hello", to=[]) == []


async def test_of_several_recipients_one_wrong_one_stops_all() -> None:
    """Half a mailing is worse than an error."""
    async with opened() as world:
        with pytest.raises(ConfigurationError):
            await world.hub.send("hello", to=[ANN, "fax:1"])
        assert world.medium.texts() == []
        assert await world.hub.store.dispatches() == []


async def test_a_contact_uses_all_ways_with_all_of() -> None:
    """Each leg has its own status, and the least of them counts."""
    async with opened() as world:
        world.medium.script(RejectedError("gone"), to=BOB)
        with pytest.raises(RejectedError, match="gone"):
            await world.hub.send("hello", to=ANN, via=all_of(via(Address.parse(ANN)), via(Address.parse(BOB))))
        assert world.medium.texts() == ["hello"]


async def test_submit_returns_once_it_is_stored() -> None:
    """And does not wait for the medium."""
    gate = anyio.Event()
    async with opened() as world:
        world.medium.script(never(gate))
        handle = await world.hub.submit("hello", to=ANN)
        assert handle.status is Status.QUEUED
        assert await world.hub.store.load(handle.id) is not None
        gate.set()
        assert await handle.wait() is Status.ACCEPTED


async def test_send_waits_no_longer_than_it_is_told() -> None:
    """The message goes on its way."""
    gate = anyio.Event()
    async with opened() as world:
        world.medium.script(never(gate))
        handle = await world.hub.send("hello", to=ANN, timeout=0.01)
        assert handle.status is Status.QUEUED
        gate.set()
        await handle.wait()
        assert world.medium.texts() == ["hello"]


async def test_a_message_that_has_to_wait_comes_back_with_the_reason_and_the_time() -> None:
    """An exception would say that nobody tries again."""
    async with opened() as world:
        world.medium.script(ThrottledError("slow down", retry_after=30), to=ANN)
        world.medium.script(NotSentError("busy"), to=BOB)
        throttled = await world.hub.send("hello", to=ANN)
        busy = await world.hub.submit("hello", to=BOB)

        assert throttled.reason is not None
        assert "slow down" in throttled.reason
        assert throttled.next_attempt is not None
        assert (throttled.next_attempt - world.clock.now()).total_seconds() == 30
        assert throttled.error is None
        assert busy.error is None


@pytest.mark.parametrize(
    ("raised", "expected", "code"),
    [
        (RejectedError("no such user", code="550 5.1.1"), RejectedError, "550 5.1.1"),
        (UnsupportedContentError("no images there"), UnsupportedContentError, None),
        (UncertainError("the line broke", code="12"), UncertainError, "12"),
    ],
)
async def test_an_error_means_that_nobody_tries_again(
    raised: Exception, expected: type[Exception], code: str | None
) -> None:
    """Its class says what can be done, and it names the channel, the code, and the dispatch."""
    async with opened() as world:
        world.medium.script(raised)
        with pytest.raises(expected) as caught:
            await world.hub.send("hello", to=ANN)

        error: Any = caught.value
        assert type(error) is expected
        assert (error.channel, error.code) == ("loop", code)
        assert (await world.hub.store.load(error.dispatch)) is not None
        assert str(raised.args[0]) in str(error)


async def test_after_the_last_attempt_it_is_not_sent() -> None:
    """It can be tried again by a person: nothing has left us."""
    clock, medium = FakeClock(), Medium()
    async with Hub(store=MemoryStore(), clock=clock, random=Random(3)) as hub:
        await hub.add_channel("loop", {"adapter": "loopback", "attempts": 1}, medium=medium)
        medium.script(NotSentError("busy", code="421"))
        with pytest.raises(NotSentError) as caught:
            await hub.send("hello", to=ANN)
        assert caught.value.code == "421"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"to": "loopback:"}, InvalidInputError, "loopback"),
        ({"to": "no uri at all"}, InvalidInputError, "no uri at all"),
        ({"to": "fax:1"}, ConfigurationError, "no channel serves fax"),
        ({"to": ANN, "via": "nowhere"}, ConfigurationError, "nowhere"),
        ({"to": ANN, "via": ["loop"]}, TypeError, "first_of"),
        ({"to": ANN, "via": [via("loop"), via("loop")]}, TypeError, "first_of"),
        ({"to": via("loop")}, TypeError, "via="),
        ({"to": [via("loop")]}, TypeError, "via="),
        ({"to": None}, TypeError, "NoneType"),
        ({"to": ANN, "key": 42}, InvalidInputError, "key= is text, not int"),
        ({"to": {ANN}}, TypeError, "set"),
    ],
)
async def test_wrong_usage_says_what_to_do(arguments: Any, error: type[Exception], text: str) -> None:
    """Typed, and nothing is stored."""
    async with opened() as world:
        with pytest.raises(error, match=text):
            await world.hub.send("hello", **arguments)
        assert await world.hub.store.dispatches() == []


@pytest.mark.parametrize(
    ("content", "error"),
    [("", UnsupportedContentError), (Message(), UnsupportedContentError), ("\ud800", InvalidInputError)],
    ids=["empty text", "empty message", "lone surrogate"],
)
async def test_nothing_to_say_is_said(content: Any, error: type[Exception]) -> None:
    """Rather than an empty message, or one that no medium could carry; of a channel only where one is known."""
    async with opened() as world:
        with pytest.raises(error) as caught:
            await world.hub.send(content, to=ANN)
        assert "?:" not in str(caught.value)
        assert world.medium.sent == []


async def test_a_key_is_unique_with_its_recipient() -> None:
    """A second submit finds the first one, however far it is; other content is an error."""
    async with opened() as world:
        first = await world.hub.submit("hello", to=[ANN, BOB], key="order-42")
        again = await world.hub.send("hello", to=ANN, key="order-42")
        assert again.id == first[0].id
        assert again.key == "order-42"
        with pytest.raises(KeyConflictError, match="order-42"):
            await world.hub.send("other", to=ANN, key="order-42")
        assert len(world.medium.sent) == 2


async def test_a_key_of_one_that_failed_finds_the_failure() -> None:
    """Keys are for good: sending it after all needs another one."""
    async with opened() as world:
        world.medium.script(RejectedError("blocked"))
        for _ in range(2):
            with pytest.raises(RejectedError, match="blocked"):
                await world.hub.send("hello", to=ANN, key="k")
        assert world.medium.sent == []


# Waiting and cancelling


async def test_wait_returns_when_the_medium_says_so() -> None:
    """Any status at or above the one that is asked for."""
    async with opened() as world, anyio.create_task_group() as tasks:
        sent = await world.hub.send("hello", to=ANN)
        seen: list[Status] = []

        async def wait(until: Status) -> None:
            seen.append(await sent.wait(until))

        tasks.start_soon(wait, Status.SENT)
        tasks.start_soon(wait, Status.READ)
        await world.pass_time(1)
        report = {"status": "delivered", "ids": [world.medium.sent[0].id]}
        world.medium.say(type="receipt.received", receipt=report)
        await world.pass_time(1)
        assert seen == [Status.DELIVERED]
        world.medium.say(type="receipt.received", receipt={**report, "status": "read"})
        await world.pass_time(1)
        assert seen == [Status.DELIVERED, Status.READ]


async def test_wait_gives_up_in_time_or_when_it_is_hopeless() -> None:
    """`TimeoutError`, or the error that says why."""
    async with opened() as world:
        sent = await world.hub.send("hello", to=ANN)
        with pytest.raises(TimeoutError, match=f"^waited 0.01 s for READ; dispatch {sent.id} is ACCEPTED$"):
            await sent.wait(Status.READ, timeout=0.01)
        report = {
            "status": "failed",
            "ids": [world.medium.sent[0].id],
            "failure": {"kind": "opted_out", "code": "5.1.1", "text": "gone"},
        }
        world.medium.say(type="receipt.received", receipt=report)
        await world.pass_time(1)
        assert sent.status is Status.FAILED
        with pytest.raises(RejectedError, match="gone") as caught:
            await sent.wait(Status.DELIVERED, timeout=60)
        assert (caught.value.code, caught.value.kind) == ("5.1.1", FailureKind.OPTED_OUT)


async def test_a_wait_that_ends_without_its_status_says_what_is_waited_for() -> None:
    """So that a log that shows only the error tells where to look."""
    async with opened(Medium(refuses_login=OSError("away"))) as world:
        handle = await world.hub.submit("hello", to=ANN)
        with pytest.raises(TimeoutError, match=r"for ACCEPTED; .* is QUEUED \(loop is degraded: OSError\)"):
            await handle.wait(timeout=0.01)


async def test_cancel_stops_what_has_not_gone_out() -> None:
    """It tells whether there was anything to stop; waiting for it then fails."""
    async with opened(Medium(refuses_login=OSError("away"))) as world:
        handle = await world.hub.submit("hello", to=ANN)
        assert await handle.cancel()
        assert not await handle.cancel()
        assert handle.state is DispatchState.CANCELLED
        with pytest.raises(RejectedError, match="cancelled by the caller"):
            await handle.wait()
        world.medium.refuses_login = None
        await world.pass_time(10)

        assert world.medium.sent == []


async def test_cancel_does_not_take_back_what_is_being_sent() -> None:
    """It goes out, is not tried again, and the handle says so."""
    gate = anyio.Event()
    async with opened() as world:
        world.medium.script(never(gate))
        handle = await world.hub.submit("hello", to=ANN)
        for _ in range(10):
            await checkpoint()
        await handle.cancel()
        gate.set()
        await world.pass_time(1)

        assert world.medium.texts() == ["hello"]
        assert handle.status is Status.ACCEPTED
        assert handle.error is None
        assert await handle.wait() is Status.ACCEPTED


async def test_cancel_stops_the_retries_of_what_is_being_sent() -> None:
    """An attempt that fails is the last one then."""
    gate = anyio.Event()

    async def fails(out: Outgoing) -> Receipt | None:
        await gate.wait()
        raise NotSentError("busy")

    async with opened() as world:
        world.medium.script(fails)
        handle = await world.hub.submit("hello", to=ANN)
        for _ in range(10):
            await checkpoint()
        await handle.cancel()
        gate.set()
        await world.pass_time(1)
        await world.pass_time(100)

        assert world.medium.texts() == []
        assert handle.state is DispatchState.CANCELLED
        assert handle.error is not None


# Planning


async def test_a_plan_says_what_would_happen_and_does_nothing() -> None:
    """It prints, and has legs, gates and degradations."""
    async with opened() as world:
        plan = await world.hub.plan(Message("hello " * 500, subject="A subject"), to=[ANN, BOB])
        assert [each.recipient for each in plan.recipients] == [ANN, BOB]
        assert plan.recipients[0].legs[0].parts == 4
        assert ANN in str(plan)
        assert await world.hub.store.dispatches() == []
        assert world.medium.sent == []


async def test_a_plan_and_a_send_agree() -> None:
    """What one refuses, the other refuses."""
    async with opened() as world:
        news = Message("news", category="marketing")
        plan = await world.hub.plan(news, to=ANN)
        assert plan.recipients[0].step is None
        assert "never agreed" in str(plan)
        with pytest.raises(SuppressedError, match="never agreed"):
            await world.hub.send(news, to=ANN)
        with pytest.raises(ConfigurationError):
            await world.hub.plan("hello", to="fax:1")


# Conversations


async def test_the_verbs_of_a_conversation() -> None:
    """Each goes through the outbox, in order, with the medium's id of what it is about."""
    async with opened() as world:
        conversation = world.hub.conversation(ANN)
        sent = await conversation.send("helo")
        await conversation.edit(sent, "hello")
        await conversation.react("m-9", "👍", "🎉")
        await conversation.react("m-9")
        await conversation.mark_read(MessageReceived(key="k", message_id="m-9"))
        await conversation.retract(sent.deliveries[0])
        await world.pass_time(1)

        own = (world.medium.sent[0].id,)
        assert [(each.operation, each.text, each.out.target) for each in world.medium.sent] == [
            (Operation.SEND, "helo", ()),
            (Operation.EDIT, "hello", own),
            (Operation.REACT, "👍 🎉", ("m-9",)),
            (Operation.REACT, "", ("m-9",)),
            (Operation.READ, "", ("m-9",)),
            (Operation.RETRACT, "", own),
        ]


async def test_what_went_out_in_parts_is_taken_back_whole() -> None:
    """Else the medium would go on showing the rest of it."""
    async with opened() as world:
        conversation = world.hub.conversation(ANN)
        sent = await conversation.send("".join(f"word{number:04d} " for number in range(330)))
        await conversation.retract(sent)
        await world.pass_time(1)

        *parts, retraction = world.medium.sent
        assert len(parts) == 3
        assert set(retraction.out.target) == {each.id for each in parts}


async def test_an_edit_of_what_was_never_sent_ends_with_it() -> None:
    """It says so, and does not wait for ever."""
    async with opened() as world:
        conversation = world.hub.conversation(ANN)
        world.medium.script(RejectedError("blocked"))
        sent = await world.hub.submit("helo", to=ANN)
        edit = await conversation.edit(sent, "hello")
        await world.pass_time(1)

        assert edit.status is Status.FAILED
        with pytest.raises(RejectedError, match="never sent"):
            await edit.wait()
        assert world.medium.sent == []


@pytest.mark.parametrize("target", [None, 7, MessageReceived(key="k")])
async def test_an_operation_on_nothing_says_what_it_wants(target: Any) -> None:
    """A message without an id cannot be referred to."""
    async with opened() as world:
        with pytest.raises(TypeError, match="DispatchHandle"):
            await world.hub.conversation(ANN).react(target, "👍")


async def test_a_verb_that_a_channel_lacks_is_unsupported() -> None:
    """Asked before anything is stored."""
    from tests.engine.kit import ProbeConfig

    async with opened() as world:
        await world.hub.add_channel("probe", ProbeConfig())
        conversation = world.hub.conversation("probe:ann")
        with pytest.raises(UnsupportedContentError, match="probe cannot edit"):
            await conversation.edit("m-1", "hello")
        assert not await conversation.typing()
        assert await world.hub.store.dispatches() == []


async def test_an_adapter_class_is_said_where_the_settings_do_not_tell_it() -> None:
    """A refinement of ours has the settings of its base."""
    from convergekit.adapters.loopback import LoopbackAdapter

    class Shouting(LoopbackAdapter):
        pass

    async with opened() as world:
        channel = await world.hub.add_channel("shout", {"secret": "s"}, adapter=Shouting)
        assert isinstance(channel.adapter, Shouting)


async def test_typing_is_shown_and_never_fails() -> None:
    """It tells whether the channel could."""
    async with opened() as world:
        conversation = world.hub.conversation(ANN)
        assert await conversation.typing()
        assert world.medium.typing == {("loop", conversation.ref.key)}
        assert await conversation.typing(False)
        assert world.medium.typing == set()
        await world.hub.remove_channel("loop")
        assert not await conversation.typing()


async def test_a_public_post_is_sent_to_a_conversation_of_its_kind() -> None:
    """An address alone would be a direct message."""
    async with opened() as world:
        posts = world.hub.conversation("loopback:us", channel="loop", kind=ConversationKind.PUBLIC)
        await posts.send("to everybody")
        answers = world.hub.conversation("loopback:us", kind=ConversationKind.PUBLIC, thread="t1")
        await answers.send("in a thread")

        assert [each.out.conversation.kind for each in world.medium.sent] == [ConversationKind.PUBLIC] * 2
        assert [each.out.conversation.thread for each in world.medium.sent] == [None, "t1"]
        assert posts.channel == "loop"
        assert "loop" in repr(posts)


async def test_a_conversation_comes_from_a_stored_reference_or_an_event() -> None:
    """Answers to an event name its message; those to a reference do not know it."""
    event = MessageReceived(
        key="k",
        channel="loop",
        sender=ANN,
        conversation=ConversationRef(channel="loop", address=ANN),
        message_id="m-7",
        subject="re: A question",
        text="?",
    )
    async with opened() as world:
        await world.hub.conversation(event).reply("yes")
        assert event.conversation is not None
        await world.hub.conversation(event.conversation).reply("by the way")
        await world.pass_time(1)

        answers = [(each.out.message.reply_to, each.out.message.subject) for each in world.medium.sent]
        assert answers == [("m-7", "re: A question"), (None, None)]
        with pytest.raises(ConfigurationError, match="has no conversation"):
            world.hub.conversation(MessageReceived(key="k", text="?"))
        with pytest.raises(ConfigurationError, match="no channel serves fax"):
            world.hub.conversation("fax:1")


# Roles, channels, set-up


async def test_a_hub_that_only_submits_opens_no_channel() -> None:
    """Another one on the same ledger sends; `send` comes back at once with the reason."""
    store, medium = MemoryStore(), Medium()
    async with Hub(store=store, role="submit", clock=FakeClock(), random=Random(1)) as web:
        await web.add_channel("loop", {"adapter": "loopback"}, medium=medium)
        handle = await web.send("hello", to=ANN)
        assert handle.status is Status.QUEUED
        assert "closed" in (handle.reason or "")
        assert web.channel("loop").adapter is None
    async with opened(medium, store=store) as worker:
        await worker.pass_time(1)
        stored = await store.load(handle.id)
        assert stored is not None
        assert stored.status is Status.ACCEPTED


async def test_a_hub_that_only_sends_takes_nothing_in() -> None:
    """It sends what is queued, and does not listen."""
    async with opened(role="send") as world:
        world.medium.say(text="hello", sender=ANN)
        await world.hub.send("hello", to=ANN)
        await world.pass_time(5)
        assert (await world.hub.store.counts()).entries == {}


async def test_channels_are_added_as_a_table_a_dsn_or_a_config() -> None:
    """Before the hub is open, and while it is."""
    hub = Hub(store=MemoryStore())
    first = await hub.add_channel("table", {"adapter": "loopback", "default": True})
    async with hub:
        second = await hub.add_channel("dsn", "loopback://secret@here")
        third = await hub.add_channel("config", LoopbackConfig(poll_interval=5))
        assert [channel.name for channel in hub.channels] == ["table", "dsn", "config"]
        assert {first.state, second.state, third.state} == {"up"}
        assert repr(third) == "<Channel config up>"
        assert (await hub.send("hello", to=ANN)).deliveries[0].channel == "table"
        with pytest.raises(ConfigurationError, match=r"pol_interval"):
            await hub.add_channel("typo", {"adapter": "loopback", "pol_interval": 1})
        with pytest.raises(ConfigurationError, match="already"):
            await hub.add_channel("dsn", {"adapter": "loopback"})


async def test_without_a_store_the_ledger_is_a_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the current folder, and only once the hub is entered; the next hub finds what the first one knew."""
    monkeypatch.chdir(tmp_path)
    first = Hub()
    await first.add_channel("loop", "loopback://")
    assert not list(tmp_path.iterdir())
    async with first:
        assert (tmp_path / "convergekit.db").exists()
        sent = await first.send("hello", to=ANN, key="1")
    async with Hub(store="sqlite:///convergekit.db", role="submit") as second:
        await second.add_channel("loop", "loopback://")
        assert (await second.submit("hello", to=ANN, key="1")).id == sent.id


async def test_a_store_is_an_object_or_a_url() -> None:
    """Memory is taken by name."""
    store = MemoryStore()
    assert Hub(store=store).store is store
    assert isinstance(Hub(store="memory:").store, MemoryStore)


@pytest.mark.parametrize("url", ["memory", "ledger.db", "mysql://u:hunter22@db/x", "postgresql://u:hunter22@db:a/x"])
def test_what_is_no_url_of_a_store_is_refused(url: str) -> None:
    """With the way out, and without what might be a password."""
    with pytest.raises(ConfigurationError, match=r"SQLite|sqlite:///") as caught:
        Hub(store=url)
    assert "hunter22" not in str(caught.value)


async def test_a_hub_shares_its_decorators_with_its_router() -> None:
    """A small application needs no other object; a large one includes routers."""
    router, shop = Router(), Router("shop")
    heard: list[str] = []

    @shop.on_message(channel="loop")
    async def handle(message: MessageReceived, hub: Hub) -> None:
        heard.append(message.text or "")

    async with opened(router=router) as world:
        world.hub.include(shop)
        world.medium.say(text="hello", sender=ANN)
        await world.pass_time(1)
    assert heard == ["hello"]


async def test_from_toml_opens_what_the_file_says(tmp_path: Any) -> None:
    """And a store that is handed over wins."""
    path = tmp_path / "convergekit.toml"
    path.write_text('[channels.one]\nadapter = "loopback"\n')
    store = MemoryStore()
    hub = Hub.from_toml(path, store=store)
    async with hub:
        assert hub.store is store
        assert (await hub.send("hello", to=ANN)).status is Status.ACCEPTED


async def test_from_toml_hands_to_a_channel_what_stands_in_no_file(tmp_path: Any) -> None:
    """By the channel's name; what is misspelt, or for nobody, is told before anything is opened."""
    path, medium = tmp_path / "convergekit.toml", Medium()
    path.write_text('[channels.one]\nadapter = "loopback"\n')
    async with Hub.from_toml(path, store=MemoryStore(), parts={"one": {"medium": medium}}) as hub:
        await hub.send("hello", to=ANN)
    assert [each.text for each in medium.sent] == ["hello"]
    with pytest.raises(ConfigurationError, match=r"parts: there is no channel 'two'; there are \['one'\]"):
        Hub.from_toml(path, parts={"two": {}})
    with pytest.raises(ConfigurationError, match="did you mean transport="):
        Hub.from_toml(path, parts={"one": {"transprt": None}})


async def test_a_leg_is_left_for_the_next_one_and_the_reason_kept() -> None:
    """`first_of`: the handle tells of the leg that went."""
    async with opened() as world:
        world.medium.script(RejectedError("no such user"), to=ANN)
        sent = await world.hub.send("hello", to=ANN, via=first_of(ANN, BOB))
        assert sent.status is Status.ACCEPTED
        assert [each.status for each in sent.deliveries] == [Status.FAILED, Status.ACCEPTED]
        assert sent.error is None


async def test_a_slow_recipient_delays_no_other_of_the_same_send() -> None:
    """Handles are waited for side by side."""
    gate = anyio.Event()
    async with opened() as world:
        world.medium.script(never(gate), to=ANN)
        async with anyio.create_task_group() as tasks:
            statuses: list[Status] = []

            async def send() -> None:
                handles = await world.hub.send("hello", to=[ANN, BOB], timeout=None)
                statuses.extend(handle.status for handle in handles)

            tasks.start_soon(send)
            while not world.medium.texts(BOB):
                await checkpoint()
            assert statuses == []
            gate.set()
        assert statuses == [Status.ACCEPTED, Status.ACCEPTED]


async def test_a_stored_id_leads_back_to_the_handle() -> None:
    """Also in another process, which can wait for it or cancel it."""
    async with opened() as world:
        sent = await world.hub.submit("hello", to=ANN)
        later = Message("tomorrow", not_before=world.clock.now() + timedelta(days=1))
        kept = (await world.hub.submit(later, to=BOB)).id
        await world.pass_time(0)
        store = world.hub.store
        found = await world.hub.dispatch(sent.id)
        assert found is not None
        assert (found.id, await found.wait()) == (sent.id, Status.ACCEPTED)
        assert await world.hub.dispatch("nobody") is None
        by_delivery = await world.hub.dispatch(found.deliveries[0].id)  # which is what a medium may have been told
        assert by_delivery is not None
        assert by_delivery.id == sent.id
    async with opened(store=store) as world:
        handle = await world.hub.dispatch(kept)
        assert handle is not None
        assert await handle.cancel()
        assert handle.state is DispatchState.CANCELLED


async def test_what_was_submitted_is_listed_the_newest_first() -> None:
    """And by recipient, as it was given to the send."""
    async with opened() as world:
        ann = Contact(id="ann", addresses=[ANN])
        texts = ("one", ANN), ("two", BOB), ("three", ann)
        one, two, three = [(await world.hub.submit(text, to=to)).id for text, to in texts]
        assert [each.id for each in await world.hub.dispatches()] == [three, two, one]
        assert [each.id for each in await world.hub.dispatches(limit=1)] == [three]
        assert [each.id for each in await world.hub.dispatches(recipient=ANN)] == [one]
        assert [each.id for each in await world.hub.dispatches(recipient=ann)] == [three]
        for wrong in tuple[dict[str, Any], ...](({"limit": 0}, {"recipient": "ann"})):
            with pytest.raises(InvalidInputError):
                await world.hub.dispatches(**wrong)
    with pytest.raises(NotRunningError):
        await world.hub.dispatch(one)
    with pytest.raises(NotRunningError):
        await world.hub.dispatches()


async def test_what_is_too_large_to_read_is_named() -> None:
    async with opened() as world:
        plan = Attachment(data=b"x" * 10, name="plan.pdf")
        assert len(await world.hub.read(plan, limit=10)) == 10
        with pytest.raises(UnsupportedContentError, match=r"attachment plan\.pdf has more than the 9 bytes"):
            await world.hub.read(plan, limit=9)


async def test_contacts_are_put_where_they_are_kept_and_the_hosts_own_are_not_ours_to_change() -> None:
    """A host that has contacts changes them where it has them; the hub only asks."""
    ann = Contact(id="ann", addresses=[ANN])

    class Customers:
        async def by_address(self, address: Address) -> Contact | None:
            return ann if address in ann.addresses else None

        async def get(self, id: str) -> Contact | None:
            return ann if id == "ann" else None

    async with opened() as world:
        await world.hub.contacts.put(ann)
        assert await world.hub.contacts.by_address(Address(ANN)) == ann
        assert await world.hub.contacts.remove("ann")
        assert await world.hub.contacts.get("ann") is None
    async with opened(contacts=Customers()) as world:
        assert await world.hub.contacts.by_address(Address(ANN)) == ann
        assert await world.hub.contacts.get("ann") == ann
        for change in (world.hub.contacts.put(ann), world.hub.contacts.remove("ann")):
            with pytest.raises(ConfigurationError, match=r"in a Customers of the host's own"):
                await change
