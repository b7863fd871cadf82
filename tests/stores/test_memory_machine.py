"""Admit, claim, finish, postpone, expire, in any order: nothing is lost, nothing is handled twice at once, order holds.

The model is as simple as can be: a list of items per lane, each with its `due` and its `hold_until`. Calls of a store
in memory never wait, so the machine drives them without an event loop.
"""

from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from convergekit.abc import Admission, Lease
from convergekit.errors import LeaseLostError
from convergekit.stores import MemoryStore
from convergekit.testing import FakeClock

from .kit import LEASE, after, changed, closed, dispatch, event

T = TypeVar("T")
LANES = ["tg:a", "tg:b", "tg:c"]


def now_or_never(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that does not wait."""
    try:
        call.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    call.close()
    raise AssertionError("a store in memory waits for nobody")


@dataclass
class Item:
    key: str
    due: datetime
    hold_until: datetime | None = None
    scheduled: bool = False
    passed: bool = False


@dataclass
class ModelLane:
    items: list[Item] = field(default_factory=list)
    until: datetime | None = None

    def head(self, now: datetime) -> Item | None:
        """What the contract says is next, worked out by looking at everything."""
        waiting = []
        for item in self.items:
            if item.due <= now:
                for each in waiting:
                    each.passed = True
                return item
            if item.hold_until is not None and item.hold_until > now:
                return None
            waiting.append(item)
        return None


class Ledger(RuleBasedStateMachine):
    """One direction of a store beside its model."""

    leases = Bundle("leases")

    @initialize(inbound=st.booleans())
    def open(self, inbound: bool) -> None:
        self.direction = "in" if inbound else "out"
        self.clock, self.store = FakeClock(), MemoryStore()
        self.block: AbstractAsyncContextManager[None] = self.store.opened(self.clock)
        now_or_never(self.block.__aenter__())
        self.lanes = {name: ModelLane() for name in LANES}
        self.where: dict[str, str] = {}
        self.scheduled: list[tuple[datetime, int, str, Item]] = []
        self.done: list[str] = []

    def teardown(self) -> None:
        if not hasattr(self, "lanes"):
            return
        # In the end everything comes out, once.
        for lane in self.lanes.values():
            lane.until = None
        self.clock.advance(10**6)
        while leases := now_or_never(self.store.claim(self.direction, limit=2, seconds=LEASE)).leases:  # type: ignore[arg-type]
            for lease in leases:
                self.end(lease)
        assert sorted(self.done) == sorted(self.where)

    def end(self, lease: Lease) -> None:
        if lease.entry is not None:
            now_or_never(self.store.finish(lease))
            self.done.append(lease.entry.event.key)
        else:
            assert lease.dispatch is not None
            current = now_or_never(self.store.load(lease.dispatch.id))
            assert current is not None
            assert now_or_never(self.store.save(closed(current), lease=lease, release=True)) is not None
            self.done.append(lease.delivery)

    def enter_scheduled(self) -> None:
        for note in sorted(self.scheduled):
            if note[0] <= self.clock.now():
                self.scheduled.remove(note)
                self.lanes[note[2]].items.append(note[3])

    @rule(lane=st.sampled_from(LANES), number=st.integers(0, 30), delay=st.sampled_from([0, 0, 0, 30, 300]))
    def put(self, lane: str, number: int, delay: int) -> None:
        key = f"{lane}-{number}"
        self.enter_scheduled()
        if self.direction == "in":
            (answer,) = now_or_never(self.store.admit("c", [event(key, lane)]))
            assert (answer is Admission.DUPLICATE) == (key in self.where)
            due = self.clock.now()
        else:
            due = self.clock.now() + (after(delay) - after(0))
            one = dispatch(key, lane)
            (stored,) = now_or_never(self.store.submit([changed(one, due=due)]))
            assert (stored.deliveries[0].due == due) or key in self.where
        if key not in self.where:
            self.where[key] = lane
            item = Item(key, due)
            if due > self.clock.now():
                self.scheduled.append((due, len(self.where), lane, item))
            else:
                self.lanes[lane].items.append(item)

    @rule(target=leases, limit=st.integers(1, 4), seconds=st.sampled_from([10.0, 60.0]))
    def claim(self, limit: int, seconds: float) -> Any:
        now = self.clock.now()
        self.enter_scheduled()
        for lane in self.lanes.values():
            if lane.until is not None and lane.until <= now:
                lane.until = None
        free = {name: lane for name, lane in self.lanes.items() if lane.until is None}
        ready = {name for name, lane in free.items() if ModelLane(list(map(copied, lane.items))).head(now) is not None}
        found = now_or_never(self.store.claim(self.direction, limit=limit, seconds=seconds))  # type: ignore[arg-type]
        names = [lease.lane.conversation for lease in found.leases]
        assert len(set(names)) == len(names), "a lane was leased twice"
        assert set(names) <= ready
        assert len(names) == min(limit, len(ready)), "something that is due was not handed out"
        for lease, name in zip(found.leases, names, strict=True):
            item = self.lanes[name].head(now)
            assert item is not None
            key = lease.entry.event.key if lease.entry is not None else lease.delivery
            assert key == item.key, "out of order"
            self.lanes[name].until = lease.until
        if not names:
            self.check_next_due(found.next_due)
        return multiple(*found.leases)

    def check_next_due(self, told: datetime | None) -> None:
        """Never later than the moment at which there is something to do."""
        now = self.clock.now()
        moments = [moment for moment, *_ in self.scheduled]
        for lane in self.lanes.values():
            if lane.until is not None:
                moments.append(lane.until)
                continue
            for item in lane.items:
                moments.append(item.due)
                if item.hold_until is not None and item.hold_until > now:
                    break
        if moments:
            assert told is not None
            assert told <= min(moments)

    def holds(self, lease: Lease) -> bool:
        lane = self.lanes[lease.lane.conversation]
        return lane.until == lease.until and lane.until is not None and lane.until > self.clock.now()

    def key(self, lease: Lease) -> str:
        return lease.entry.event.key if lease.entry is not None else lease.delivery

    def item(self, lease: Lease) -> Item:
        return next(item for item in self.lanes[lease.lane.conversation].items if item.key == self.key(lease))

    def is_current(self, lease: Lease) -> bool:
        lane = self.lanes[lease.lane.conversation]
        return (
            lane.until is not None and lane.until == lease.until and any(i.key == self.key(lease) for i in lane.items)
        )

    @rule(lease=consumes(leases))
    def finish(self, lease: Lease) -> None:
        if not self.is_current(lease):
            self.is_refused(lease)
            return
        item = self.item(lease)
        self.end(lease)
        self.lanes[lease.lane.conversation].items.remove(item)
        self.lanes[lease.lane.conversation].until = None

    @rule(lease=consumes(leases), wait=st.sampled_from([5, 50, 500]), hold=st.sampled_from([0, 20, 100]))
    def postpone(self, lease: Lease, wait: int, hold: int) -> None:
        if not self.is_current(lease):
            self.is_refused(lease)
            return
        item = self.item(lease)
        due, hold_until = (self.clock.now() + (after(each) - after(0)) for each in (wait, hold))
        if lease.entry is not None:
            now_or_never(self.store.postpone(lease, due=due, hold=hold, reason="x"))
        else:
            current = now_or_never(self.store.load(self.key(lease)))
            assert current is not None
            waits = changed(current, due=due, hold_until=item.hold_until or hold_until)
            assert now_or_never(self.store.save(waits, lease=lease, release=True)) is not None
        item.due, item.hold_until = due, item.hold_until or hold_until
        self.lanes[lease.lane.conversation].until = None

    @rule(lease=consumes(leases))
    def release(self, lease: Lease) -> None:
        current = self.is_current(lease)
        now_or_never(self.store.release(lease))
        if current:
            self.lanes[lease.lane.conversation].until = None

    @rule(lease=leases)
    def renew(self, lease: Lease) -> None:
        if self.holds(lease) and self.is_current(lease):
            now_or_never(self.store.renew([lease], LEASE))
            self.lanes[lease.lane.conversation].until = lease.until
            assert lease.until == self.clock.now() + (after(LEASE) - after(0))

    @rule(seconds=st.sampled_from([1, 10, 30, 60, 200]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def what_was_overtaken_is_marked(self) -> None:
        for lane in getattr(self, "lanes", {}).values():
            for item in lane.items:
                if self.direction == "out":
                    stored = now_or_never(self.store.load(item.key))
                    assert stored is not None
                    assert stored.deliveries[0].passed == item.passed

    def is_refused(self, lease: Lease) -> None:
        """Somebody else may hold the lane by now: whoever lost it changes nothing."""
        if lease.entry is not None:
            with pytest.raises(LeaseLostError):
                now_or_never(self.store.finish(lease))
            return
        current = now_or_never(self.store.load(self.key(lease)))
        assert current is not None
        with pytest.raises(LeaseLostError):
            now_or_never(self.store.save(closed(current), lease=lease, release=True))


def copied(item: Item) -> Item:
    return Item(item.key, item.due, item.hold_until)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=100, stateful_step_count=40)
