"""What failed, or what a receiver has lost, goes out again from the ledger: one message, or all of a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import DispatchHandle, Hub, MemoryStore, Message, Status, all_of, first_of, via
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import Medium
from convergekit.errors import (
    ConfigurationError,
    InvalidInputError,
    NotRunningError,
    NotSentError,
    RejectedError,
    UncertainError,
)
from convergekit.hub import Left, Redelivered
from convergekit.model import Address, ConsentChanged, DeliveryChanged, DeliveryState, DispatchState, Receipt
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN, BOB = "loopback:ann", "loopback:bob"
REFUSED = RejectedError("no such endpoint", code="404")
LONG = "word " * 300  # two parts


@dataclass(slots=True, repr=False)
class Far(Medium):
    """The medium, and every call that reached it: also those that it recognised as repeats."""

    calls: list[Outgoing] = field(default_factory=list)

    async def take(self, out: Outgoing, files: Sequence[bytes] = ()) -> Receipt:
        self.calls.append(out)
        return await Medium.take(self, out, files)

    @property
    def keys(self) -> list[str]:
        """Of each call."""
        return [out.key for out in self.calls]


@dataclass(slots=True)
class World:
    """A hub, its clock, and the far sides of its channels: *hooks* knows a repeat, *plain* does not."""

    hub: Hub
    clock: FakeClock
    hooks: Far
    plain: Far

    async def settle(self, seconds: float = 0.0) -> None:
        """Let *seconds* pass, with all that happens then."""
        self.clock.advance(seconds)
        for _ in range(20):
            await checkpoint()
        await self.hub.idle()

    async def ended(
        self, error: Exception | None = REFUSED, text: str | Message = "hello", to: str = ANN, **options: Any
    ) -> DispatchHandle:
        """A message to whom, by default, all is refused."""
        options.setdefault("via", via("hooks"))
        if error is not None:
            for far in (self.hooks, self.plain):
                far.script(error, to=to)
        handle = await self.hub.submit(text, to=to, **options)
        await self.settle(1)
        for far in (self.hooks, self.plain):
            far._scripts.clear()
        return handle


@asynccontextmanager
async def opened(**options: Any) -> AsyncGenerator[World]:
    clock, hooks, plain = FakeClock(), Far(idempotent=True), Far()
    hub = Hub(store=MemoryStore(), clock=clock, random=Random(3), **options)
    with anyio.fail_after(60):
        async with hub:
            for name, medium in (("hooks", hooks), ("plain", plain)):
                await hub.add_channel(name, {"adapter": "loopback", "attempts": 1}, medium=medium)
            yield World(hub, clock, hooks, plain)


# One


@pytest.mark.parametrize("by", ["handle", "dispatch", "delivery", "snapshot"])
async def test_what_was_refused_goes_again_with_its_key(by: str) -> None:
    """Whoever has it after all knows it for the same."""
    async with opened() as world:
        handle = await world.ended()
        (old,) = handle.deliveries
        assert handle.error is not None
        named: Any = {"handle": handle, "dispatch": handle.id, "delivery": old.id, "snapshot": old}[by]
        again = await world.hub.redeliver(named)
        assert (again.id, again.status, again.state, again.error) == (
            handle.id, Status.QUEUED, DispatchState.PENDING, None
        )  # fmt: skip
        assert await again.wait(timeout=5) is Status.ACCEPTED
        (new,) = again.deliveries
        assert (new.supersedes, new.id == old.id, new.key) == (old.id, False, old.key)
        assert world.hooks.keys == [old.key, old.key]
        assert again.state is DispatchState.SATISFIED


@pytest.mark.parametrize("error", [NotSentError("the line is down"), REFUSED])
async def test_where_a_repeat_is_not_recognised_the_key_is_a_new_one(error: Exception) -> None:
    """As `dead_letters.resend` does: somebody has decided that it goes out, whatever the medium remembers."""
    async with opened() as world:
        handle = await world.ended(error, via=via("plain"))
        again = await world.hub.redeliver(handle)
        await world.settle()
        first, second = world.plain.keys
        assert first != second
        assert again.status is Status.ACCEPTED
        assert world.plain.texts() == ["hello"]


@pytest.mark.parametrize(("channel", "keys"), [("hooks", ["-1", "-2", "-2"]), ("plain", ["-1", "-2", ""])])
async def test_of_a_message_in_parts_only_those_go_that_nobody_has_taken(channel: str, keys: list[str]) -> None:
    """And under its old key each part has its old number."""
    async with opened() as world:
        far = world.hooks if channel == "hooks" else world.plain
        far.script(Receipt(Status.ACCEPTED, ids=("theirs-1",)), REFUSED)
        handle = await world.hub.submit(LONG, to=ANN, via=via(channel))
        await world.settle(1)
        assert handle.deliveries[0].is_partial
        again = await world.hub.redeliver(handle)
        await world.settle()
        key = handle.dispatch.deliveries[0].key
        ours = [each.removeprefix(key) if each.startswith(key) else "" for each in far.keys]
        assert (ours, again.status) == (keys, Status.ACCEPTED)
        assert far.calls[-1].part == far.calls[1].part


async def test_what_arrived_goes_again_where_a_repeat_is_recognised() -> None:
    """For a receiver that has lost it. What was delivered stays so, whatever becomes of the repeat."""
    async with opened() as world:
        handle = await world.ended(None)
        again = await world.hub.redeliver(handle)
        assert (again.status, again.state, again.error) == (Status.ACCEPTED, DispatchState.SATISFIED, None)
        assert await again.wait(timeout=1) is Status.ACCEPTED
        await again.settled(5)
        assert again.deliveries[0].status is Status.ACCEPTED
        assert again.deliveries[0].supersedes is not None
        world.hooks.script(REFUSED)
        worse = await world.hub.redeliver(handle)
        await worse.settled(5)
        (last,) = worse.deliveries
        assert (last.status, worse.status, worse.state, worse.error) == (
            Status.FAILED, Status.ACCEPTED, DispatchState.SATISFIED, None
        )  # fmt: skip
        world.hooks.script(UncertainError("the answer was lost"))
        lost = await world.hub.redeliver(handle)
        await lost.settled(5)
        assert (lost.deliveries[0].state, lost.status, lost.error) == (
            DeliveryState.UNKNOWN, Status.ACCEPTED, None
        )  # fmt: skip
        assert len(set(world.hooks.keys)) == 1
        assert len(world.hooks.keys) == 4


async def test_a_repeat_of_what_arrived_can_be_stopped() -> None:
    """Somebody has had a thousand repeated by mistake."""
    async with opened() as world:
        handle = await world.ended(None)
        held = anyio.Event()

        async def waits(out: Outgoing) -> None:
            await held.wait()

        world.hooks.script(waits)
        await world.hub.submit("before it in its lane", to=ANN, via=via("hooks"))
        again = await world.hub.redeliver(handle)
        assert await again.cancel()
        assert not await again.cancel()
        held.set()
        await world.settle()
        assert again.deliveries[0].state is DeliveryState.CANCELLED
        assert (again.status, again.state, again.error) == (Status.ACCEPTED, DispatchState.SATISFIED, None)
        assert world.hooks.texts() == ["hello", "before it in its lane"]


async def left(world: World, what: Any) -> str:
    """Why it is left."""
    before = await world.hub.store.load(what if isinstance(what, str) else what.id)
    with pytest.raises(InvalidInputError) as caught:
        await world.hub.redeliver(what)
    assert await world.hub.store.load(what if isinstance(what, str) else what.id) == before
    return str(caught.value)


async def test_what_moves_by_itself_is_left_alone_and_told_so() -> None:
    async with opened() as world:
        later = await world.hub.submit(Message("hello", not_before=world.clock.now() + timedelta(hours=1)), to=ANN,
                                       via=via("hooks"))  # fmt: skip
        assert "still under way" in await left(world, later)
        handle = await world.ended()
        old = handle.deliveries[0].id
        await world.hub.redeliver(handle)
        with pytest.raises(InvalidInputError, match="still under way"):
            await world.hub.redeliver(handle)
        with pytest.raises(InvalidInputError, match="sent again already"):
            await world.hub.redeliver(old)
        await world.settle()
        assert len(world.hooks.calls) == 2


async def test_what_was_cancelled_stays_cancelled() -> None:
    async with opened() as world:
        later = await world.hub.submit(Message("hello", not_before=world.clock.now() + timedelta(hours=1)), to=ANN,
                                       via=via("hooks"))  # fmt: skip
        await later.cancel()
        assert "it was cancelled" in await left(world, later)


async def test_what_a_gate_has_stopped_stays_stopped() -> None:
    async with opened() as world:
        await world.hub.consents.record(ConsentChanged(key="1", channel="hooks", address=Address(ANN), granted=False))
        handle = await world.hub.submit(Message("hello"), to=ANN, via=via("hooks"))
        assert handle.state is DispatchState.SUPPRESSED
        assert "does not go again: suppressed: " in await left(world, handle)


async def test_what_has_expired_needs_a_new_time_to_live() -> None:
    async with opened() as world:
        handle = await world.ended(text=Message("hello", expires_at=world.clock.now() + timedelta(minutes=5)))
        await world.settle(600)
        assert "its time to live ran out" in await left(world, handle)
        with pytest.raises(InvalidInputError, match="has passed already"):
            await world.hub.redeliver(handle, expires_at=world.clock.now())
        later = world.clock.now() + timedelta(hours=1)
        again = await world.hub.redeliver(handle, expires_at=later)
        await world.settle()
        assert again.status is Status.ACCEPTED
        assert (again.deliveries[0].expires_at, again.dispatch.message.expires_at) == (later, later)


async def test_what_expired_before_it_was_sent_goes_with_a_new_time_to_live() -> None:
    async with opened() as world:
        await world.hub.remove_channel("hooks")
        await world.hub.add_channel("hooks", {"adapter": "loopback", "attempts": 3}, medium=world.hooks)
        soon = Message("hello", expires_at=world.clock.now() + timedelta(seconds=2))
        world.hooks.script(NotSentError("down"), NotSentError("down"))
        handle = await world.hub.submit(soon, to=ANN, via=via("hooks"))
        await world.settle(1)
        await world.settle(600)
        assert handle.state is DispatchState.EXPIRED
        assert (await world.hub.redeliver(channel="hooks")).left == {Left.EXPIRED: 1}
        done = await world.hub.redeliver(channel="hooks", expires_at=world.clock.now() + timedelta(hours=1))
        assert (done.again, done.left) == (1, {})
        world.hooks._scripts.clear()
        await world.settle()
        assert handle.status is Status.ACCEPTED


async def test_what_is_erased_cannot_go_again() -> None:
    async with opened() as world:
        handle = await world.ended()
        assert (await world.hub.archive.erase(ANN)).erased == 1
        assert "its content was erased" in await left(world, handle.id)
        assert await world.hub.redeliver(channel="hooks") == Redelivered(0, {}, world.clock.now())


async def test_what_may_have_gone_out_goes_again_only_where_a_repeat_is_recognised() -> None:
    lost = UncertainError("the answer was lost")
    async with opened() as world:
        safe, unsafe = await world.ended(lost), await world.ended(lost, via=via("plain"))
        assert "may have gone out" in await left(world, unsafe)
        again = await world.hub.redeliver(safe)
        await world.settle()
        assert again.status is Status.ACCEPTED
        assert world.hooks.texts() == world.plain.texts() == ["hello"], "there and here it had arrived"
        assert world.hooks.calls[-1].maybe_sent


async def test_what_was_taken_does_not_go_twice_where_that_would_be_two() -> None:
    async with opened() as world:
        handle = await world.ended(None, via=via("plain"))
        assert "does not recognise a repeat" in await left(world, handle)


async def test_of_a_route_the_leg_goes_again_on_its_own_channel() -> None:
    async with opened() as world:
        handle = await world.ended(via=all_of(via("hooks"), via("plain")))
        assert handle.state is DispatchState.EXHAUSTED
        _, plain = handle.deliveries
        await world.hub.redeliver(plain)
        await world.settle()
        assert (len(world.hooks.calls), len(world.plain.calls), handle.state) == (1, 2, DispatchState.EXHAUSTED)
        await world.hub.redeliver(handle)
        await world.settle()
        assert (len(world.hooks.calls), len(world.plain.calls), handle.state) == (2, 2, DispatchState.SATISFIED)


async def test_what_arrived_by_another_way_is_not_sent_by_the_first() -> None:
    """The person has it; only a leg that is named, or `all`, is repeated."""
    async with opened() as world:
        world.hooks.script(REFUSED)
        handle = await world.hub.submit("hello", to=ANN, via=first_of(via("hooks"), via("plain")))
        await world.settle(1)
        assert handle.state is DispatchState.SATISFIED
        assert (await world.hub.redeliver(channel="hooks")).left == {Left.ELSEWHERE: 1}
        with pytest.raises(InvalidInputError, match="another way of its route"):
            await world.hub.redeliver(handle)
        assert world.plain.texts() == ["hello"]


async def test_of_a_route_that_failed_everywhere_one_way_is_gone_again() -> None:
    """All at once would be a message too many."""
    async with opened() as world:
        handle = await world.ended(via=first_of(via("hooks"), via("plain")))
        assert handle.state is DispatchState.EXHAUSTED
        await world.hub.redeliver(handle)
        assert (await world.hub.redeliver(channel="plain")).left == {Left.ELSEWHERE: 1}
        await world.settle()
        assert (world.hooks.texts(), world.plain.texts(), handle.state) == (["hello"], [], DispatchState.SATISFIED)


async def test_a_failure_that_was_reported_later_goes_again() -> None:
    async with opened() as world:
        handle = await world.ended(None, via=via("plain"))
        await world.hub._engine.ledger.receive("plain", Receipt(Status.FAILED, ids=handle.deliveries[0].report.ids))
        assert handle.status is Status.FAILED
        again = await world.hub.redeliver(handle)
        assert again.state is DispatchState.PENDING
        await world.settle()
        assert (again.status, world.plain.texts()) == (Status.ACCEPTED, ["hello"] * 2)


async def test_whoever_observes_is_told_that_it_goes_and_how() -> None:
    async with opened() as world:
        seen: list[tuple[str, Status, Status | None]] = []

        @world.hub.on_event(DeliveryChanged)
        async def changed(event: DeliveryChanged) -> None:
            seen.append((event.delivery, event.status, event.previous))

        handle = await world.ended()
        again = await world.hub.redeliver(handle)
        await world.settle(1)
    first, second = (each.id for each in again.dispatch.deliveries)
    assert seen == [
        (first, Status.FAILED, Status.QUEUED),
        (second, Status.QUEUED, Status.FAILED),
        (second, Status.ACCEPTED, Status.QUEUED),
    ]


async def test_the_archive_shows_it_once() -> None:
    async with opened() as world:
        handle = await world.ended()
        await world.hub.redeliver(handle)
        await world.settle()
        assert [each.text for each in (await world.hub.archive.search("hello")).found] == ["hello"]


async def test_a_stranger_is_no_message() -> None:
    async with opened() as world:
        with pytest.raises(InvalidInputError, match="no dispatch 'nobody'"):
            await world.hub.redeliver("nobody")
        await world.ended()
        await world.hub.remove_channel("hooks")
        (handle,) = await world.hub.dispatches()
        with pytest.raises(ConfigurationError, match="no channel 'hooks' here"):
            await world.hub.redeliver(handle)


# Many


async def test_all_that_failed_on_a_channel_goes_again_the_oldest_first() -> None:
    async with opened() as world:
        for number in range(5):
            await world.ended(REFUSED if number % 2 else NotSentError("down"), Message(f"{number}", order_key="k"))
        await world.ended(None, "arrived")
        await world.ended(text="other channel", via=via("plain"))
        done = await world.hub.redeliver(channel="hooks")
        assert (done.again, done.left) == (5, {})
        await world.settle()
        assert world.hooks.texts() == ["arrived", "0", "1", "2", "3", "4"]
        assert world.plain.texts() == []
        assert (await world.hub.redeliver(channel="hooks")).again == 0


async def test_it_is_chosen_by_address_and_time() -> None:
    async with opened() as world:
        times: list[datetime] = []
        for number in range(4):
            times.append(world.clock.now())
            await world.ended(text=f"{number}", to=(ANN, BOB)[number % 2])

        async def chosen(**query: Any) -> list[str]:
            found = world.hub.redeliveries("hooks", **query, dry_run=True)
            return [each.delivery.parts[0].text async for each in found if each.left is None]

        assert await chosen() == ["0", "1", "2", "3"]
        assert await chosen(to=BOB) == ["1", "3"]
        assert await chosen(since=times[2]) == ["2", "3"]
        assert await chosen(until=times[2]) == ["0", "1"]
        assert await chosen(since=times[1], until=times[3], to=ANN) == ["2"]
        assert await chosen(limit=3) == ["0", "1", "2"]
        assert (await world.hub.redeliver(channel="hooks", dry_run=True)).again == 4
        await world.settle()
        assert len(world.hooks.calls) == 4, "a trial run sends nothing"
        done = await world.hub.redeliver(channel="hooks", limit=1, to=BOB)
        assert done.again == 1
        assert await chosen() == ["0", "2", "3"]


async def test_all_is_what_was_taken_as_well() -> None:
    """What went again is not gone through once more, by this run or by one that repeats it."""
    async with opened() as world:
        for number in range(3):
            await world.ended(None, f"{number}")
        await world.ended(text="refused")
        await world.ended(None, "plain", via=via("plain"))
        first = await world.hub.redeliver(channel="hooks", only="all")
        assert (first.again, first.left) == (4, {})
        await world.settle(1)
        assert len(world.hooks.calls) == 8
        assert (await world.hub.redeliver(channel="hooks", only="all", until=first.until)).again == 0
        assert (await world.hub.redeliver(channel="plain", only="all")).left == {Left.TAKEN: 1}
        second = await world.hub.redeliver(channel="hooks", only="all")
        assert second.again == 4
        assert (await world.hub.redeliver(channel="hooks", only="all")).left == {Left.OPEN: 4}


async def test_what_fails_at_once_is_not_tried_for_ever() -> None:
    """A run is about what was there when it began."""
    async with opened() as world:
        for number in range(3):
            await world.ended(text=f"{number}")
        seen = 0
        async for each in world.hub.redeliveries("hooks"):
            assert each.handle is not None
            world.hooks.script(REFUSED)
            await world.settle()
            assert each.handle.status is Status.FAILED
            seen += 1
        assert seen == 3


async def test_a_run_that_breaks_off_is_gone_on_with() -> None:
    async with opened() as world:
        for number in range(4):
            await world.ended(text=f"{number}")
        async for each in world.hub.redeliveries("hooks"):
            if each.delivery.parts[0].text == "1":
                break
        done = await world.hub.redeliver(channel="hooks")
        assert done.again == 2
        await world.settle()
        assert world.hooks.texts() == ["0", "1", "2", "3"]


async def test_two_hubs_at_once_make_no_double() -> None:
    """Each by its own compare-and-set."""
    async with opened() as world:
        for number in range(20):
            await world.ended(text=f"{number}")
        sums: list[int] = []

        async def run() -> None:
            sums.append((await world.hub.redeliver(channel="hooks")).again)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)
        await world.settle()
        assert sum(sums) == 20
        assert len(world.hooks.calls) == 40
        assert world.hooks.texts() == [f"{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "one message, or channel="),
        ({"channel": "hooks", "limit": 0}, "limit has to be 1 or more"),
        ({"channel": "hooks", "only": "some"}, 'only= is "failed" or "all"'),
        ({"channel": "hooks", "since": datetime.fromisoformat("2026-01-01")}, "since= needs a time zone"),
        ({"channel": "hooks", "to": "nonsense"}, "nonsense"),
        ({"channel": "hooks", "expires_at": datetime.fromisoformat("2026-01-01")}, "expires_at= needs a time zone"),
        ({"what": "1", "limit": 3}, "no limit="),
    ],
)
async def test_what_makes_no_sense_is_said(wrong: dict[str, Any], says: str) -> None:
    async with opened() as world:
        with pytest.raises(InvalidInputError, match=says):
            await world.hub.redeliver(**wrong)
        with pytest.raises(ConfigurationError, match="no channel 'nobody'; there are"):
            await world.hub.redeliver(channel="nobody")


async def test_of_a_closed_hub_nothing_goes_again() -> None:
    hub = Hub(store=MemoryStore())
    with pytest.raises(NotRunningError):
        await hub.redeliver("1")
    with pytest.raises(NotRunningError):
        await hub.redeliver(channel="hooks")
