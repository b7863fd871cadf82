"""Where the parts of one message are chained, each is told what came before it, also after a person sent it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import anyio
import pytest

from convergekit import Hub, MemoryStore, Message, MessageReceived
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import LoopbackAdapter, Medium
from convergekit.engine.outcomes import with_receipt
from convergekit.errors import NotSentError, UncertainError
from convergekit.model import Address, ConversationRef, Delivery, DeliveryState, Dispatch, Part, Receipt, Status
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
LONG = "".join(f"word{number:04d} " for number in range(330))  # three parts


def dispatch(*deliveries: Delivery) -> Dispatch:
    return Dispatch(
        id="d", key="k", recipient=ANN, message=Message("x"), deliveries=deliveries, created_at=FakeClock().now()
    )


def delivery(id: str, parts: Sequence[str], ids: Sequence[str], **fields: Any) -> Delivery:
    """With *ids* for its first parts, an empty one for a part that was taken without any."""
    made = Delivery(
        id=id,
        key=id,
        dispatch="d",
        channel="loop",
        address=Address(ANN),
        conversation=ConversationRef(channel="loop", address=ANN),
        parts=tuple(Part(text=text) for text in parts),
        due=FakeClock().now(),
        **fields,
    )
    for index, each in enumerate(ids):
        made = with_receipt(made, Receipt(Status.ACCEPTED, part=index, ids=[each] if each else ()))
    return made


class TestBefore:
    def test_of_the_first_part_there_is_none(self) -> None:
        only = delivery("1", ["a", "b"], ["p1"])
        assert dispatch(only).before(only, 0) == frozenset()

    def test_it_is_the_nearest_that_has_an_id(self) -> None:
        only = delivery("1", ["a", "b", "c", "d"], ["p1", "p2", ""])
        assert [dispatch(only).before(only, index) for index in range(4)] == [set(), {"p1"}, {"p2"}, {"p2"}]

    def test_what_is_sent_again_goes_on_where_the_old_one_ended(self) -> None:
        old = delivery("1", ["a", "b", "c"], ["p1"], state=DeliveryState.CLOSED)
        new = delivery("2", ["b", "c"], ["p2"], supersedes="1")
        assert [dispatch(old, new).before(new, index) for index in range(2)] == [{"p1"}, {"p2"}]

    def test_it_goes_back_over_any_number_of_them(self) -> None:
        first = delivery("1", ["a", "b", "c"], ["p1"], state=DeliveryState.CLOSED)
        second = delivery("2", ["b", "c"], [], supersedes="1", state=DeliveryState.CLOSED)
        third = delivery("3", ["b", "c"], [], supersedes="2")
        assert dispatch(first, second, third).before(third, 0) == {"p1"}

    def test_what_was_edited_begins_anew(self) -> None:
        """Its first part follows nothing that was said."""
        old = delivery("1", ["a", "b"], ["p1"], state=DeliveryState.CLOSED)
        new = delivery("2", ["x", "y"], [], supersedes="1")
        assert dispatch(old, new).before(new, 0) == frozenset()


class Chained(LoopbackAdapter):
    """Keeps what it was told."""

    told: list[Outgoing]

    async def send(self, out: Outgoing) -> Receipt:
        self.context.parts["told"].append(out)
        return await super().send(out)

    async def reconcile(self, out: Outgoing) -> Any:
        self.context.parts["asked"].append(out)
        return await super().reconcile(out)


class World:
    def __init__(self) -> None:
        self.clock, self.medium = FakeClock(), Medium(remembers=True)
        self.told: list[Outgoing] = []
        self.asked: list[Outgoing] = []
        self.hub = Hub(store=MemoryStore(), clock=self.clock, random=Random(3))

    async def begin(self) -> None:
        await self.hub.add_channel(
            "loop",
            {"adapter": "loopback", "attempts": 1},
            adapter=Chained,
            medium=self.medium,
            told=self.told,
            asked=self.asked,
        )

    @property
    def ids(self) -> list[tuple[str, ...]]:
        return [(sent.id,) for sent in self.medium.sent]


async def test_each_part_is_told_the_id_of_the_one_before() -> None:
    world = World()
    async with world.hub:
        await world.begin()
        await world.hub.send(LONG, to=ANN)
    assert len(world.told) == 3
    assert [out.earlier for out in world.told] == [(), *world.ids[:2]]


async def test_missing_parts_that_a_person_sends_again_follow_what_was_said() -> None:
    world = World()

    async def taken(out: Outgoing) -> Receipt | None:
        return None

    async with world.hub:
        await world.begin()
        world.medium.script(taken, NotSentError("the line is down"))
        with pytest.raises(NotSentError):
            await world.hub.send(LONG, to=ANN)
        (letter,) = await world.hub.dead_letters.list()
        with anyio.fail_after(30):
            await (await world.hub.dead_letters.resend(letter.id)).wait()
    again = world.told[2:]
    assert [(out.index, out.count) for out in again] == [(0, 2), (1, 2)]
    assert [out.earlier for out in again] == world.ids[:2]
    assert " ".join(sent.text for sent in world.medium.sent).split() == LONG.split()


async def test_who_is_asked_what_became_of_it_is_told_since_when() -> None:
    """What is looked for is not older than the first attempt; before one there is nothing to look for."""
    world = World()
    async with world.hub:
        await world.begin()
        began = world.clock.now()
        world.clock.advance(60)
        world.medium.script(UncertainError("the answer was lost"))
        await world.hub.send("hello", to=ANN)
        (asked,) = world.asked
        assert asked.first_attempt_at == began + timedelta(seconds=60)


async def test_an_answer_in_a_handler_is_chained_too() -> None:
    world = World()

    @world.hub.on_message()
    async def answer(message: MessageReceived) -> str:
        return LONG

    async with world.hub:
        await world.begin()
        world.medium.say(sender=ANN, text="?")
        for _ in range(20):
            await anyio.wait_all_tasks_blocked()
            await world.hub.idle()
            if len(world.told) == 3:
                break
    assert [out.earlier for out in world.told] == [(), *world.ids[:2]]
