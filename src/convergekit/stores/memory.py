"""The ledger in memory: for tests and trials. It keeps every promise of a store but to outlive the process.

What goes out is in `_memory_dispatches`, who serves what in `_memory_lanes`, what was said in `_memory_archive`.

Rules kept here:

- No method awaits between reading and writing, so each is one transaction by itself.
- Small values and cursors are copied on the way in and on the way out, as a store on disk would do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import anyio

from convergekit.abc import (
    PARKED,
    Admission,
    Claim,
    Clock,
    Cursor,
    Deliveries,
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
from ._lane import Item, OpenLane
from ._memory_archive import MemoryArchive
from ._memory_dispatches import Dispatches
from ._memory_lanes import Lanes
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
        self._lanes = Lanes(self._order, self._work, self._mark_passed)
        self._dispatches = Dispatches(self._order, self._lanes)
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
        self._lanes.end_leases("in")
        self._lanes.end_leases("out")
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
            self._lanes.add(key, entry)
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
        self._lanes.let_go(lane)
        return stored

    async def postpone(self, lease: Lease, *, due: datetime, hold: float, reason: str) -> None:
        """See `Store.postpone`."""
        lane, entry = self._held(lease)
        _count(lease, entry)
        entry.due, entry.reason = due, reason
        if entry.hold_until is None:
            entry.hold_until = self._now() + timedelta(seconds=hold)
        self._lanes.let_go(lane)

    async def bury(self, lease: Lease, *, reason: str, events: Sequence[Event] = ()) -> None:
        """See `Store.bury`."""
        lane, entry = self._held(lease)
        _count(lease, entry)
        entry.state, entry.reason, entry.due = EntryState.DEAD, reason, self._now()
        lane.discard(entry)
        self._lanes.let_go(lane)
        self._admit_own(events)

    def _admit_own(self, events: Iterable[Event]) -> None:
        for event in events:
            self._admit(event.channel, (event,))

    def _held(self, lease: Lease) -> tuple[OpenLane, Entry]:
        lane = self._lanes.held(lease)
        if lease.entry is None:
            raise StoreError("a lease of an outbound lane has no entry")
        return lane, lease.entry

    # Lanes

    async def claim(
        self, direction: Direction, *, limit: int, seconds: float, slots: Mapping[str, int] | None = None
    ) -> Claim:
        """See `Store.claim`."""
        now = self._now()
        self._dispatches.enter_due(now)
        leased, more = self._lanes.claim(direction, limit, now, now + timedelta(seconds=seconds), slots)
        due = self._lanes.next_due(direction, idle=not leased)
        scheduled = self._dispatches.next_due() if direction == "out" else None
        soonest = min((each for each in (due, scheduled) if each is not None), default=None)
        return Claim([self._lease(*each) for each in leased], more, soonest)

    def _lease(self, lane: OpenLane, item: Item, recovered: bool) -> Lease:
        assert lane.until is not None
        if isinstance(item, Entry):
            return Lease(lane.key, lane.token, lane.until, entry=item, recovered=recovered)
        dispatch, delivery = item
        return Lease(lane.key, lane.token, lane.until, None, self._dispatches[dispatch], delivery, recovered)

    def _work(self, item: Item) -> Entry | Delivery:
        return item if isinstance(item, Entry) else self._dispatches.delivery(*item)

    def _mark_passed(self, item: Item) -> None:
        if isinstance(item, Entry):
            item.passed = True
        else:
            self._dispatches.mark_passed(*item)

    async def renew(self, leases: Sequence[Lease], seconds: float) -> None:
        """See `Store.renew`."""
        until = self._now() + timedelta(seconds=seconds)
        for lease in leases:
            try:
                lane = self._lanes.held(lease)
            except LeaseLostError:
                continue
            self._lanes.renew(lane, until)
            lease.until = until

    async def release(self, lease: Lease) -> None:
        """See `Store.release`."""
        try:
            lane = self._lanes.held(lease)
        except LeaseLostError:
            return
        self._lanes.let_go(lane)

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
            first = self._dispatches.known(dispatch) or fresh.setdefault((dispatch.key, dispatch.recipient), dispatch)
            check_content(dispatch, first.fingerprint)
        stored = []
        for dispatch in dispatches:
            known = self._dispatches.known(dispatch)
            if known is None:
                self._dispatches.add(dispatch, now)
                self.archive.submitted(dispatch, now)
            stored.append(known or dispatch)
        return tuple(stored)

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
        now = self._now()
        lane = None if lease is None else self._lanes.held(lease)
        known = self._dispatches.get(dispatch.id)
        if known is None or known.version != dispatch.version:
            return None
        dispatch = dispatch.model_copy(update={"version": dispatch.version + 1})
        self._dispatches.put(dispatch, now)
        self._admit_own(events)
        if lane is not None and release:
            self._lanes.let_go(lane)
        return dispatch

    async def awake(self, limit: int = 100) -> tuple[Sequence[str], datetime | None]:
        """See `Store.awake`."""
        return self._dispatches.awake(limit, self._now())

    async def find(
        self, channel: str, *, ids: Sequence[str] = (), delivery: str | None = None, address: str | None = None
    ) -> tuple[str, str] | None:
        """See `Store.find`."""
        return self._dispatches.find(channel, ids, delivery, address)

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
        found = (each for each in reversed(self._dispatches) if recipient in (None, each.recipient))
        return [dispatch for dispatch, _ in zip(found, range(limit), strict=False)]

    async def deliveries(
        self,
        channel: str,
        *,
        failed: bool = False,
        address: str | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Deliveries:
        """See `Store.deliveries`."""
        return self._dispatches.page(channel, failed, address, after, before, limit)

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
        self._lanes.add(known.lane, known)
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
            for dispatch in self._dispatches
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
        for dispatch in self._dispatches:
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
