"""The ledger in memory: for tests and trials. It keeps every promise of a store but to outlive the process.

Rules kept here:

- No method awaits between reading and writing, so each is one transaction by itself.
- Claiming costs the same whatever is stored: lanes that can be served stand in a queue per channel, lanes that wait
  for a time stand in a heap, and a lane that is neither is not looked at.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

import anyio

from convergekit.abc import (
    Admission,
    Claim,
    Clock,
    Cursor,
    Direction,
    Entry,
    EntryState,
    Lane,
    Lease,
    LedgerCounts,
)
from convergekit.errors import KeyConflictError, LeaseLostError, NotRunningError, StoreError
from convergekit.model import ClaimCheck, Delivery, DeliveryState, Dispatch, Event, Receipt

__all__ = ["MemoryStore"]

_CHUNK = 65_536


class _Lane:
    """The open work of one lane, in order: entries, or (dispatch id, delivery id)."""

    __slots__ = ("items", "key", "queued", "served", "token", "until")

    def __init__(self, key: Lane) -> None:
        self.key = key
        self.items: OrderedDict[Entry | tuple[str, str], None] = OrderedDict()
        self.token = 0
        self.until: datetime | None = None  # while leased
        self.served: Entry | tuple[str, str] | None = None  # the item that the lease is on
        self.queued = False  # whether it stands in its channel's ready queue


class MemoryStore:
    """A `Store` in memory. One instance may be opened again after it was closed, and still knows everything."""

    batch = 1

    def __init__(self) -> None:
        self._clock: Clock | None = None
        self._order = count(1)
        self._entries: dict[str, Entry] = {}
        self._seen: set[tuple[str, str]] = set()
        self._done: Counter[str] = Counter()
        self._cursors: dict[tuple[str, str], Any] = {}
        self._lanes: dict[Lane, _Lane] = {}
        self._ready: dict[Direction, dict[str, deque[_Lane]]] = {"in": {}, "out": {}}
        self._leased: OrderedDict[_Lane, None] = OrderedDict()  # by the end of their leases, the next to end first
        self._timed: dict[Direction, list[tuple[datetime, int, _Lane]]] = {"in": [], "out": []}
        self._scheduled: list[tuple[datetime, int, str, str]] = []
        self._dispatches: dict[str, Dispatch] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._wakes: list[tuple[datetime, str]] = []
        self._homes: dict[str, tuple[str, str]] = {}  # delivery id -> (channel, dispatch id)
        self._provider_ids: dict[tuple[str, str], tuple[str, str]] = {}
        self._by_address: dict[tuple[str, str], tuple[str, str]] = {}
        self._parked: dict[tuple[str, str], list[Receipt]] = {}
        self._values: dict[tuple[str, str], tuple[Any, int]] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._blobs: dict[str, bytes] = {}

    @asynccontextmanager
    async def opened(self, clock: Clock) -> AsyncGenerator[None]:
        """See `Store.opened`. Leases of an earlier life end here: in memory nobody else can hold one."""
        if self._clock is not None:
            raise StoreError("this MemoryStore is open already; give each hub a store of its own")
        self._clock = clock
        for lane in self._lanes.values():
            if lane.until is not None:
                self._let_go(lane)
        try:
            yield
        finally:
            self._clock = None

    def _now(self) -> datetime:
        if self._clock is None:
            raise NotRunningError("the store is closed: use it inside `async with hub`")
        return self._clock.now()

    # The way in

    async def admit(self, channel: str, events: Sequence[Event], cursor: Cursor | None = None) -> tuple[Admission, ...]:
        """See `Store.admit`."""
        admissions = self._admit(channel, events)
        if cursor is not None:
            self._cursors[channel, cursor.feed] = cursor.value
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
            lane = self._lane(key)
            lane.items[entry] = None
            if lane.until is None and not lane.queued:
                self._enqueue(lane)
            answers.append(Admission.NEW)
        return tuple(answers)

    async def finish(self, lease: Lease, *, dispatches: Sequence[Dispatch] = ()) -> tuple[Dispatch, ...]:
        """See `Store.finish`."""
        lane, entry = self._held(lease)
        stored = self._submit(dispatches) if dispatches else ()
        entry.state, entry.reason = EntryState.DONE, None
        self._done[entry.event.channel] += 1
        del self._entries[entry.id]  # its key stays, for good
        lane.items.pop(entry, None)
        self._let_go(lane)
        return stored

    async def postpone(self, lease: Lease, *, due: datetime, hold: float, reason: str) -> None:
        """See `Store.postpone`."""
        lane, entry = self._held(lease)
        entry.attempts += 1
        entry.due, entry.reason = due, reason
        if entry.hold_until is None:
            entry.hold_until = self._now() + timedelta(seconds=hold)
        self._let_go(lane)

    async def bury(self, lease: Lease, *, reason: str, events: Sequence[Event] = ()) -> None:
        """See `Store.bury`."""
        lane, entry = self._held(lease)
        entry.attempts += 1
        entry.state, entry.reason = EntryState.DEAD, reason
        lane.items.pop(entry, None)
        self._let_go(lane)
        self._admit_own(events)

    def _admit_own(self, events: Iterable[Event]) -> None:
        for event in events:
            self._admit(event.channel, (event,))

    def _held(self, lease: Lease) -> tuple[_Lane, Entry]:
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
        self._end_leases(now)
        ready = self._ready[direction]
        leases: list[Lease] = []
        for channel in list(ready) if slots is None else [name for name in slots if name in ready]:
            room = limit - len(leases) if slots is None else min(limit - len(leases), slots[channel])
            self._lease_from(ready[channel], room, now, seconds, leases)
            if not ready[channel]:
                del ready[channel]
        more = any((slots is None or slots.get(channel, 0) > 0) and ready[channel] for channel in ready)
        return Claim(leases, more, self._next_due(direction))

    def _lease_from(self, queue: deque[_Lane], room: int, now: datetime, seconds: float, leases: list[Lease]) -> None:
        while queue and room > 0:
            lane = queue.popleft()
            lane.queued = False
            item = self._head(lane, now)
            if item is None:
                if not lane.items:
                    self._lanes.pop(lane.key, None)
                continue
            recovered = lane.served == item
            lane.token = next(self._order)  # of no other lane ever, so that no old lease fits by chance
            lane.until = until = now + timedelta(seconds=seconds)
            self._leased[lane] = None
            lane.served = item
            if isinstance(item, Entry):
                lease = Lease(lane.key, lane.token, until, entry=item, recovered=recovered)
            else:
                lease = Lease(lane.key, lane.token, until, None, self._dispatches[item[0]], item[1], recovered)
            leases.append(lease)
            room -= 1

    def _head(self, lane: _Lane, now: datetime) -> Entry | tuple[str, str] | None:
        """The item to serve now. Without one, sees to it that the lane is looked at again in time."""
        wake: datetime | None = None
        waiting: list[Entry | tuple[str, str]] = []
        for item in lane.items:
            work = item if isinstance(item, Entry) else self._delivery(item)
            if work.due <= now:
                for passed in waiting:
                    self._mark_passed(passed)
                return item
            if work.hold_until is not None and work.hold_until > now:
                blocked = min(work.due, work.hold_until)
                wake = blocked if wake is None else min(wake, blocked)
                break
            waiting.append(item)
            wake = work.due if wake is None else min(wake, work.due)
        if wake is not None:
            heappush(self._timed[lane.key.direction], (wake, next(self._order), lane))
        return None

    def _mark_passed(self, item: Entry | tuple[str, str]) -> None:
        if isinstance(item, Entry):
            item.passed = True
            return
        dispatch, delivery = self._dispatches[item[0]], self._delivery(item)
        if not delivery.passed:
            deliveries = dispatch.replaced(delivery.model_copy(update={"passed": True}))
            changed = {"deliveries": deliveries, "version": dispatch.version + 1}
            self._dispatches[dispatch.id] = dispatch.model_copy(update=changed)

    def _wake(self, lane: _Lane) -> None:
        """Something in the lane may be due; or it is an old note."""
        if lane.until is None and lane.items and not lane.queued:
            self._enqueue(lane)

    def _end_leases(self, now: datetime) -> None:
        while self._leased:
            lane = next(iter(self._leased))
            if lane.until is not None and lane.until > now:
                return
            del self._leased[lane]
            lane.until = None  # `served` stays, which tells the next holder
            self._wake(lane)

    def _enqueue(self, lane: _Lane) -> None:
        lane.queued = True
        self._ready[lane.key.direction].setdefault(lane.key.channel, deque()).append(lane)

    def _lane(self, key: Lane) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        return lane

    def _let_go(self, lane: _Lane) -> None:
        lane.until = lane.served = None
        self._leased.pop(lane, None)
        if not lane.items:
            if not lane.queued:
                self._lanes.pop(lane.key, None)
        elif not lane.queued:
            self._enqueue(lane)

    def _check(self, lease: Lease) -> _Lane:
        lane = self._lanes.get(lease.lane)
        if lane is None or lane.token != lease.token or lane.until is None:
            raise LeaseLostError(f"the lease of a lane of {lease.lane.channel} has ended")
        return lane

    def _next_due(self, direction: Direction) -> datetime | None:
        timed = self._timed[direction]
        moments = [timed[0][0]] if timed else []
        if direction == "out" and self._scheduled:
            moments.append(self._scheduled[0][0])
        return min(moments, default=None)

    async def renew(self, leases: Sequence[Lease], seconds: float) -> None:
        """See `Store.renew`."""
        until = self._now() + timedelta(seconds=seconds)
        for lease in leases:
            try:
                lane = self._check(lease)
            except LeaseLostError:
                continue
            lane.until = lease.until = until
            self._leased.move_to_end(lane)

    async def release(self, lease: Lease) -> None:
        """See `Store.release`."""
        try:
            lane = self._check(lease)
        except LeaseLostError:
            return
        self._let_go(lane)

    # The way out

    async def submit(self, dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
        """See `Store.submit`."""
        return self._submit(dispatches)

    def _submit(self, dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
        self._now()
        for dispatch in dispatches:
            known = self._known(dispatch)
            if known is not None and dispatch.origin is None and known.fingerprint != dispatch.fingerprint:
                raise KeyConflictError(
                    f"the key {dispatch.key!r} was used before, to the same recipient, for other content"
                )
        stored = []
        for dispatch in dispatches:
            known = self._known(dispatch)
            if known is None:
                self._keys[dispatch.key, dispatch.recipient] = dispatch.id
                self._write(dispatch)
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
        old = {} if before is None else {delivery.id: delivery for delivery in before.deliveries}
        for delivery in dispatch.deliveries:
            if old.get(delivery.id) is delivery:
                continue
            self._index(dispatch, delivery)
            self._place(dispatch, delivery)

    def _index(self, dispatch: Dispatch, delivery: Delivery) -> None:
        here = (dispatch.id, delivery.id)
        self._homes[delivery.id] = (delivery.channel, dispatch.id)
        if delivery.state is not DeliveryState.WAITING:
            self._by_address[delivery.channel, delivery.address.uri] = here
        for provider_id in delivery.report.ids:
            self._provider_ids[delivery.channel, provider_id] = here

    def _place(self, dispatch: Dispatch, delivery: Delivery) -> None:
        item = (dispatch.id, delivery.id)
        key = Lane("out", delivery.channel, delivery.conversation.key, delivery.importance.value)
        wanted = delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING)
        lane = self._lanes.get(key)
        there = lane is not None and item in lane.items
        if not wanted:
            if lane is not None and there:
                del lane.items[item]
                if lane.until is None:
                    self._let_go(lane)
            return
        if not there and delivery.due > self._now():
            heappush(self._scheduled, (delivery.due, next(self._order), *item))
            return
        lane = self._lane(key)
        if not there:
            lane.items[item] = None
        if lane.until is None and not lane.queued:
            self._enqueue(lane)

    def _enter_scheduled(self, now: datetime) -> None:
        while self._scheduled and self._scheduled[0][0] <= now:
            _, _, dispatch, delivery = heappop(self._scheduled)
            self._place(self._dispatches[dispatch], self._delivery((dispatch, delivery)))

    def _delivery(self, item: tuple[str, str]) -> Delivery:
        return next(each for each in self._dispatches[item[0]].deliveries if each.id == item[1])

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
        due: list[str] = []
        while self._wakes and len(due) < limit:
            moment, dispatch = self._wakes[0]
            if self._dispatches[dispatch].wake_at != moment:
                heappop(self._wakes)  # an old note
                continue
            if moment > now:
                break
            heappop(self._wakes)
            due.append(dispatch)
        return due, self._wakes[0][0] if self._wakes else None

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
        if address is None or ids:
            return None  # a report that names a message is never guessed to be about another one
        return self._by_address.get((channel, address))

    async def park(self, channel: str, receipt: Receipt) -> None:
        """See `Store.park`."""
        for provider_id in receipt.ids:
            self._parked.setdefault((channel, provider_id), []).append(receipt)

    async def unpark(self, channel: str, ids: Sequence[str]) -> Sequence[Receipt]:
        """See `Store.unpark`."""
        return [receipt for provider_id in ids for receipt in self._parked.pop((channel, provider_id), ())]

    # Small durable values, cursors, locks, blobs

    async def get(self, scope: str, key: str) -> tuple[Any, int]:
        """See `Store.get`."""
        return self._values.get((scope, key), (None, 0))

    async def put(self, scope: str, key: str, value: Any, *, version: int | None = None) -> bool:
        """See `Store.put`."""
        _, current = self._values.get((scope, key), (None, 0))
        if version is not None and version != current:
            return False
        # A deleted value keeps its version, or a compare-and-set could mistake its successor for it.
        self._values[scope, key] = (value, current + 1)
        return True

    async def cursor(self, channel: str, feed: str) -> Any:
        """See `Store.cursor`."""
        return self._cursors.get((channel, feed))

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncGenerator[None]:
        """See `Store.lock`."""
        async with self._locks.setdefault(name, anyio.Lock()):
            yield

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """See `Store.keep`."""
        content = b"".join([chunk async for chunk in chunks])
        ref = "sha256:" + hashlib.sha256(content).hexdigest()
        self._blobs[ref] = content
        return ClaimCheck(ref=ref, size=len(content))

    @asynccontextmanager
    async def open(self, claim: ClaimCheck) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `Store.open`."""
        content = self._blobs.get(claim.ref)
        if content is None:
            raise StoreError(f"the content {claim.ref} is not in this store")
        yield _chunks(content)

    # Looking

    async def dispatches(self, *, limit: int = 100, recipient: str | None = None) -> Sequence[Dispatch]:
        """See `Store.dispatches`."""
        found = (each for each in reversed(self._dispatches.values()) if recipient in (None, each.recipient))
        return [dispatch for dispatch, _ in zip(found, range(limit), strict=False)]

    async def dead_entries(self, *, limit: int = 100) -> Sequence[Entry]:
        """See `Store.dead_entries`."""
        return [entry for entry in self._entries.values() if entry.state is EntryState.DEAD][:limit]

    async def dead_deliveries(self, *, limit: int = 100) -> Sequence[Delivery]:
        """See `Store.dead_deliveries`."""
        deliveries = (delivery for dispatch in self._dispatches.values() for delivery in dispatch.deliveries)
        return [delivery for delivery in deliveries if delivery.state is DeliveryState.DEAD][:limit]

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


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]
