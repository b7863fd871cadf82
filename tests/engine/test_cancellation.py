"""Cancelling at any await loses nothing that was admitted, and doubles nothing.

A run is cut at its first point, at its second, and so on until one run comes through; each time another hub opens the
same ledger and finishes. A point is before and after each transaction, and before and after the medium takes a part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import Conversation, Hub, MessageReceived, Status
from convergekit.abc import EntryState, Outgoing
from convergekit.adapters.loopback import Medium
from convergekit.errors import NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.model import DeliveryState, DispatchState, Receipt
from convergekit.testing import FakeClock
from tests.engine.kit import ANN, BOB, CutStore, Points

pytestmark = pytest.mark.anyio

LONG = "\n".join(f"part {number} " + "x" * 990 for number in range(3))


class World:
    """What outlives a hub: the ledger, the medium, the clock, and what the test has seen."""

    def __init__(self, medium: Medium | None = None) -> None:
        self.store = CutStore()
        self.medium = medium or Medium()
        self.clock = FakeClock()
        self.handled: list[str] = []
        self.points = Points()
        self.chance = Random(7)  # outlives a hub as well: two hubs with one seed would make the same ids

    def cut(self, points: Points) -> None:
        self.points = self.store.point = points  # type: ignore[assignment]

    async def send(self, out: Outgoing) -> Receipt | None:
        """The medium takes a part; its answer may be cut off."""
        await self.points()
        receipt = self.medium.accept(out)
        await self.points()
        return receipt

    def hub(self) -> Hub:
        hub = Hub(store=self.store, clock=self.clock, random=self.chance, drain=5)

        @hub.on_message
        async def handle(message: MessageReceived, conversation: Conversation) -> str:
            await self.points()
            self.handled.append(message.key)
            await conversation.reply(f"first {message.text}")
            await self.points()
            return f"second {message.text}"

        return hub

    async def open(self, hub: Hub) -> None:
        self.medium.script(*[self.send] * 50)
        await hub.add_channel("loop", {"adapter": "loopback", "poll_interval": 1000}, medium=self.medium)

    async def settle(self, hub: Hub, seconds: float = 0, step: float = 1.0) -> None:
        for _ in range(int(seconds / step) + 1):
            for _ in range(20):
                await checkpoint()
            await hub.idle()
            self.clock.advance(step if seconds else 0)

    async def finish(self) -> str:
        """Another hub does what is left, and its host asks once more for what it may have asked for."""
        self.cut(Points())
        async with self.hub() as hub:
            await self.open(hub)
            found = await hub.submit(LONG, to=ANN, key="order")
            await self.settle(hub, 200, step=10)
        return found.id

    async def is_whole(self, *, events: int, dispatches: int) -> None:
        """The invariants: handled, in a definite status or unknown, nothing twice, in order, and the sums agree."""
        stored = await self.store.dispatches()
        assert len(stored) == dispatches
        sent = Counter(each.out.key for each in self.medium.sent)
        assert all(count == 1 for count in sent.values()), sent
        states: Counter[str] = Counter()
        for dispatch in stored:
            (delivery,) = dispatch.deliveries
            states[delivery.state.value] += 1
            assert delivery.state in (DeliveryState.CLOSED, DeliveryState.UNKNOWN)
            numbers = [each.out.index for each in self.medium.sent if each.out.delivery == delivery.id]
            assert numbers == sorted(numbers)
            if delivery.state is DeliveryState.CLOSED:
                assert delivery.status is Status.ACCEPTED
                assert numbers == list(range(len(delivery.parts)))
        counts = await self.store.counts()
        assert {key: count for key, count in counts.entries.items() if count} == (
            {("loop", EntryState.DONE): events} if events else {}
        )
        assert {state: count for (_, state), count in counts.deliveries.items() if count} == states
        assert len(set(self.handled)) == events


async def test_a_hub_cancelled_at_any_await_loses_and_doubles_nothing() -> None:
    """Two conversations, a message of three parts, handlers that reply twice: cut at every point there is."""
    for at in range(1, 10_000):
        world = World()
        points = Points(at)
        world.cut(points)
        world.medium.say(key="e1", text="one", sender=ANN)
        world.medium.say(key="e2", text="two", sender=BOB)
        submitted = None
        with anyio.fail_after(60), anyio.CancelScope() as points.scope:
            async with world.hub() as hub:
                await world.open(hub)
                submitted = (await hub.submit(LONG, to=ANN, key="order")).id
                await world.settle(hub)
        points.scope = None
        with anyio.fail_after(60):
            found = await world.finish()
            assert submitted in (None, found)
            await world.is_whole(events=2, dispatches=5)
        if points.seen < at:
            break
    assert 50 < at < 9_999, "there are fewer points than there are awaits"


async def _admit(world: World, hub: Hub) -> None:
    runtime = hub.channel("loop")
    adapter: Any = runtime.adapter
    event = MessageReceived(key="e1", text="one", sender=ANN)
    await adapter.context.admit(event)


async def _submit(world: World, hub: Hub) -> None:
    await hub.submit(LONG, to=ANN, key="order")


async def _send(world: World, hub: Hub) -> None:
    await hub.send(LONG, to=ANN, key="order")


async def _wait(world: World, hub: Hub) -> None:
    handle = await hub.submit(LONG, to=ANN, key="order")
    await handle.wait(Status.ACCEPTED)


@pytest.mark.parametrize(
    ("call", "events", "dispatches"), [(_admit, 1, 2), (_submit, 0, 1), (_send, 0, 1), (_wait, 0, 1)]
)
async def test_a_caller_cancelled_at_any_await_leaves_all_or_nothing(
    call: Callable[[World, Hub], Awaitable[None]], events: int, dispatches: int
) -> None:
    """What was stored goes on its way at once, without another push; asked for again with its key, it is done once."""
    for at in range(1, 1000):
        world = World()
        points = Points(at)
        world.cut(points)
        with anyio.fail_after(60):
            async with world.hub() as hub:
                await world.open(hub)
                points.only = anyio.get_current_task().id
                with anyio.CancelScope() as points.scope:
                    await call(world, hub)
                points.scope = None
                await world.settle(hub)
                stored = await world.store.dispatches()
                if stored:  # nothing else happens that could have woken a worker
                    await world.is_whole(events=events, dispatches=dispatches)
                await call(world, hub)
                await world.settle(hub)
                await world.is_whole(events=events, dispatches=dispatches)
        if points.seen < at:
            break
    assert at > 2


async def test_an_outcome_that_is_known_is_stored_though_the_hub_is_cancelled() -> None:
    """The medium has answered: to call that unknown would be to forget it."""
    world = World()

    async def answers(out: Outgoing) -> Receipt:
        assert world.points.scope is not None
        world.points.scope.cancel()
        return world.medium.accept(out)

    with anyio.CancelScope() as world.points.scope:
        async with world.hub() as hub:
            world.medium.script(answers)
            await world.open(hub)
            handle = await hub.submit("hello", to=ANN)
            await anyio.sleep_forever()

    stored = await world.store.load(handle.id)
    assert stored is not None
    assert stored.status is Status.ACCEPTED


STEPS: list[Callable[[], BaseException] | None] = [
    None,
    None,
    None,
    lambda: ThrottledError("slow down", retry_after=7),
    lambda: ThrottledError("you, slow down", retry_after=7, scope="conversation"),
    lambda: NotSentError("busy"),
    lambda: RejectedError("no", code="550"),
    lambda: UncertainError("lost"),
    lambda: ConnectionResetError("nobody has classified this one"),
]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_medium_does_each_message_ends_in_order_and_once(seed: int) -> None:
    """A failing medium, many conversations, time that passes, hubs that come and go."""
    chance = Random(seed)
    medium = Medium()
    store, clock, ids = CutStore(), FakeClock(), Random(seed + 1000)
    submitted: dict[str, list[str]] = {}

    async def does(out: Outgoing) -> Receipt | None:
        step = chance.choice(STEPS)
        if chance.random() < 0.2:
            await clock.sleep(chance.choice([0.5, 3, 40]))
        error = None if step is None else step()
        if isinstance(error, UncertainError | ConnectionResetError) and chance.random() < 0.5:
            medium.accept(out)
        if error is not None:
            raise error
        return None

    def life() -> Hub:
        return Hub(store=store, clock=clock, random=ids, drain=0.001)

    for number in range(4):
        with anyio.fail_after(60):
            async with life() as hub:
                medium.script(*[does] * 5000)
                await hub.add_channel("loop", {"adapter": "loopback", "hold": 20, "concurrency": 3}, medium=medium)
                for count in range(20 if number < 3 else 0):
                    to = f"loopback:p{chance.randrange(6)}"
                    handle = await hub.submit(f"{number} {count}", to=to, key=f"{number}-{count}")
                    submitted.setdefault(to, []).append(handle.id)
                    clock.advance(chance.choice([0, 0.1, 2]))
                    await checkpoint()
                for _ in range(40 if number < 3 else 400):
                    clock.advance(chance.choice([0.1, 1, 10]))
                    for _ in range(5):
                        await checkpoint()

    counts = Counter(each.out.key for each in medium.sent)
    assert max(counts.values()) == 1
    states: Counter[str] = Counter()
    for to, ids in submitted.items():
        arrived = [each.out.delivery for each in medium.sent if each.to.uri == to]
        expected: list[str] = []
        for identity in ids:
            dispatch = await store.load(identity)
            assert dispatch is not None
            (delivery,) = dispatch.deliveries
            states[delivery.state.value] += 1
            assert delivery.state in (DeliveryState.CLOSED, DeliveryState.UNKNOWN, DeliveryState.DEAD)
            assert dispatch.state.is_final or delivery.state is DeliveryState.UNKNOWN
            if delivery.state is DeliveryState.CLOSED:
                assert (counts[delivery.key] == 1) == (dispatch.state is DispatchState.SATISFIED)
            if delivery.id in arrived and not delivery.passed:
                expected.append(delivery.id)
        assert [each for each in arrived if each in expected] == expected, "the order of a lane"
    assert sum(states.values()) == 60
    totals = await store.counts()
    assert {state: count for (_, state), count in totals.deliveries.items() if count} == states
