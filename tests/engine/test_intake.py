"""Admission: once, complete, or not at all."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from convergekit import MemoryStore, MessageReceived
from convergekit.abc import Admission, Cursor
from convergekit.engine.intake import Intake, completed
from convergekit.errors import InvalidInputError, NotRunningError, StoreError
from convergekit.model import (
    Address,
    ChannelChanged,
    ConversationKind,
    ConversationRef,
    PresenceChanged,
    Receipt,
    ReceiptReceived,
    Status,
    TypingChanged,
    event_to_json,
)
from convergekit.testing import FakeClock
from tests.engine.kit import ANN, BOB

pytestmark = pytest.mark.anyio


class Door:
    """An intake over a ledger in memory, and how often it has called."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.admitted = self.noticed = 0
        self.intake = Intake(self.store, admitted=self._admitted, noticed=self._noticed)

    def _admitted(self) -> None:
        self.admitted += 1

    def _noticed(self) -> None:
        self.noticed += 1


def typing(who: str, typing: bool) -> TypingChanged:
    return TypingChanged(sender=who, typing=typing)


async def test_what_is_new_is_stored_and_what_was_seen_is_not() -> None:
    """In one call, with the cursor; by channel and key."""
    door = Door()
    one, two = MessageReceived(key="1", sender=ANN, text="a"), MessageReceived(key="2", sender=ANN, text="b")
    async with door.store.opened(FakeClock()):
        assert await door.intake.admit("loop", [one]) == (Admission.NEW,)
        again = await door.intake.admit("loop", [one, two, two], Cursor(7, "inbox"))
        assert again == (Admission.DUPLICATE, Admission.NEW, Admission.DUPLICATE)
        assert await door.intake.admit("other", [one]) == (Admission.NEW,)
        assert await door.store.cursor("loop", "inbox") == 7
        assert door.admitted == 3


async def test_a_missing_key_is_refused_and_nothing_of_the_call_is_stored() -> None:
    """A repeat could not be told from a new one."""
    door = Door()
    good, bad = MessageReceived(key="1", sender=ANN, text="a"), MessageReceived(sender=ANN, text="b")
    async with door.store.opened(FakeClock()):
        with pytest.raises(InvalidInputError, match=r"loop: .*message\.received has no key"):
            await door.intake.admit("loop", [good, bad], Cursor(1))
        assert await door.intake.admit("loop", [good]) == (Admission.NEW,)
        assert await door.store.cursor("loop", "") is None


async def test_a_closing_hub_takes_nothing_in() -> None:
    """The medium keeps it, and offers it again."""
    door = Door()
    door.intake.is_open = False
    async with door.store.opened(FakeClock()):
        with pytest.raises(NotRunningError, match="offer the event again"):
            await door.intake.admit("loop", [MessageReceived(key="1", sender=ANN, text="a")])
        assert (await door.store.counts()).entries == {}


async def test_a_ledger_that_fails_lets_nobody_acknowledge() -> None:
    """The error reaches whoever would."""

    class Broken(MemoryStore):
        async def admit(self, *args: Any, **options: Any) -> Any:
            raise StoreError("the disk is full")

    door = Door(Broken())
    async with door.store.opened(FakeClock()):
        with pytest.raises(StoreError):
            await door.intake.admit("loop", [MessageReceived(key="1", sender=ANN, text="a")])


def test_an_event_is_completed_with_its_channel_and_conversation() -> None:
    """A direct one with its sender where it named none; what an adapter says of the channel does not count."""
    direct = completed(MessageReceived(key="1", sender=ANN, text="a"), "loop")
    room = ConversationRef(channel="forged", address=BOB, kind=ConversationKind.GROUP)
    group = completed(MessageReceived(key="1", sender=ANN, conversation=room, channel="forged", text="a"), "loop")
    bare = completed(ChannelChanged(key="1", state="up"), "loop")

    assert (direct.channel, direct.conversation) == ("loop", ConversationRef(channel="loop", address=ANN))
    assert (group.channel, group.conversation) == ("loop", room.model_copy(update={"channel": "loop"}))
    assert (bare.channel, bare.conversation) == ("loop", None)


def test_reports_have_lanes_of_their_own() -> None:
    """Or a handler that waits for its reply to be delivered would wait for what stands behind it."""
    receipt = Receipt(Status.DELIVERED, ids=("1",))
    known = completed(ReceiptReceived(key="1", sender=ANN, receipt=receipt), "loop")
    chosen = completed(ReceiptReceived(key="1", sender=ANN, receipt=receipt, lane="mine"), "loop")

    assert known.lane not in (None, ConversationRef(address=ANN).key)
    assert chosen.lane == "mine"


def test_of_ephemeral_events_the_newest_wins() -> None:
    """Of each type, sender and place; others stay, in order."""
    door = Door()
    for who, on in [(ANN, True), (BOB, True), (ANN, False)]:
        door.intake.notify("loop", typing(who, on))
    door.intake.notify("loop", PresenceChanged(sender=ANN, presence="away"))
    door.intake.notify("other", typing(ANN, True))

    seen = []
    while (event := door.intake.next_notice()) is not None:
        seen.append((event.channel, event.type, str(event.sender), getattr(event, "typing", None)))
    assert seen == [
        ("loop", "typing.changed", BOB, True),
        ("loop", "typing.changed", ANN, False),
        ("loop", "presence.changed", ANN, None),
        ("other", "typing.changed", ANN, True),
    ]


def test_ephemeral_events_are_bounded() -> None:
    """The oldest go first: nobody can fill the memory by typing."""
    door = Door()
    for number in range(5000):
        door.intake.notify("loop", typing(f"loopback:p{number}", True))

    left = []
    while (event := door.intake.next_notice()) is not None:
        left.append(str(event.sender))
    assert len(left) == 1024
    assert left[-1] == "loopback:p4999"


async def test_ephemeral_events_are_handled_and_never_stored(bench: Any) -> None:
    """A handler that fails on one does not stop the next."""
    seen: list[bool] = []
    async with bench() as b:

        @b.hub.on_event(TypingChanged)
        async def handle(event: TypingChanged) -> None:
            seen.append(event.typing)
            if event.typing:
                raise RuntimeError("a bug in the host")

        await b.add()
        adapter = b.hub.channel("loop").adapter
        adapter.context.notify(typing(ANN, True))
        await b.settle()
        adapter.context.notify(typing(ANN, False))
        await b.settle()

        assert seen == [True, False]
        assert (await b.store.counts()).entries == {}


async def test_a_handler_that_waits_until_its_reply_is_read_does_not_deadlock(bench: Any) -> None:
    """The report comes in the same conversation."""
    seen: list[Status] = []
    async with bench(handlers=2) as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            reply = await b.hub.conversation(message).reply("here")
            await reply.wait(Status.ACCEPTED)
            medium.say(type="receipt.received", sender=ANN, receipt={"status": "read", "ids": [medium.sent[0].id]})
            seen.append(await reply.wait(Status.READ))

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        with anyio.fail_after(60):
            await b.settle()

    assert seen == [Status.READ]


def test_a_completed_event_is_what_a_copy_would_be() -> None:
    """It equals pydantic's own copy, writes the same JSON, and leaves the original alone."""
    event = MessageReceived(key="k", sender=Address(ANN, display_name="Ann"), text="hello", native={"a": b"x"})
    reference = ConversationRef(channel="c", address=Address(ANN, display_name="Ann"))
    update = {"channel": "c", "conversation": reference}

    found = completed(event, "c")

    assert found == event.model_copy(update=update)
    assert found.model_fields_set == event.model_copy(update=update).model_fields_set
    assert event_to_json(found) == event_to_json(event.model_copy(update=update))
    assert found.conversation is not None
    assert found.conversation.address.display_name == "Ann"
    assert event.channel == ""
    assert completed(found, "c") is found


async def test_an_admission_under_way_is_work() -> None:
    """Whoever waits until nothing is left waits for it, too: its answer may be a thread away."""
    go = anyio.Event()

    class Slow(MemoryStore):
        async def admit(self, *args: Any, **more: Any) -> Any:
            await go.wait()
            return await super().admit(*args, **more)

    door = Door(Slow())
    quiet = anyio.Event()

    async def until_idle() -> None:
        await door.intake.idle()
        quiet.set()

    async with door.store.opened(FakeClock()), anyio.create_task_group() as tasks:
        tasks.start_soon(door.intake.admit, "c", [MessageReceived(key="1", sender=ANN, text="a")])
        await anyio.wait_all_tasks_blocked()
        assert not door.intake.is_idle
        tasks.start_soon(until_idle)
        await anyio.wait_all_tasks_blocked()
        assert not quiet.is_set()
        go.set()
        await quiet.wait()
        assert (door.intake.is_idle, door.admitted) == (True, 1)
