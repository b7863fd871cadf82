"""The ledger in memory: for tests and trials. It keeps every promise of a store but to outlive the process.

Rules kept here:

- No method awaits between reading and writing, so each is one transaction by itself.
- Claiming costs the same whatever is stored: lanes that can be served stand in a queue per channel, lanes that wait
  for a time stand in a heap, and a lane that is neither is not looked at.
- Channels take turns, whoever has how many lanes; inside a channel lanes take turns (`_lane.Turns`).
- Small values and cursors are copied on the way in and on the way out, as a store on disk would do.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count, islice
from typing import Any

import anyio

from convergekit.abc import (
    PARKED,
    Admission,
    Claim,
    Clock,
    Cursor,
    Direction,
    Entry,
    EntryState,
    Fence,
    Lane,
    Lease,
    LedgerCounts,
    Write,
)
from convergekit.errors import ConfigurationError, LeaseLostError, NotRunningError, StoreError
from convergekit.model import ClaimCheck, Delivery, DeliveryState, Dispatch, Event, Receipt

from ._keys import check_content
from ._lane import Item, OpenLane, Turns
from ._memory_archive import MemoryArchive
from ._refs import DAY

__all__ = ["MemoryStore"]

_CHUNK = 65_536


class MemoryStore:
    """A `Store` in memory. One instance may be opened again after it was closed, and still knows everything."""

    batch = 1
    is_shared = False

    def __init__(self) -> None:
        self._clock: Clock | None = None
        self._order = count(1)
        self._entries: dict[str, Entry] = {}
        self._seen: set[tuple[str, str]] = set()
        self._done: Counter[str] = Counter()
        self._cursors: dict[tuple[str, str], Any] = {}
        self._lanes: dict[Lane, OpenLane] = {}
        self._ready: dict[Direction, OrderedDict[str, Turns]] = {"in": OrderedDict(), "out": OrderedDict()}
        self._turns: dict[tuple[Direction, str], Turns] = {}
        self._leased: dict[Direction, dict[OpenLane, None]] = {"in": {}, "out": {}}
        self._lease_end: dict[Direction, datetime | None] = {"in": None, "out": None}  # no lease ends before it
        self._timed: dict[Direction, list[tuple[datetime, int, OpenLane]]] = {"in": [], "out": []}
        self._scheduled: list[tuple[datetime, int, str, str]] = []
        self._dispatches: dict[str, Dispatch] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._wakes: list[tuple[datetime, str]] = []
        self._homes: dict[str, tuple[str, str]] = {}  # delivery id -> (channel, dispatch id)
        self._provider_ids: dict[tuple[str, str], tuple[str, str]] = {}
        self._by_address: dict[tuple[str, str], tuple[str, str]] = {}
        self._parked: dict[tuple[str, str], list[tuple[datetime, Receipt]]] = {}
        self._values: dict[tuple[str, str], tuple[Any, int]] = {}
        self._owners: dict[str, tuple[str, int, datetime]] = {}
        self._blobs: dict[str, tuple[bytes, datetime]] = {}  # and when it was kept last
        self.archive = MemoryArchive(self)

    @asynccontextmanager
    async def opened(self, clock: Clock) -> AsyncGenerator[None]:
        """See `Store.opened`. Leases of an earlier life end here: in memory nobody else can hold one."""
        if self._clock is not None:
            raise StoreError("this MemoryStore is open already; give each hub a store of its own")
        self._clock = clock
        for leased in self._leased.values():
            for lane in list(leased):
                self._end_lease(lane)
        try:
            yield
        finally:
            self._clock = None

    def _now(self) -> datetime:
        if self._clock is None:
            raise NotRunningError("the store is closed: use it inside `async with hub`")
        return self._clock.now()

    # The way in

    async def admit(
        self, channel: str, events: Sequence[Event], cursor: Cursor | None = None, *, fence: Fence | None = None
    ) -> tuple[Admission, ...]:
        """See `Store.admit`."""
        if fence is not None and self._owners.get(fence.name, (None, 0))[1] != fence.token:
            raise LeaseLostError(f"somebody else owns {fence.name} now")
        admissions = self._admit(channel, events)
        if cursor is not None:
            self._cursors[channel, cursor.feed] = deepcopy(cursor.value)
        return admissions

    def _admit(self, channel: str, events: Iterable[Event]) -> tuple[Admission, ...]:
        now = self._now()
        answers = []
        for event in events:
            seen = (channel, event.key)
            if seen in self._seen:
                answers.append(Admission.DUPLICATE)
                continue
            self._seen.add(seen)
            conversation = event.lane
            if conversation is None:
                conversation = event.conversation.key if event.conversation is not None else ""
            key = Lane("in", channel, conversation)
            entry = Entry(f"{next(self._order):016x}", event, key, now)
            self._entries[entry.id] = entry
            self.archive.admitted(entry, now)
            lane = self._lane(key)
            lane.add(entry)
            if lane.until is None and not lane.queued:
                self._enqueue(lane)
            answers.append(Admission.NEW)
        return tuple(answers)

    async def finish(
        self, lease: Lease, *, dispatches: Sequence[Dispatch] = (), writes: Sequence[Write] = ()
    ) -> tuple[Dispatch, ...]:
        """See `Store.finish`."""
        lane, entry = self._held(lease)
        if writes:
            raise ConfigurationError("a ledger in memory has no transaction to write with; use the SQL store")
        stored = self._submit(dispatches) if dispatches else ()
        entry.state, entry.reason = EntryState.DONE, None
        self._done[entry.event.channel] += 1
        del self._entries[entry.id]  # its key stays, for good; and what was said is in the archive
        lane.discard(entry)
        self._let_go(lane)
        return stored

    async def postpone(self, lease: Lease, *, due: datetime, hold: float, reason: str) -> None:
        """See `Store.postpone`."""
        lane, entry = self._held(lease)
        _count(lease, entry)
        entry.due, entry.reason = due, reason
        if entry.hold_until is None:
            entry.hold_until = self._now() + timedelta(seconds=hold)
        self._let_go(lane)

    async def bury(self, lease: Lease, *, reason: str, events: Sequence[Event] = ()) -> None:
        """See `Store.bury`."""
        lane, entry = self._held(lease)
        _count(lease, entry)
        entry.state, entry.reason, entry.due = EntryState.DEAD, reason, self._now()
        lane.discard(entry)
        self._let_go(lane)
        self._admit_own(events)

    def _admit_own(self, events: Iterable[Event]) -> None:
        for event in events:
            self._admit(event.channel, (event,))

    def _held(self, lease: Lease) -> tuple[OpenLane, Entry]:
        lane = self._check(lease)
        if lease.entry is None:
            raise StoreError("a lease of an outbound lane has no entry")
        return lane, lease.entry

    # Lanes

    async def claim(
        self, direction: Direction, *, limit: int, seconds: float, slots: Mapping[str, int] | None = None
    ) -> Claim:
        """See `Store.claim`."""
        now = self._now()
        if self._scheduled:
            self._enter_scheduled(now)
        timed = self._timed[direction]
        while timed and timed[0][0] <= now:
            self._wake(heappop(timed)[2])
        self._end_leases(direction, now)
        leases, more = self._lease(direction, limit, now, now + timedelta(seconds=seconds), slots)
        return Claim(leases, more, self._next_due(direction, idle=not leases))

    def _lease(
        self, direction: Direction, limit: int, now: datetime, until: datetime, slots: Mapping[str, int] | None
    ) -> tuple[list[Lease], bool]:
        """One lane of each channel in turn, until there are enough or no more; and whether there are more."""
        ready = self._ready[direction]
        room = None if slots is None else dict(slots)
        leases: list[Lease] = []
        shut = 0
        while len(leases) < limit and shut < len(ready):
            channel = next(iter(ready))
            turns = ready[channel]
            if room is not None and room.get(channel, 0) <= 0:
                ready.move_to_end(channel)
                shut += 1
                continue
            lease = self._lease_one(turns, now, until)
            if turns:
                ready.move_to_end(channel)
            else:
                del ready[channel]
            if lease is not None:
                leases.append(lease)
                shut = 0
                if room is not None:
                    room[channel] -= 1
        if room is None:
            return leases, bool(ready)
        return leases, any(room.get(channel, 0) > 0 for channel in ready)

    def _lease_one(self, turns: Turns, now: datetime, until: datetime) -> Lease | None:
        while turns:
            lane = turns.popleft()
            lane.queued = False
            item, passed, wake = lane.head(now)
            if item is not None:
                for each in passed:
                    self._mark_passed(each)
                return self._leased_lane(lane, item, until)
            if wake is not None:
                heappush(self._timed[lane.key.direction], (wake, next(self._order), lane))
            else:
                self._lanes.pop(lane.key, None)  # it is empty
        return None

    def _leased_lane(self, lane: OpenLane, item: Item, until: datetime) -> Lease:
        recovered = lane.served == item
        lane.token = next(self._order)  # of no other lane ever, so that no old lease fits by chance
        lane.until, lane.served = until, item
        direction = lane.key.direction
        self._leased[direction][lane] = None
        end = self._lease_end[direction]
        if end is None or until < end:
            self._lease_end[direction] = until
        if isinstance(item, Entry):
            return Lease(lane.key, lane.token, until, entry=item, recovered=recovered)
        return Lease(lane.key, lane.token, until, None, self._dispatches[item[0]], item[1], recovered)

    def _work(self, item: Item) -> Entry | Delivery:
        return item if isinstance(item, Entry) else self._delivery(item)

    def _mark_passed(self, item: Item) -> None:
        if isinstance(item, Entry):
            item.passed = True
            return
        dispatch, delivery = self._dispatches[item[0]], self._delivery(item)
        if not delivery.passed:
            deliveries = dispatch.replaced(delivery.model_copy(update={"passed": True}))
            changed = {"deliveries": deliveries, "version": dispatch.version + 1}
            self._dispatches[dispatch.id] = dispatch.model_copy(update=changed)

    def _wake(self, lane: OpenLane) -> None:
        """Something in the lane may be due; or it is an old note."""
        if lane.until is None and lane and not lane.queued:
            self._enqueue(lane)

    def _end_leases(self, direction: Direction, now: datetime) -> None:
        end = self._lease_end[direction]
        if end is None or end > now:
            return
        leased = self._leased[direction]
        for lane in list(leased):
            if lane.until is None or lane.until <= now:
                self._end_lease(lane)
        self._lease_end[direction] = min((lane.until for lane in leased if lane.until is not None), default=None)

    def _end_lease(self, lane: OpenLane) -> None:
        """Nobody holds it any more; `served` stays, which tells the next holder."""
        lane.until = None
        del self._leased[lane.key.direction][lane]
        if lane:
            self._wake(lane)
        else:
            self._lanes.pop(lane.key, None)  # what was served has been cancelled meanwhile

    def _enqueue(self, lane: OpenLane) -> None:
        lane.queued = True
        ready = self._ready[lane.key.direction]
        turns = ready.get(lane.key.channel)
        if turns is None:
            turns = ready[lane.key.channel] = self._known_turns(lane.key)
        turns.append(lane)

    def _known_turns(self, key: Lane) -> Turns:
        turns = self._turns.get(key[:2])
        if turns is None:
            turns = self._turns[key[:2]] = Turns()
        return turns

    def _lane(self, key: Lane) -> OpenLane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = OpenLane(key, self._order, self._work)
        return lane

    def _let_go(self, lane: OpenLane) -> None:
        lane.until = lane.served = None
        self._leased[lane.key.direction].pop(lane, None)
        if lane.queued:
            return  # its turn will tell
        if lane:
            self._enqueue(lane)
        else:
            self._lanes.pop(lane.key, None)

    def _check(self, lease: Lease) -> OpenLane:
        lane = self._lanes.get(lease.lane)
        if lane is None or lane.token != lease.token or lane.until is None:
            raise LeaseLostError(f"the lease of a lane of {lease.lane.channel} has ended")
        return lane

    def _next_due(self, direction: Direction, *, idle: bool) -> datetime | None:
        timed = self._timed[direction]
        due = timed[0][0] if timed else None
        if direction == "out" and self._scheduled:
            scheduled = self._scheduled[0][0]
            due = scheduled if due is None else min(due, scheduled)
        if idle:  # then somebody has to come when a holder has gone away; else whoever serves comes back anyway
            for lane in self._leased[direction]:
                if lane.until is not None:
                    due = lane.until if due is None else min(due, lane.until)
        return due

    async def renew(self, leases: Sequence[Lease], seconds: float) -> None:
        """See `Store.renew`."""
        until = self._now() + timedelta(seconds=seconds)
        for lease in leases:
            try:
                lane = self._check(lease)
            except LeaseLostError:
                continue
            lane.until = lease.until = until
            end = self._lease_end[lane.key.direction]
            if end is None or until < end:
                self._lease_end[lane.key.direction] = until

    async def release(self, lease: Lease) -> None:
        """See `Store.release`."""
        try:
            lane = self._check(lease)
        except LeaseLostError:
            return
        self._let_go(lane)

    # The way out

    async def submit(
        self, dispatches: Sequence[Dispatch], *, unless: Sequence[tuple[str, str]] = ()
    ) -> tuple[Dispatch, ...]:
        """See `Store.submit`."""
        if any(self._values.get(each, (None, 0))[0] is not None for each in unless):
            return ()
        return self._submit(dispatches)

    def _submit(self, dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
        now = self._now()
        fresh: dict[tuple[str, str], Dispatch] = {}
        for dispatch in dispatches:
            first = self._known(dispatch) or fresh.setdefault((dispatch.key, dispatch.recipient), dispatch)
            check_content(dispatch, first.fingerprint)
        stored = []
        for dispatch in dispatches:
            known = self._known(dispatch)
            if known is None:
                self._keys[dispatch.key, dispatch.recipient] = dispatch.id
                self._write(dispatch)
                self.archive.submitted(dispatch, now)
            stored.append(known or dispatch)
        return tuple(stored)

    def _known(self, dispatch: Dispatch) -> Dispatch | None:
        known = self._keys.get((dispatch.key, dispatch.recipient))
        return None if known is None else self._dispatches[known]

    def _write(self, dispatch: Dispatch) -> None:
        """Put the aggregate in its place, and its deliveries into the lanes where they now belong."""
        before = self._dispatches.get(dispatch.id)
        self._dispatches[dispatch.id] = dispatch
        if dispatch.wake_at is not None and (before is None or before.wake_at != dispatch.wake_at):
            heappush(self._wakes, (dispatch.wake_at, dispatch.id))
        self._enter_scheduled(self._now())  # what was due before this comes before it
        old = {} if before is None else {delivery.id: delivery for delivery in before.deliveries}
        for delivery in dispatch.deliveries:
            known = old.get(delivery.id)
            if known is not delivery:
                self._index(dispatch, known, delivery)
                self._place(dispatch, delivery)

    def _index(self, dispatch: Dispatch, known: Delivery | None, delivery: Delivery) -> None:
        """What is found by an address, or by an id that the medium uses again, is the newest: not what changed last."""
        here = (dispatch.id, delivery.id)
        self._homes[delivery.id] = (delivery.channel, dispatch.id)
        was_waiting = known is None or known.state is DeliveryState.WAITING
        if was_waiting and delivery.state is not DeliveryState.WAITING:
            self._by_address[delivery.channel, delivery.address.uri] = here
        for provider_id in delivery.report.ids - (known.report.ids if known is not None else frozenset()):
            self._provider_ids[delivery.channel, provider_id] = here

    def _place(self, dispatch: Dispatch, delivery: Delivery) -> None:
        item = (dispatch.id, delivery.id)
        key = Lane("out", delivery.channel, delivery.conversation.key, delivery.importance.value)
        wanted = delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING)
        lane = self._lanes.get(key)
        there = lane is not None and item in lane
        if not wanted:
            if lane is not None and there:
                lane.discard(item)
                if lane.until is None:
                    self._let_go(lane)
            return
        if not there and delivery.due > self._now():
            heappush(self._scheduled, (delivery.due, next(self._order), *item))
            return
        lane = self._lane(key)
        if there:
            lane.sooner(item, delivery.due)
        else:
            lane.add(item)
        if lane.until is None and not lane.queued:
            self._enqueue(lane)

    def _enter_scheduled(self, now: datetime) -> None:
        while self._scheduled and self._scheduled[0][0] <= now:
            _, _, dispatch, delivery = heappop(self._scheduled)
            self._place(self._dispatches[dispatch], self._delivery((dispatch, delivery)))

    def _delivery(self, item: tuple[str, str]) -> Delivery:
        return next(each for each in self._dispatches[item[0]].deliveries if each.id == item[1])

    async def post(self, connection: Any, dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
        """See `Store.post`."""
        raise ConfigurationError("a ledger in memory takes no part in a transaction; use the SQL store")

    async def load(self, dispatch: str) -> Dispatch | None:
        """See `Store.load`."""
        return self._dispatches.get(dispatch)

    async def save(
        self, dispatch: Dispatch, *, lease: Lease | None = None, release: bool = False, events: Sequence[Event] = ()
    ) -> Dispatch | None:
        """See `Store.save`."""
        self._now()
        lane = None if lease is None else self._check(lease)
        known = self._dispatches.get(dispatch.id)
        if known is None or known.version != dispatch.version:
            return None
        dispatch = dispatch.model_copy(update={"version": dispatch.version + 1})
        self._write(dispatch)
        self._admit_own(events)
        if lane is not None and release:
            self._let_go(lane)
        return dispatch

    async def awake(self, limit: int = 100) -> tuple[Sequence[str], datetime | None]:
        """See `Store.awake`."""
        now = self._now()
        due: dict[str, datetime] = {}
        while (first := self._next_wake()) is not None and first[0] <= now and len(due) < limit:
            moment, dispatch = heappop(self._wakes)
            due[dispatch] = moment
        after = self._next_wake()
        for dispatch, moment in due.items():  # until it has changed: whoever asked may go away before
            heappush(self._wakes, (moment, dispatch))
        return list(due), None if after is None else after[0]

    def _next_wake(self) -> tuple[datetime, str] | None:
        while self._wakes and self._dispatches[self._wakes[0][1]].wake_at != self._wakes[0][0]:
            heappop(self._wakes)  # an old note
        return self._wakes[0] if self._wakes else None

    async def find(
        self, channel: str, *, ids: Sequence[str] = (), delivery: str | None = None, address: str | None = None
    ) -> tuple[str, str] | None:
        """See `Store.find`."""
        home = self._homes.get(delivery) if delivery is not None else None
        if delivery is not None and home is not None and home[0] == channel:
            return home[1], delivery
        for provider_id in ids:
            if (found := self._provider_ids.get((channel, provider_id))) is not None:
                return found
        if address is None or ids or delivery is not None:
            return None  # a report that names a message is never guessed to be about another one
        return self._by_address.get((channel, address))

    async def park(self, channel: str, receipt: Receipt) -> None:
        """See `Store.park`."""
        now = self._now()
        while self._parked and self._parked[oldest := next(iter(self._parked))][-1][0] <= now - PARKED:
            del self._parked[oldest]
        for provider_id in receipt.ids:
            self._parked.setdefault((channel, provider_id), []).append((now, receipt))

    async def unpark(self, channel: str, ids: Sequence[str]) -> Sequence[Receipt]:
        """See `Store.unpark`."""
        found = {id(each): each for name in ids for _, each in self._parked.get((channel, name), ())}
        for receipt in found.values():
            for name in receipt.ids:
                rest = [each for each in self._parked.pop((channel, name), ()) if each[1] is not receipt]
                if rest:
                    self._parked[channel, name] = rest
        return list(found.values())

    # Several processes: here there is one

    async def own(self, name: str, holder: str, seconds: float) -> Fence | None:
        """See `Store.own`."""
        now = self._now()
        owner, token, until = self._owners.get(name, ("", 0, now))
        if owner != holder:
            if owner and until > now:
                return None
            token = next(self._order)
        until = now + timedelta(seconds=seconds)
        self._owners[name] = (holder, token, until)
        return Fence(name, token, until)

    async def disown(self, fence: Fence) -> None:
        """See `Store.disown`."""
        owner, token, _ = self._owners.get(fence.name, ("", 0, fence.until))
        if owner and token == fence.token:
            self._owners[fence.name] = ("", next(self._order), self._now())

    async def changed(self) -> None:
        """See `Store.changed`."""
        await anyio.sleep_forever()

    async def versions(self, dispatches: Sequence[str]) -> Mapping[str, int]:
        """See `Store.versions`."""
        known = ((each, self._dispatches.get(each)) for each in dispatches)
        return {each: dispatch.version for each, dispatch in known if dispatch is not None}

    # Small durable values, cursors, blobs

    async def get(self, scope: str, key: str) -> tuple[Any, int]:
        """See `Store.get`."""
        value, version = self._values.get((scope, key), (None, 0))
        return deepcopy(value), version

    async def put(self, scope: str, key: str, value: Any, *, version: int | None = None) -> bool:
        """See `Store.put`."""
        _, current = self._values.get((scope, key), (None, 0))
        if version is not None and version != current:
            return False
        # A deleted value keeps its version, or a compare-and-set could mistake its successor for it.
        self._values[scope, key] = (deepcopy(value), current + 1)
        return True

    async def cursor(self, channel: str, feed: str) -> Any:
        """See `Store.cursor`."""
        return deepcopy(self._cursors.get((channel, feed)))

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """See `Store.keep`."""
        content = b"".join([chunk async for chunk in chunks])
        ref = "sha256:" + hashlib.sha256(content).hexdigest()
        self._blobs[ref] = content, self._now()
        return ClaimCheck(ref=ref, size=len(content))

    @asynccontextmanager
    async def open(self, claim: ClaimCheck) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `Store.open`."""
        if claim.ref not in self._blobs:
            raise StoreError(f"the content {claim.ref} is not in this store")
        async with aclosing(_chunks(self._blobs[claim.ref][0])) as chunks:
            yield chunks

    async def sweep(self, *, older_than: float = DAY) -> int:
        """See `Store.sweep`."""
        before = self._now() - timedelta(seconds=older_than)
        old = {ref for ref, (_, kept) in self._blobs.items() if kept <= before}
        gone = old.difference(self.archive.refs()) if old else old
        for ref in gone:
            del self._blobs[ref]
        return len(gone)

    # Looking

    async def dispatches(self, *, limit: int = 100, recipient: str | None = None) -> Sequence[Dispatch]:
        """See `Store.dispatches`."""
        found = (each for each in reversed(self._dispatches.values()) if recipient in (None, each.recipient))
        return [dispatch for dispatch, _ in zip(found, range(limit), strict=False)]

    async def dead_entries(
        self, *, limit: int = 100, start: str | None = None, channel: str | None = None
    ) -> Sequence[Entry]:
        """See `Store.dead_entries`."""
        dead = (entry for entry in self._entries.values() if entry.state is EntryState.DEAD)
        found = (each for each in dead if channel in (None, each.lane.channel) and (start is None or each.id >= start))
        return list(islice(found, limit))

    async def revive(self, entry: str) -> bool:
        """See `Store.revive`."""
        known = self._entries.get(entry)
        if known is None or known.state is not EntryState.DEAD:
            return False
        known.state, known.attempts, known.crashes, known.due = EntryState.READY, 0, 0, self._now()
        known.hold_until, known.passed, known.reason = None, False, None
        lane = self._lane(known.lane)
        lane.add(known)
        if lane.until is None and not lane.queued:
            self._enqueue(lane)
        return True

    async def discard(self, entry: str) -> bool:
        """See `Store.discard`."""
        known = self._entries.get(entry)
        if known is None or known.state is not EntryState.DEAD:
            return False
        self._done[known.event.channel] += 1
        del self._entries[entry]
        return True

    async def dead_deliveries(
        self, *, limit: int = 100, start: str | None = None, channel: str | None = None, unknown: bool = False
    ) -> Sequence[Delivery]:
        """See `Store.dead_deliveries`."""
        wanted = DeliveryState.UNKNOWN if unknown else DeliveryState.DEAD
        found = [
            delivery
            for dispatch in self._dispatches.values()
            for delivery in dispatch.deliveries
            if delivery.state is wanted
            and channel in (None, delivery.channel)
            and (start is None or delivery.id >= start)
        ]
        return sorted(found, key=lambda delivery: delivery.id)[:limit]

    async def counts(self) -> LedgerCounts:
        """See `Store.counts`."""
        entries = Counter((entry.event.channel, entry.state) for entry in self._entries.values())
        for channel, number in self._done.items():
            entries[channel, EntryState.DONE] += number
        deliveries: Counter[tuple[str, str]] = Counter()
        for dispatch in self._dispatches.values():
            for delivery in dispatch.deliveries:
                deliveries[delivery.channel, delivery.state.value] += 1
        return LedgerCounts(entries=entries, deliveries=deliveries)


def _count(lease: Lease, entry: Entry) -> None:
    """One run more that failed, or that did not come to its end."""
    if lease.recovered:
        entry.crashes += 1
    else:
        entry.attempts += 1


async def _chunks(content: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]
