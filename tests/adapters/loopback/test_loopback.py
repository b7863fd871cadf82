"""Loopback does everything that the contract can ask for; each verb through the hub where the hub has one."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anyio.lowlevel import checkpoint
from pydantic import SecretStr

from convergekit import Attachment, Hub, MemoryStore, Message, MessageReceived, Receipt, Status
from convergekit.abc import (
    Listens,
    Outgoing,
    Polls,
    ReceivesWebhooks,
    Reconciliation,
    Request,
    SupportsBatch,
    SupportsEdit,
    SupportsHistory,
    SupportsPresence,
    SupportsReactions,
    SupportsReadMarkers,
    SupportsReconcile,
    SupportsRetract,
    SupportsRooms,
    SupportsSubscriptions,
    SupportsTyping,
    SupportsUpload,
)
from convergekit.abc.http import Headers
from convergekit.adapters.loopback import LoopbackAdapter, LoopbackConfig, Medium
from convergekit.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    NotSentError,
    RejectedError,
    SignatureError,
    UncertainError,
)
from convergekit.http import hmac_signature
from convergekit.model import Address, ConversationKind, ConversationRef, CustomReceived, Part
from convergekit.testing import FakeClock, FakeContext, RecordingHub

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
VERBS = (
    *(Listens, Polls, ReceivesWebhooks, SupportsBatch, SupportsEdit, SupportsHistory, SupportsPresence),
    *(SupportsReactions, SupportsReadMarkers, SupportsReconcile, SupportsRetract, SupportsRooms, SupportsTyping),
    *(SupportsSubscriptions, SupportsUpload),
)


def out(text: str = "hello", *, key: str = "k1") -> Outgoing:
    address = Address(ANN)
    return Outgoing(to=address, part=Part(text=text), key=key, conversation=ConversationRef(address=address))


def adapter(medium: Medium | None = None, **config: Any) -> LoopbackAdapter:
    return LoopbackAdapter(LoopbackConfig(**config), FakeContext(channel="loop", parts={"medium": medium or Medium()}))


@asynccontextmanager
async def opened(medium: Medium, clock: FakeClock | None = None, **config: Any) -> AsyncGenerator[Hub]:
    async with Hub(store=MemoryStore(), clock=clock or FakeClock()) as hub:
        await hub.add_channel("loop", {"adapter": "loopback", **config}, medium=medium)
        yield hub


async def settled(hub: Hub) -> None:
    for _ in range(20):
        await checkpoint()
    await hub.idle()


@pytest.mark.parametrize("protocol", VERBS, ids=lambda each: each.__name__)
async def test_every_verb_of_the_contract_is_there(protocol: type[Any]) -> None:
    assert isinstance(adapter(), protocol)


async def test_each_verb_of_a_conversation_arrives_with_what_it_is_about() -> None:
    medium = Medium()
    async with opened(medium) as hub:
        conversation = hub.conversation(ANN)
        sent = await conversation.send("helo")
        await conversation.edit(sent, "hello")
        await conversation.react(sent, "+", "-")
        await conversation.react(sent)
        await conversation.mark_read("in-7")
        await conversation.retract(sent)
        await settled(hub)

    about = [(each.operation.value, each.text, each.out.target) for each in medium.sent]
    original = (medium.sent[0].id,)
    assert about == [
        ("send", "helo", ()),
        ("edit", "hello", original),
        ("react", "+ -", original),
        ("react", "", original),
        ("read", "", ("in-7",)),
        ("retract", "", original),
    ]


async def test_typing_is_shown_until_it_is_not() -> None:
    medium = Medium()
    async with opened(medium) as hub:
        conversation = hub.conversation(ANN)
        assert await conversation.typing()
        assert medium.typing == {("loop", ANN)}
        assert await conversation.typing(False)
        assert medium.typing == set()


async def test_a_public_post_is_sent_as_one() -> None:
    medium = Medium()
    async with opened(medium) as hub:
        await hub.conversation("loopback:me", kind=ConversationKind.PUBLIC, thread="t").send("news")

    (sent,) = medium.sent
    assert sent.out.conversation.kind is ConversationKind.PUBLIC
    assert sent.out.conversation.thread == "t"


async def test_an_attachment_comes_through_whole() -> None:
    """Also one that is kept by the store meanwhile: streams and what is large are content by reference."""

    async def chunks() -> AsyncGenerator[bytes]:
        yield b"x" * 70_000
        yield b"end"

    medium, got = Medium(), list[bytes]()
    async with opened(medium) as hub:
        await hub.send(Message(attachments=[Attachment(stream=chunks, name="a.bin")]), to=ANN)
        channel = hub.channel("loop").adapter
        assert channel is not None
        for attachment in medium.sent[0].part.attachments:
            assert attachment.stream is None
            got.append(await channel.context.read(attachment))
        assert [*medium.sent[0].files] == got

    assert got == [b"x" * 70_000 + b"end"]


async def test_scripts_are_followed_in_order_and_by_recipient() -> None:
    medium = Medium()
    medium.script(RejectedError("no"), to=ANN)
    medium.script(Receipt(Status.DELIVERED, ids=("a",)), UncertainError("lost"))

    with pytest.raises(RejectedError):
        await medium.take(out())
    assert (await medium.take(out())).status is Status.DELIVERED
    assert medium.texts() == []  # a receipt that is given is all there is
    with pytest.raises(UncertainError):
        await medium.take(out("arrives"))
    assert medium.texts(ANN) == ["arrives"]


async def test_channels_that_share_a_medium_are_told_apart() -> None:
    """A script of fewer sends comes before one of more."""
    medium = Medium()
    async with opened(medium) as hub:
        await hub.add_channel("other", {"adapter": "loopback"}, medium=medium)
        medium.script(RejectedError("for all"), RejectedError("for all"))
        medium.script(RejectedError("for the channel"), channel="other")
        medium.script(RejectedError("for both"), to=ANN, channel="other")
        for channel, why in (("other", "both"), ("other", "the channel"), ("loop", "all"), ("other", "all")):
            with pytest.raises(RejectedError, match=f"for {why}"):
                await hub.conversation(ANN, channel=channel).send("hello")
        for channel in ("loop", "other"):
            await hub.conversation(ANN, channel=channel).send(f"by {channel}")

    assert medium.texts(ANN) == ["by loop", "by other"]
    assert medium.texts(channel="other") == ["by other"]
    assert medium.only(ANN, channel="loop").text == "by loop"
    with pytest.raises(AssertionError, match=r"2 messages to loopback:ann, not one(?s:.)*loop to .*'by loop'"):
        medium.only(ANN)
    with pytest.raises(AssertionError, match=r"0 messages in all, not one; what arrived is: nothing"):
        Medium().only()


async def test_a_known_key_is_taken_once_where_the_medium_knows_keys() -> None:
    medium = Medium(idempotent=True)
    first, again = await medium.take(out()), await medium.take(out())

    assert first == again
    assert medium.texts() == ["hello"]
    assert adapter(medium).capabilities != LoopbackAdapter.capabilities  # and the engine is told


async def test_what_became_of_an_attempt_is_told_where_the_medium_remembers() -> None:
    medium = Medium(remembers=True)
    taken = await medium.take(out(key="taken"))

    assert await adapter(medium).reconcile(out(key="taken")) == taken
    assert await adapter(medium).reconcile(out(key="other")) is Reconciliation.NOT_TAKEN
    assert await adapter().reconcile(out(key="taken")) is Reconciliation.DONT_KNOW


async def test_a_batch_has_one_answer_each() -> None:
    medium = Medium()
    medium.script(RejectedError("no"))
    refused, taken = await adapter(medium).send_batch([out(key="1"), out(key="2")])

    assert isinstance(refused, RejectedError)
    assert isinstance(taken, Receipt)


async def test_what_is_said_is_forgotten_once_it_is_admitted() -> None:
    heard, medium = list[str | None](), Medium()
    async with opened(medium) as hub:

        @hub.on_message
        async def hear(message: MessageReceived) -> None:
            heard.append(message.text)

        for text in ("one", "two"):
            medium.say(text=text, sender=ANN)
        await settled(hub)

    assert heard == ["one", "two"]


async def test_a_dropped_connection_is_made_again_and_nothing_is_lost() -> None:
    heard, medium, clock = list[str | None](), Medium(), FakeClock()
    async with opened(medium, clock) as hub:

        @hub.on_message
        async def hear(message: MessageReceived) -> None:
            heard.append(message.text)

        medium.drop()
        await settled(hub)
        assert hub.channel("loop").state == "degraded"
        medium.say(text="still here?", sender=ANN)
        clock.advance(1)
        await settled(hub)
        assert (hub.channel("loop").state, heard) == ("up", ["still here?"])

        medium.refuses_login = AuthenticationError("the password was changed")
        medium.drop()
        await settled(hub)
        clock.advance(2)
        await settled(hub)
        assert hub.channel("loop").state == "down"


async def test_what_makes_no_sense_does_not_stand_in_the_way() -> None:
    names, medium = list[str](), Medium()
    async with opened(medium) as hub:

        @hub.on_event(CustomReceived)
        async def keep(event: CustomReceived) -> None:
            names.append(event.name)

        @hub.on_message
        async def hear(message: MessageReceived) -> None:
            names.append(message.text or "")

        medium.say(text="NUL \0", sender=ANN)
        medium.say(type="receipt.received", receipt="none")
        medium.say(text="good", sender=ANN)
        await settled(hub)

    assert sorted(names) == ["good", "invalid_message", "invalid_message"]


async def test_the_feed_is_read_once_over_pages_and_channels_lives() -> None:
    heard, medium, clock, store = list[str | None](), Medium(), FakeClock(), MemoryStore()
    for number in range(150):
        medium.post(text=str(number), sender=ANN)
    for life in range(2):
        async with Hub(store=store, clock=clock) as hub:

            @hub.on_message
            async def hear(message: MessageReceived) -> None:
                heard.append(message.text)

            await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
            await settled(hub)
            medium.post(text=f"late {life}", sender=ANN)
            for _ in range(2):
                clock.advance(1)
                await settled(hub)

    assert heard == [*map(str, range(150)), "late 0", "late 1"]


async def test_history_is_read_backwards_to_its_beginning() -> None:
    medium = Medium()
    for number in range(5):
        medium.post(text=str(number), sender=ANN)
    ref, pages, cursor = ConversationRef(address=ANN), [], None
    while True:
        events, cursor = await adapter(medium).history(ref, cursor, limit=2)
        pages.append([event.text for event in events if isinstance(event, MessageReceived)])
        if cursor is None:
            break

    assert pages == [["3", "4"], ["1", "2"], ["0"]]


async def test_rooms_have_members() -> None:
    one = adapter()
    room = await one.create_room("lobby")
    assert room.kind is ConversationKind.GROUP
    for _ in range(2):  # joining twice is joining once
        await one.join(room.address)
    await one.invite(room.address, Address(ANN))
    assert len(await one.members(room.address)) == 2
    for _ in range(2):
        await one.leave(room.address)

    assert await one.members(room.address) == (Address(ANN),)


async def test_presence_is_shown_and_uploads_are_served() -> None:
    medium = Medium()
    one = adapter(medium)
    await one.set_presence("away")
    urls = [await one.upload(Attachment(data=data), ConversationRef(address=ANN)) for data in (b"1", b"2")]

    assert medium.presence == {one.context.channel: "away"}
    assert [medium.uploads[url] for url in urls] == [b"1", b"2"]


async def test_what_the_medium_serves_can_be_fetched() -> None:
    one = adapter(Medium(uploads={"loopback:cat": bytes(100_000)}))
    async with one.fetch(Attachment(url="loopback:cat")) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == bytes(100_000)
    with pytest.raises(RejectedError):
        async with one.fetch(Attachment(url="loopback:dog")):
            pass


class TestWebhooks:
    """The third way in."""

    def request(self, body: bytes, *, secret: bytes = b"s3cret") -> Request:
        headers = Headers([(b"x-signature", hmac_signature(secret, body))])
        return Request("POST", body=body, headers=headers)

    async def test_signed_bodies_are_events(self) -> None:
        one = adapter(secret=SecretStr("s3cret"))
        body = json.dumps([{"key": "1", "text": "a"}, {"key": "2", "text": "b"}]).encode()
        await one.verify(self.request(body))

        assert [event.key for event in one.parse(self.request(body))] == ["1", "2"]

    async def test_others_are_refused(self) -> None:
        with pytest.raises(SignatureError):
            await adapter(secret=SecretStr("s3cret")).verify(self.request(b"{}", secret=b"other"))
        with pytest.raises(SignatureError):
            await adapter().verify(self.request(b"{}"))

    @pytest.mark.parametrize("body", [b"", b"[1]", b"null", b'"text"', b"{", b'{"text": "\\u0000", "key": "1"}'])
    async def test_what_makes_no_sense_is_invalid_input(self, body: bytes) -> None:
        with pytest.raises(InvalidInputError):
            adapter().parse(self.request(body))

    async def test_a_challenge_is_answered(self) -> None:
        answer = adapter().challenge(Request("GET", query="hello"))
        assert answer is not None
        assert answer.body == b"hello"
        assert adapter().challenge(Request("POST")) is None


class TestConfig:
    """What can be set, and how it is written in one line."""

    async def test_a_dsn_is_read_and_shown_without_its_secret(self) -> None:
        config = LoopbackConfig.from_dsn("loopback://s%2Fcret@here?poll_interval=2.5")
        assert config.secret is not None
        assert config.secret.get_secret_value() == "s/cret"
        assert config.poll_interval == 2.5
        assert config.to_dsn() == "loopback://***@here?poll_interval=2.5"
        assert LoopbackConfig.from_dsn("loopback://here") == LoopbackConfig()

    async def test_another_scheme_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="loopback://"):
            LoopbackConfig.from_dsn("sms://here")


async def test_a_refused_login_shows_in_check_and_takes_the_channel_down() -> None:
    medium = Medium(refuses_login=AuthenticationError("the password is refused"))
    async with opened(medium) as hub:
        assert hub.channel("loop").state == "down"
    assert not (await adapter(medium).check()).ok
    assert (await adapter().check()).ok


@pytest.mark.parametrize("step", ["nope", 7, NotSentError, None])
def test_a_step_that_is_none_is_refused_where_it_is_written(step: Any) -> None:
    medium = Medium()
    with pytest.raises(TypeError, match="a step is an error, a receipt or a function, not"):
        medium.script(RejectedError("gone"), step)
    assert not medium._scripts


async def test_what_arrived_is_shown_in_a_line() -> None:
    async with RecordingHub(channels={"chat": "loopback"}) as hub:
        await hub.send("hello", to="loopback:ann")
        (sent,) = hub.captured.sent
        assert repr(sent) == "<Sent out-1 over chat to loopback:ann: 'hello'>"
        assert (repr(hub.captured), repr(Medium())) == ("<Captured: 1 sent>", "<Medium: 0 sent>")
