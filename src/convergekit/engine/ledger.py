"""Changes of dispatches: load, change, let the plan advance, save; then tell whoever waits.

Everything that changes a dispatch goes through `Ledger.update`: an attempt's outcome, a late report, a timer, a person.
The change itself is a pure function, so a conflict between two of them ends in one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from weakref import WeakValueDictionary

import anyio

from convergekit.abc import Clock, Lease, Store
from convergekit.errors import NotRunningError, StoreError
from convergekit.model import (
    ConsentChanged,
    DeadLettered,
    Delivery,
    DeliveryChanged,
    DeliveryState,
    Dispatch,
    Event,
    Failure,
    Receipt,
    Status,
)
from convergekit.router.advance import advance

from .outcomes import with_receipt

__all__ = ["Change", "Ledger", "Watch", "on_delivery"]

#: Gives the changed dispatch, or None to leave it as it is.
Change = Callable[[Dispatch], Dispatch | None]

_CONFLICTS: Final = 1000


class Watch:
    """The newest snapshot of one dispatch, and a way to wait for the next."""

    __slots__ = ("__weakref__", "_changed", "dispatch", "is_closed")

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        self.is_closed = False
        self._changed: anyio.Event | None = None  # made for whoever waits; most submits are never waited for

    async def changed(self) -> None:
        """Return after the next change of the dispatch, or of a channel.

        Raises:
            NotRunningError: The hub is closed, and nobody would tell.
        """
        if not self.is_closed:
            self._changed = self._changed or anyio.Event()
            await self._changed.wait()
        if self.is_closed:
            raise NotRunningError("the hub was closed; what becomes of the message is in the ledger")

    def ring(self, dispatch: Dispatch | None = None) -> None:
        """Wake whoever waits."""
        if dispatch is not None and dispatch.version >= self.dispatch.version:
            self.dispatch = dispatch
        if self._changed is not None:
            self._changed.set()
            self._changed = None


def on_delivery(delivery: str, change: Callable[[Delivery], Delivery | None]) -> Change:
    """The change of a dispatch that changes one of its deliveries."""

    def of_dispatch(dispatch: Dispatch) -> Dispatch | None:
        changed = change(dispatch.by_id(delivery))
        return None if changed is None else dispatch.model_copy(update={"deliveries": dispatch.replaced(changed)})

    return of_dispatch


class _Wanted(Protocol):
    """Tells whether any handler would take an event of this type."""

    def __call__(self, kind: type[Event], /) -> bool: ...


class Ledger:
    """The one place where dispatches change.

    Args:
        store: The ledger.
        clock: Time.
        wanted: Our own events are stored only where somebody handles them.
        placed: Called after something may have been queued.
        timed: Called with the moment at which a dispatch has to be looked at again.
        woken: Called after something was admitted.
        is_down: Whether the account of a channel is known to be refused.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        wanted: _Wanted,
        placed: Callable[[], None],
        woken: Callable[[], None],
        timed: Callable[[datetime | None], None],
        is_down: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._clock = clock
        self._wanted = wanted
        self.placed = placed
        self._woken = woken
        self._timed = timed
        self._is_down = is_down
        self._watches: WeakValueDictionary[str, Watch] = WeakValueDictionary()

    def watch(self, dispatch: Dispatch) -> Watch:
        """The one watch on *dispatch*; kept as long as somebody holds it."""
        watch = self._watches.get(dispatch.id)
        if watch is None:
            watch = self._watches[dispatch.id] = Watch(dispatch)
        else:
            watch.ring(dispatch)
        return watch

    async def refresh(self) -> None:
        """Load what other processes have changed of the dispatches that somebody here watches, and tell."""
        watches = dict(self._watches)
        if not watches:
            return
        for identity, version in (await self._store.versions(tuple(watches))).items():
            watch = watches[identity]
            if version > watch.dispatch.version:
                watch.ring(await self._store.load(identity))

    def close(self) -> None:
        """Nobody is told of changes any more, and whoever waits for one is told that."""
        for watch in list(self._watches.values()):
            watch.is_closed = True
            watch.ring()

    def channels_changed(self) -> None:
        """Wake all who wait for a dispatch: what holds it up may be a channel."""
        for watch in list(self._watches.values()):
            watch.ring()

    async def update(
        self, dispatch: str | Dispatch, change: Change, *, lease: Lease | None = None, release: bool = False
    ) -> Dispatch | None:
        """Apply *change* and what follows from it.

        Args:
            dispatch: Its id, or the snapshot to begin with.
            change: Pure; called again with a newer snapshot when somebody else was faster.
            lease: Must still be held.
            release: Give the lane back with the change; if there is none to make, it is given back all the same.

        Returns:
            The new snapshot, or None when there was nothing to change.
        """
        before = await self._store.load(dispatch) if isinstance(dispatch, str) else dispatch
        for _ in range(_CONFLICTS):
            after = None if before is None else change(before)
            if before is None or after is None:
                if lease is not None and release:
                    await self._store.release(lease)
                return None
            after = advance(after, self._clock.now(), self._is_down)
            events = self._events(before, after)
            saved = await self._store.save(after, lease=lease, release=release, events=events)
            if saved is not None:
                await self._told(before, saved, events)
                return saved
            before = await self._store.load(before.id)
        raise StoreError(f"dispatch {dispatch if isinstance(dispatch, str) else dispatch.id} changes all the time")

    async def pass_on(self, lease: Lease) -> bool:
        """Let a dispatch go its next way, where it has one and waits for a channel that is down; tells whether it did.

        If it did, the lane is given back.
        """

        def goes(current: Dispatch) -> Dispatch | None:
            left = advance(current, self._clock.now(), self._is_down).by_id(lease.delivery)
            return current if left.state is DeliveryState.CANCELLED else None

        if lease.dispatch is None or goes(lease.dispatch) is None:
            return False
        await self.update(lease.dispatch, goes, lease=lease, release=True)
        return True

    async def submit(
        self, dispatches: Sequence[Dispatch], *, unless: Sequence[tuple[str, str]] = ()
    ) -> tuple[Dispatch, ...]:
        """Store; for what is known already, what is there. For *unless* see `Store.submit`."""
        try:
            return await self._store.submit(dispatches, unless=unless)
        finally:
            self.stored(dispatches)  # also for a caller who was cancelled just after they were stored

    def stored(self, dispatches: Sequence[Dispatch]) -> None:
        """*dispatches* have been submitted, here or together with something else."""
        for dispatch in dispatches:
            self._timed(dispatch.wake_at)
        self.placed()

    async def receive(self, channel: str, receipt: Receipt) -> None:
        """Join a report with the delivery that it speaks of; park it where there is none yet."""
        receipt = receipt.model_copy(update={"received_at": receipt.received_at or self._clock.now()})
        if await self._join(channel, receipt) or not receipt.ids:
            return
        await self._store.park(channel, receipt)
        # The send may have been answered between the look and the parking; then nobody would look again.
        if await self._find(channel, receipt) is not None:
            for parked in await self._store.unpark(channel, receipt.ids):
                await self._join(channel, parked)

    async def wake(self) -> datetime | None:
        """Let every dispatch advance whose time has come; returns when the next one's comes."""
        while True:
            due, next_wake = await self._store.awake()
            for dispatch in due:
                await self.update(dispatch, lambda current: current.model_copy(update={"wake_at": None}))
            if not due:
                return next_wake

    async def _find(self, channel: str, receipt: Receipt) -> tuple[str, str] | None:
        address = receipt.address.uri if receipt.address is not None else None
        return await self._store.find(channel, ids=receipt.ids, delivery=receipt.delivery, address=address)

    async def _join(self, channel: str, receipt: Receipt) -> bool:
        found = await self._find(channel, receipt)
        if found is None:
            return False
        dispatch = await self._store.load(found[0])
        if dispatch is not None:
            await self.update(dispatch, on_delivery(found[1], lambda delivery: with_receipt(delivery, receipt)))
        return True

    async def _told(self, before: Dispatch, saved: Dispatch, events: Sequence[Event]) -> None:
        watch = self._watches.get(saved.id)
        if watch is not None:
            watch.ring(saved)
        self.stored((saved,))
        if events:
            self._woken()
        known = {delivery.id: delivery.report.ids for delivery in before.deliveries}
        for delivery in saved.deliveries:
            fresh = delivery.report.ids - known.get(delivery.id, frozenset())
            if fresh:
                for receipt in await self._store.unpark(delivery.channel, tuple(fresh)):
                    await self._join(delivery.channel, receipt)

    def _events(self, before: Dispatch, after: Dispatch) -> list[Event]:
        changed, dead = self._wanted(DeliveryChanged), self._wanted(DeadLettered)
        # Whoever has opted out is asked for again by the consent gate, whether or not a handler wants to know.
        opted_out = {each.id: failure for each in after.deliveries if (failure := each.opt_out) is not None}
        if not (changed or dead or opted_out):
            return []
        old = {delivery.id: delivery for delivery in before.deliveries}
        events: list[Event] = []
        for delivery in after.deliveries:
            known = old.get(delivery.id)
            # What goes in the place of another goes on from where that one was.
            first = known or old.get(delivery.supersedes or "")
            was = first.status if first is not None else Status.QUEUED
            dispute = delivery.disputed and not (known is not None and known.disputed)
            if delivery.id in opted_out and (known is None or known.opt_out is None):
                events.append(_opted_out(delivery, opted_out[delivery.id], self._clock.now()))
            if changed and (was is not delivery.status or dispute):
                events.append(_delivery_changed(delivery, was, after.version))
            if (
                dead
                and delivery.state is DeliveryState.DEAD
                and known is not None
                and known.state is not delivery.state
            ):
                events.append(_dead_lettered(delivery, after.version))
        return events


def _opted_out(delivery: Delivery, failure: Failure, now: datetime) -> ConsentChanged:
    return ConsentChanged(
        key=f"opted-out:{delivery.id}",
        channel=delivery.channel,
        conversation=delivery.conversation,
        at=now,
        address=delivery.address,
        granted=False,
        evidence=failure.code or failure.text or "the medium says so",
    )


def _delivery_changed(delivery: Delivery, was: Status, version: int) -> DeliveryChanged:
    return DeliveryChanged(
        key=f"delivery:{delivery.id}:{version}",
        channel=delivery.channel,
        conversation=delivery.conversation,
        delivery=delivery.id,
        dispatch=delivery.dispatch,
        status=delivery.status,
        previous=was,
        reason=delivery.why,
        disputed=delivery.disputed,
    )


def _dead_lettered(delivery: Delivery, version: int) -> DeadLettered:
    return DeadLettered(
        key=f"dead:{delivery.id}:{version}",
        channel=delivery.channel,
        conversation=delivery.conversation,
        direction="out",
        id=delivery.id,
        reason=delivery.reason or "",
    )
