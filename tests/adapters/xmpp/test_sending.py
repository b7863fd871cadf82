"""Where a part goes, and the last look before it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from xml.etree.ElementTree import Element

import anyio
import pytest

from convergekit.abc import Outgoing
from convergekit.adapters.xmpp import XmppConfig
from convergekit.adapters.xmpp.identities import Identities, origin_id
from convergekit.adapters.xmpp.sending import Sender
from convergekit.adapters.xmpp.stanzas.namespaces import NS, tag
from convergekit.errors import NotSentError, RejectedError, UncertainError, UnsupportedContentError
from convergekit.model import (
    Address,
    Attachment,
    ConversationKind,
    ConversationRef,
    Message,
    Operation,
    Part,
    Status,
)
from convergekit.testing import outgoing
from tests.adapters.xmpp.fake_stream import FakeStream

pytestmark = pytest.mark.anyio

ACCOUNT: dict[str, Any] = {"jid": "bot@example.org", "password": "x"}
COMPONENT: dict[str, Any] = {
    "jid": "gw.example.org",
    "password": "x",
    "account": "component",
    "host": "127.0.0.1",
    "security": "none",
}
BODY = tag(NS.CLIENT, "body")
ANN, DEN, AWAY = "xmpp:ann@a.example", "xmpp:den@rooms.example", "xmpp:away@rooms.example"
PHOTO = Attachment(data=b"photo", name="photo.jpg")


class Rooms:
    """We are in the den, and on the way into another one."""

    def room(self, jid: str) -> object | None:
        return jid if jid in ("den@rooms.example", "away@rooms.example") else None

    def inside(self, room: Address) -> object:
        if self.room(room.value) is None:
            raise RejectedError("we are not in this room: join it first")
        if room.value.startswith("away"):
            raise NotSentError("we are not back in this room yet")
        return room


@dataclass
class Files:
    """Whatever is put there is at a URL with its key."""

    uploaded: list[str] = field(default_factory=list)
    refuses: Exception | None = None

    async def upload(self, attachment: Attachment, key: str = "") -> str:
        if self.refuses is not None:
            raise self.refuses
        self.uploaded.append(key)
        return f"https://u.example/{key}"


class Bench:
    """A sender, and what stands around it."""

    def __init__(self, settings: dict[str, Any] = ACCOUNT, *, open: bool = True, timeout: float = 0.0) -> None:
        self.stream, self.rooms, self.files, self.ids = FakeStream(timeout=timeout), Rooms(), Files(), Identities()
        self.retracted: list[tuple[str, str]] = []
        config = XmppConfig(**settings)
        rooms, files = cast("Any", self.rooms), cast("Any", self.files)
        self.sender = Sender(config, self.stream, rooms, files, self.ids, moderate=self.moderate)

    async def connect(self) -> None:
        await self.stream.open()
        self.stream.flow()

    async def moderate(self, room: Address, stanza_id: str) -> None:
        self.retracted.append((room.value, stanza_id))

    @property
    def sent(self) -> Sequence[Element]:
        return self.stream.delivered


async def connected(settings: dict[str, Any] = ACCOUNT) -> Bench:
    bench = Bench(settings)
    await bench.connect()
    return bench


def to(uri: str, text: str = "hello", *, kind: str = "direct", **more: Any) -> Outgoing:
    more.setdefault("conversation", ConversationRef(address=uri, kind=ConversationKind(kind)))
    return outgoing(uri, text, **more)


# --- where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "kind", "jid", "type"),
    [
        (ANN, "direct", "ann@a.example", "chat"),
        (f"{ANN}/phone", "direct", "ann@a.example/phone", "chat"),
        ("xmpp:a.example", "direct", "a.example", "chat"),
        ("xmpp:bot@example.org", "direct", "bot@example.org", "chat"),
        ("xmpp:ann@xn--bcher-kva.example", "direct", "ann@bücher.example", "chat"),
        (DEN, "group", "den@rooms.example", "groupchat"),
        (DEN, "direct", "den@rooms.example", "groupchat"),
        (f"{DEN}/Max%20M", "direct", "den@rooms.example/Max M", "chat"),
    ],
)
async def test_an_address_says_where_it_goes(uri: str, kind: str, jid: str, type: str) -> None:
    """To a person, to one device of theirs, to ourselves, to a room by either name, to one of its occupants."""
    bench = await connected()
    receipt = await bench.sender.send(to(uri, kind=kind))

    (message,) = bench.sent
    assert (message.get("to"), message.get("type")) == (jid, type)
    assert (message.find(tag(NS.MUC_USER, "x")) is not None) is ("/Max" in uri)
    assert receipt.status is Status.ACCEPTED


async def test_whom_reports_are_by_is_the_bare_address_and_of_an_occupant_the_full() -> None:
    bench = await connected()
    ids = [(await bench.sender.send(to(uri))).ids[1] for uri in (f"{ANN}/phone", f"{DEN}/Max%20M")]
    assert ids == [f"{origin_id('dispatch1/0')} {uri}" for uri in (ANN, f"{DEN}/Max%20M")]


async def test_a_room_that_we_are_not_in_is_refused_and_one_we_are_on_the_way_to_is_tried_again() -> None:
    bench = await connected()
    with pytest.raises(RejectedError, match="join it first"):
        await bench.sender.send(to("xmpp:other@rooms.example", kind="group"))
    for uri in (AWAY, f"{AWAY}/Max"):
        with pytest.raises(NotSentError):
            await bench.sender.send(to(uri))
    assert not bench.sent


@pytest.mark.parametrize(
    ("native", "thread", "sender"),
    [
        (None, None, "gw.example.org"),
        (None, "help@gw.example.org", "help@gw.example.org"),
        (None, "a thread of the host's", "gw.example.org"),
        ({"sender": "help"}, "other@gw.example.org", "help@gw.example.org"),
        ({"sender": "help@gw.example.org/desk"}, None, "help@gw.example.org/desk"),
    ],
)
async def test_a_component_speaks_for_whom_it_says_else_for_whom_was_written_to(
    native: Any, thread: str | None, sender: str
) -> None:
    bench = await connected(COMPONENT)
    await bench.sender.send(to(ANN, native=native, conversation=ConversationRef(address=ANN, thread=thread)))
    assert bench.sent[0].get("from") == sender


@pytest.mark.parametrize(
    ("settings", "sender"), [(ACCOUNT, "help"), (COMPONENT, "help@example.org"), (COMPONENT, "a b@gw.example.org")]
)
async def test_nobody_speaks_for_others_but_a_component_for_its_own(settings: dict[str, Any], sender: str) -> None:
    bench = await connected(settings)
    with pytest.raises(UnsupportedContentError, match="native of xmpp: sender"):
        await bench.sender.send(to(ANN, native={"sender": sender}))


# --- the last look -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["bad\0", "bad\x1bword", "bad\ufffe", "bad\ud83d", "x" * 300_000, "&" * 60_000],
    ids=["NUL", "ESC", "FFFE", "half a pair", "300k", "&"],
)
async def test_what_would_end_the_stream_is_refused_and_the_next_goes_through(text: str) -> None:
    bench = await connected()
    started: list[bool] = []
    out = Outgoing(
        to=Address(ANN),
        part=Part.model_construct(text=text),
        key="1",
        conversation=ConversationRef(address=ANN),
        started=lambda: started.append(True),
    )
    with pytest.raises(UnsupportedContentError):
        await bench.sender.send(out)
    assert not started
    assert not bench.stream.written

    await bench.sender.send(to(ANN))
    assert len(bench.sent) == 1


async def test_what_the_server_takes_less_of_counts() -> None:
    """XEP-0478: it may say so."""
    bench = await connected()
    bench.stream.limit = 10_000
    with pytest.raises(UnsupportedContentError, match="10000"):
        await bench.sender.send(to(ANN, "x" * 10_000))


# --- files ---------------------------------------------------------------------------------------------------------


async def test_files_are_uploaded_first_each_under_a_key_of_its_own() -> None:
    bench = await connected()
    part = Part(text="two photos", attachments=(PHOTO, PHOTO))
    await bench.sender.send(to(ANN, part=part, key="k"))

    assert bench.files.uploaded == ["k/0", "k/1"]
    assert [message.findtext(BODY) for message in bench.sent] == [
        "two photos",
        "https://u.example/k/0",
        "https://u.example/k/1",
    ]


async def test_what_cannot_be_said_is_refused_before_a_file_is_put_anywhere() -> None:
    bench = await connected()
    with pytest.raises(UnsupportedContentError):
        await bench.sender.send(to(ANN, part=Part(text="\ufffe", attachments=(PHOTO,))))
    assert not bench.files.uploaded


async def test_a_file_that_is_not_taken_keeps_all_of_the_part_here() -> None:
    bench = await connected()
    bench.files.refuses = NotSentError("quota")
    with pytest.raises(NotSentError, match="quota"):
        await bench.sender.send(to(ANN, part=Part(text="a photo", attachments=(PHOTO,))))
    assert not bench.stream.written


# --- outcomes ------------------------------------------------------------------------------------------------------


async def test_without_a_session_nothing_has_started() -> None:
    bench, started = Bench(), list[bool]()
    with pytest.raises(NotSentError):
        await bench.sender.send(to(ANN, started=lambda: started.append(True)))
    assert not started


async def test_started_is_said_before_the_first_byte_and_the_receipt_comes_with_the_acknowledgement() -> None:
    bench = await connected()
    bench.stream.acknowledges = False
    written_then: list[int] = []
    receipts: list[Any] = []

    async def send() -> None:
        receipts.append(
            await bench.sender.send(to(ANN, started=lambda: written_then.append(len(bench.stream.written))))
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        await bench.stream.until(lambda: bench.stream.written)
        assert written_then == [0]
        assert not receipts
        bench.stream.acknowledge()
    assert receipts[0].status is Status.ACCEPTED


async def test_a_connection_that_is_lost_and_does_not_come_back_leaves_it_unknown() -> None:
    bench = await connected()
    bench.stream.acknowledges = False
    async with anyio.create_task_group() as tasks:

        async def send() -> None:
            with pytest.raises(UncertainError):
                await bench.sender.send(to(ANN))

        tasks.start_soon(send)
        await bench.stream.until(lambda: bench.stream.written)
        bench.stream.drop()


async def test_what_was_written_is_remembered_as_unread_and_what_was_not_is_not() -> None:
    """XEP-0333: who has read one has read those before it, if they went out."""
    bench = Bench()
    with pytest.raises(NotSentError):
        await bench.sender.send(to(ANN, key="1"))
    await bench.connect()
    await bench.sender.send(to(f"{ANN}/phone", key="2"))
    await bench.sender.mark_read(to(ANN, key="3", target=("m1",), operation=Operation.READ))
    await bench.sender.send(to(ANN, key="4"))
    for key in ("5", "6"):
        await bench.sender.send(to(DEN, key=key))

    assert bench.ids.read("ann@a.example", origin_id("4")) == (origin_id("2"), origin_id("4"))
    assert bench.ids.read("den@rooms.example", origin_id("6")) == (origin_id("6"),)


# --- the other verbs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "text", "payload"),
    [
        ("edit", "better", tag(NS.CORRECTION, "replace")),
        ("retract", "", tag(NS.RETRACTION, "retract")),
        ("react", "👍", tag(NS.REACTIONS, "reactions")),
        ("mark_read", "", tag(NS.MARKERS, "displayed")),
    ],
)
async def test_each_verb_names_its_message_and_says_when_it_starts(verb: str, text: str, payload: str) -> None:
    bench, started = await connected(), list[bool]()
    target = origin_id("dispatch0/0")
    out = to(ANN, text, target=(target,), started=lambda: started.append(True))
    receipt = await getattr(bench.sender, verb)(out)

    element = bench.sent[0].find(payload)
    assert element is not None
    assert element.get("id") == target
    assert started == [True]
    assert receipt.ids[0] == origin_id("dispatch1/0")


async def test_what_somebody_else_has_said_in_a_room_the_room_is_asked_to_take_back() -> None:
    """XEP-0425. What is ours is known by its id, and by what it was sent as."""
    bench = await connected()
    bench.ids.learn("den@rooms.example", "room-2", author="us", origin=origin_id("dispatch9/0"))

    await bench.sender.retract(to(DEN, target=("room-1",)))
    assert bench.retracted == [("den@rooms.example", "room-1")]
    assert not bench.sent

    ours = origin_id("dispatch0/0")
    await bench.sender.retract(to(DEN, target=(ours, f"{ours} {DEN}", "room-3"), key="2"))
    await bench.sender.retract(to(DEN, target=("room-2",), key="3"))
    assert [message[1].get("id") for message in bench.sent] == ["room-3", "room-2"]
    assert len(bench.retracted) == 1


async def test_what_somebody_else_has_said_is_not_said_to_have_been_changed() -> None:
    """Nobody would believe it, and the ledger would say that it was done."""
    bench = await connected()
    bench.ids.learn("ann@a.example", "m1", author="ann@a.example")
    bench.ids.learn("den@rooms.example", "room-1", author="occupant", origin="1")
    for verb, uri, target in (("edit", ANN, "m1"), ("retract", ANN, "m1"), ("edit", DEN, "room-1")):
        with pytest.raises(RejectedError, match="somebody else"):
            await getattr(bench.sender, verb)(to(uri, "better", target=(target,)))
    assert not bench.sent

    # What is not known may be ours: another device's, or from before a restart.
    bench.ids.learn("ann@a.example", "m2", author="bot@example.org")
    for id in ("m2", "m3"):
        await bench.sender.edit(to(ANN, "better", target=(id,), key=id))
    assert len(bench.sent) == 2


async def test_typing_is_posted_and_waits_for_nobody() -> None:
    bench = await connected()
    bench.sender.typing(ConversationRef(address=ANN), True)
    assert bench.stream.posted[0].find(tag(NS.CHAT_STATES, "composing")) is not None

    bench.stream.drop()
    with pytest.raises(NotSentError):
        bench.sender.typing(ConversationRef(address=ANN), True)


async def test_that_we_type_no_more_is_said_where_it_is_news() -> None:
    """XEP-0085 §5.1: the first text says that we understand chat states, and a text takes back that we type."""
    bench = await connected()

    async def says_so(uri: str = ANN, **more: Any) -> bool:
        await bench.sender.send(to(uri, key=f"k{len(bench.sent)}", **more))
        return bench.sent[-1].find(tag(NS.CHAT_STATES, "active")) is not None

    assert [await says_so() for _ in range(3)] == [True, False, False]
    bench.sender.typing(ConversationRef(address=ANN), True)
    assert [await says_so() for _ in range(2)] == [True, False]
    assert await says_so("xmpp:bob@b.example")
    assert not await says_so(DEN)


async def test_an_empty_message_is_refused() -> None:
    bench = await connected()
    with pytest.raises(UnsupportedContentError, match="nothing to say"):
        await bench.sender.send(to(ANN, "", message=Message("")))
