"""What was given up, or is unknown, waits for a person, who looks at it and decides."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import Hub, MemoryStore, Message, MessageReceived, Status, all_of, first_of, via
from convergekit.adapters.loopback import Medium
from convergekit.errors import InvalidInputError, NotRunningError, NotSentError, UncertainError, UnsupportedContentError
from convergekit.hub import DeadLetter
from convergekit.model import DeadLettered, DeliveryState, DispatchState
from convergekit.router import ttl
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
BOB = "loopback:bob"
LONG = "word " * 300  # two parts


class World:
    """A hub, its clock, and the medium of its channels, which try everything once."""

    def __init__(self, hub: Hub, clock: FakeClock, medium: Medium) -> None:
        self.hub, self.clock, self.medium = hub, clock, medium
        self.letters = hub.dead_letters

    async def settle(self, seconds: float = 0.0) -> None:
        """Let *seconds* pass, in steps that no lease is shorter than, with all that happens in them."""
        for step in (*[10.0] * int(seconds // 10), seconds % 10):
            self.clock.advance(step)
            for _ in range(20):
                await checkpoint()
            await self.hub.idle()

    async def dead(self, text: str | Message = "hello", to: str = ANN, **options: Any) -> DeadLetter:
        """A message that was given up."""
        return await self._ended(NotSentError("the line is down", code="450"), "dead", text, to, options)

    async def unknown(self, text: str | Message = "hello", to: str = ANN, **options: Any) -> DeadLetter:
        """A message that may have gone out."""
        return await self._ended(UncertainError("the answer was lost"), "unknown", text, to, options)

    async def _ended(self, error: Exception, state: Any, text: Any, to: str, options: Any) -> DeadLetter:
        self.medium.script(error, to=to)
        handle = await self.hub.submit(text, to=to, **options)
        await self.settle()
        found = [each for each in await self.letters.list(state=state) if each.delivery is not None]
        return next(each for each in found if each.delivery and each.delivery.dispatch == handle.id)


@asynccontextmanager
async def opened(**options: Any) -> AsyncGenerator[World]:
    clock, medium = FakeClock(), Medium()
    hub = Hub(store=MemoryStore(), clock=clock, random=Random(3), **options)
    settings = {"adapter": "loopback", "attempts": 1}
    with anyio.fail_after(60):
        async with hub:
            await hub.add_channel("loop", {**settings, "default": True}, medium=medium)
            await hub.add_channel("other", settings, medium=Medium())
            yield World(hub, clock, medium)


async def failing(world: World, *texts: str, channel: str = "loop") -> None:
    """Events that no handler can handle."""
    for text in texts:
        world.medium.say(text=text, sender=ANN, key=text)
    await world.settle(400)


class Handler:
    """Fails for as long as it is told to."""

    def __init__(self, hub: Hub) -> None:
        self.broken = True
        self.handled: list[str] = []
        hub.on_message(channel="loop")(self.handle)

    async def handle(self, message: MessageReceived) -> None:
        if self.broken:
            raise ValueError("no such table")
        self.handled.append(message.text or "")


# Looking


async def test_events_and_deliveries_are_letters_of_one_kind() -> None:
    """With all that a person asks: what, where, why, since when, how often tried."""
    async with opened() as world:
        Handler(world.hub)
        await failing(world, "help")
        out = await world.dead("hello")
        lost = await world.unknown("you there?", to=BOB)
        event, *rest = await world.letters.list()

    assert [each.id for each in rest] == [out.id, lost.id]
    assert (event.direction, event.state, event.channel, event.attempts) == ("in", "dead", "loop", 6)
    assert isinstance(event.event, MessageReceived)
    assert event.event.text == "help"
    assert event.conversation is not None
    assert event.conversation.address.uri == ANN
    assert "ValueError" in event.reason
    assert event.at is not None
    assert event.at < world.clock.now()
    assert (out.direction, out.state, out.channel, out.attempts) == ("out", "dead", "loop", 1)
    assert out.message == Message("hello")
    assert out.reason == "not sent in 1 attempt: the line is down"
    assert out.at == world.clock.now()
    assert (lost.state, lost.reason, lost.at) == ("unknown", "the answer was lost", world.clock.now())
    assert "hello" not in repr(out)
    assert "help" not in repr(event)


async def test_they_are_listed_page_by_page() -> None:
    """A page goes on where the last one ended, whatever has become of that letter since."""
    async with opened() as world:
        Handler(world.hub)
        await failing(world, "one", "two")
        for number in range(3):
            await world.dead(f"{number}")
        await world.unknown("?")
        everything = [letter async for letter in world.letters]
        assert [(each.direction, each.state) for each in everything] == [("in", "dead")] * 2 + [("out", "dead")] * 3 + [
            ("out", "unknown")
        ]
        page = await world.letters.list(limit=3)
        assert page == everything[:3]
        assert await world.letters.discard(page[-1].id)
        assert await world.letters.list(limit=2, after=page[-1]) == everything[3:5]
        assert await world.letters.list(after=everything[-1]) == []
        assert await world.letters.list(direction="in") == everything[:2]
        assert await world.letters.list(state="unknown") == everything[5:]
        assert await world.letters.list(channel="loop", direction="in") == everything[:2]
        assert await world.letters.list(channel="other") == []
        assert await world.letters.list(direction="out", limit=1) == everything[3:4]


async def test_one_is_got_by_the_id_that_the_event_told() -> None:
    """A handler of `DeadLettered` can decide by itself."""
    async with opened() as world:
        told: list[DeadLettered] = []

        @world.hub.on_event(DeadLettered)
        async def note(letter: DeadLettered) -> None:
            told.append(letter)

        Handler(world.hub)
        await failing(world, "help")
        await world.dead()
        letters = [await world.letters.get(each.id) for each in told]
        assert [each and each.direction for each in letters] == ["in", "out"]
        assert await world.letters.get("nobody") is None
        assert await world.letters.get("") is None


async def test_nothing_is_done_before_the_hub_is_open() -> None:
    """As with everything that moves a message."""
    hub = Hub(store="memory:")
    with pytest.raises(NotRunningError):
        await hub.dead_letters.list()
    with pytest.raises(NotRunningError):
        await hub.dead_letters.discard("1")


# Deciding: events


async def test_an_event_is_handled_anew() -> None:
    """With all its attempts, and at once."""
    async with opened() as world:
        handler = Handler(world.hub)
        await failing(world, "help")
        (letter,) = await world.letters.list()
        handler.broken = False
        assert await world.letters.retry(letter.id)
        await world.settle()
        assert handler.handled == ["help"]
        assert not await world.letters.retry(letter.id)
        assert await world.letters.list() == []


async def test_what_is_discarded_is_gone() -> None:
    """Once."""
    async with opened() as world:
        Handler(world.hub)
        await failing(world, "help")
        for letter in (*await world.letters.list(), await world.dead(), await world.unknown()):
            assert await world.letters.discard(letter.id)
            assert not await world.letters.discard(letter.id)
        await world.settle(1000)
        assert await world.letters.list() == []
        assert world.medium.texts() == ["hello"]


# Deciding: deliveries


async def test_a_message_is_sent_again_as_a_new_delivery() -> None:
    """With a new key for the medium; its dispatch is pending again, and then satisfied."""
    async with opened() as world:
        letter = await world.dead(key="order-42")
        assert letter.delivery is not None
        before = await world.hub.store.load(letter.delivery.dispatch)
        assert before is not None
        assert before.state is DispatchState.EXHAUSTED

        handle = await world.letters.resend(letter.id)
        assert handle.dispatch.state is DispatchState.PENDING
        assert await handle.wait() is Status.ACCEPTED

        old, new = handle.dispatch.deliveries
        assert (old.id, old.state, new.supersedes) == (letter.id, DeliveryState.CLOSED, letter.id)
        assert new.key not in (old.key, "")
        assert [sent.out.key for sent in world.medium.sent] == [new.key]
        assert handle.state is DispatchState.SATISFIED
        assert handle.deliveries == (new,)
        assert await world.letters.list() == []
        assert (await world.hub.submit("hello", to=ANN, key="order-42")).id == handle.id
        with pytest.raises(InvalidInputError, match=r"no message .* among the dead letters"):
            await world.letters.resend(letter.id)


async def test_it_may_fail_again() -> None:
    """And is a letter again, with an id of its own."""
    async with opened() as world:
        letter = await world.dead()
        world.medium.script(NotSentError("still down"))
        handle = await world.letters.resend(letter.id)
        with pytest.raises(NotSentError, match="still down"):
            await handle.wait()
        (second,) = await world.letters.list()
        assert second.id != letter.id
        assert (second.attempts, handle.state) == (1, DispatchState.EXHAUSTED)


async def test_its_words_can_be_changed() -> None:
    """Text takes the place of the text; a message that of everything. The key goes on meaning the first ones."""
    async with opened() as world:
        letter = await world.dead(Message("tpyo", subject="Order"), key="k")
        handle = await world.letters.resend(letter.id, "typo")
        assert await handle.wait() is Status.ACCEPTED
        assert handle.dispatch.message == Message("typo", subject="Order")
        assert "typo" in world.medium.texts()[0]

        letter = await world.dead("hello")
        handle = await world.letters.resend(letter.id, Message(LONG))
        await handle.wait()
        assert len(handle.deliveries[0].parts) == 2
        assert handle.dispatch.message == Message(LONG)
        letter = await world.dead("hello")
        with pytest.raises(UnsupportedContentError):
            await world.letters.resend(letter.id, "")
        assert await world.letters.get(letter.id) == letter


async def test_of_what_was_not_edited_only_the_missing_parts_go() -> None:
    """What was taken is not said twice."""
    async with opened() as world:
        world.medium.script(lambda out: _taken(world.medium, out), to=ANN)
        letter = await world.dead(LONG)
        first = world.medium.texts()
        assert len(first) == 1
        handle = await world.letters.resend(letter.id)
        assert await handle.wait() is Status.ACCEPTED
        assert len(world.medium.sent) == 2
        assert set(world.medium.texts()) > set(first)


async def _taken(medium: Medium, out: Any) -> Any:
    return medium.accept(out)


async def test_only_the_leg_that_failed_goes_again() -> None:
    """The others stand as they are."""
    async with opened() as world:
        letter = await world.dead(via=all_of(via(ANN), via(BOB)))
        handle = await world.letters.resend(letter.id)
        await handle.wait()
        assert sorted(world.medium.sent, key=str) != []
        assert sorted(sent.to.uri for sent in world.medium.sent) == [ANN, BOB]
        assert handle.state is DispatchState.SATISFIED


async def test_what_has_expired_is_not_sent_again_by_accident() -> None:
    """A later end has to be said; and the time to live of a gate begins anew, for a person has decided."""
    async with opened(gates=[ttl(3600)]) as world:
        ends = world.clock.now() + timedelta(minutes=5)
        letter = await world.dead(Message("a code", expires_at=ends))
        other = await world.dead("hello", to=BOB)
        await world.settle(7200)
        with pytest.raises(InvalidInputError, match="expired at"):
            await world.letters.resend(letter.id)
        later = Message("a code", expires_at=world.clock.now() + timedelta(minutes=5))
        assert await (await world.letters.resend(letter.id, later)).wait() is Status.ACCEPTED
        assert await (await world.letters.resend(other.id)).wait() is Status.ACCEPTED


async def test_what_is_unknown_is_settled_by_whoever_knows() -> None:
    """Sent: it counts as accepted, and what is behind it goes. Not sent: it is tried again, with the same key."""
    async with opened() as world:
        letter = await world.unknown(LONG)
        assert letter.delivery is not None
        handle = await world.hub.submit(LONG, to=ANN)
        await world.settle()
        assert len(world.medium.sent) == 3  # the first part of one, both of the other
        assert await world.letters.settle(letter.id, sent=True)
        await world.settle()
        assert len(world.medium.sent) == 4
        assert not await world.letters.settle(letter.id, sent=True)

        letter = await world.unknown("hello")
        assert letter.delivery is not None
        assert await world.letters.settle(letter.id, sent=False)
        await world.settle()
        assert [sent.out.key for sent in world.medium.sent][-2:] == [letter.delivery.key] * 2
        dispatch = await world.hub.store.load(letter.delivery.dispatch)
        assert dispatch is not None
        (delivery,) = dispatch.deliveries
        assert [each.outcome for each in delivery.history] == ["uncertain", "reconciled", "accepted"]
        assert (dispatch.state, delivery.state) == (DispatchState.SATISFIED, DeliveryState.CLOSED)
        assert await world.letters.list() == []
        assert handle.state is DispatchState.SATISFIED
        assert not await world.letters.settle(letter.id, sent=False)


async def test_a_letter_of_another_kind_is_not_taken_for_one_that_is_gone() -> None:
    """The error says what it is, and which calls are for it; nothing has changed."""
    async with opened() as world:
        Handler(world.hub)
        await failing(world, "help")
        (event,) = await world.letters.list()
        dead, unknown = await world.dead(), await world.unknown(to=BOB)
        before = await world.letters.list()
        for letter in (dead, unknown):
            with pytest.raises(InvalidInputError, match=f"{letter.id} is a delivery .*`resend`"):
                await world.letters.retry(letter.id)
        with pytest.raises(InvalidInputError, match=f"{event.id} is an event: `retry`"):
            await world.letters.resend(event.id)
        with pytest.raises(InvalidInputError, match=f"{event.id} is an event: `retry`"):
            await world.letters.settle(event.id, sent=True)
        with pytest.raises(InvalidInputError, match=f"{dead.id} is a delivery that was given up: `resend`"):
            await world.letters.settle(dead.id, sent=True)
        assert await world.letters.list() == before
        assert not await world.letters.retry("nobody")
        assert not await world.letters.settle("nobody", sent=True)


async def test_a_dispatch_leads_to_its_only_letter() -> None:
    """Which is the id that errors name; with several, each has to be named."""
    async with opened() as world:
        world.medium.script(NotSentError("down"), to=ANN)
        with pytest.raises(NotSentError) as raised:
            await world.hub.send("hello", to=ANN)
        dispatch = str(raised.value.dispatch)
        letter = await world.letters.get(dispatch)
        assert letter is not None
        assert letter.delivery is not None
        assert letter.delivery.dispatch == dispatch
        assert await (await world.letters.resend(dispatch)).wait() is Status.ACCEPTED
        assert await world.letters.get(dispatch) is None

        lost = await world.unknown()
        assert lost.delivery is not None
        assert await world.letters.settle(lost.delivery.dispatch, sent=True)

        world.medium.script(NotSentError("down"), to=BOB)
        two = await world.dead(via=all_of(via(ANN), via(BOB)))
        assert two.delivery is not None
        with pytest.raises(InvalidInputError, match=f"has 2 dead letters; name one of them: .*{two.id}"):
            await world.letters.discard(two.delivery.dispatch)


async def test_what_is_unknown_may_be_sent_again() -> None:
    """The old one stays unknown, which is the truth, and nobody is asked about it any more."""
    async with opened() as world:
        letter = await world.unknown()
        handle = await world.letters.resend(letter.id)
        assert await handle.wait() is Status.ACCEPTED
        assert [each.status for each in handle.dispatch.deliveries] == [Status.UNKNOWN, Status.ACCEPTED]
        assert handle.state is DispatchState.SATISFIED
        assert await world.letters.list() == []


async def test_a_route_goes_on_from_what_was_discarded() -> None:
    """Nobody waits for the first way any more."""
    async with opened() as world:
        letter = await world.unknown(via=first_of(via(ANN), via(BOB)))
        await world.settle(1000)
        assert world.medium.texts(BOB) == []
        assert await world.letters.discard(letter.id)
        await world.settle()
        assert world.medium.texts(BOB) == ["hello"]
