"""What goes out of a ledger in memory: every dispatch, what leads to it, and when it wants to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import heappop, heappush, nsmallest
from itertools import count

from convergekit.abc import Deliveries, Lane
from convergekit.model import Delivery, DeliveryState, Dispatch

from ._memory_lanes import Lanes

__all__ = ["Dispatches"]


class Dispatches:
    """See the module.

    Args:
        order: Numbers that grow.
        lanes: Into which what is open goes, when it is due.
    """

    def __init__(self, order: count[int], lanes: Lanes) -> None:
        self._order = order
        self._lanes = lanes
        self._dispatches: dict[str, Dispatch] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._wakes: list[tuple[datetime, str]] = []
        self._scheduled: list[tuple[datetime, int, str, str]] = []
        self._homes: dict[str, tuple[str, str]] = {}  # delivery id -> (channel, dispatch id)
        self._provider_ids: dict[tuple[str, str], tuple[str, str]] = {}
        self._by_address: dict[tuple[str, str], tuple[str, str]] = {}

    def __getitem__(self, dispatch: str) -> Dispatch:
        return self._dispatches[dispatch]

    def __iter__(self) -> Iterator[Dispatch]:
        return iter(self._dispatches.values())

    def __reversed__(self) -> Iterator[Dispatch]:
        return reversed(self._dispatches.values())

    def get(self, dispatch: str) -> Dispatch | None:
        """One of them, or None."""
        return self._dispatches.get(dispatch)

    def known(self, dispatch: Dispatch) -> Dispatch | None:
        """What is there under its key, to its recipient."""
        known = self._keys.get((dispatch.key, dispatch.recipient))
        return None if known is None else self._dispatches[known]

    def delivery(self, dispatch: str, delivery: str) -> Delivery:
        """One leg, as it is now."""
        return next(each for each in self._dispatches[dispatch].deliveries if each.id == delivery)

    # Changing

    def add(self, dispatch: Dispatch, now: datetime) -> None:
        """One that is new."""
        self._keys[dispatch.key, dispatch.recipient] = dispatch.id
        self.put(dispatch, now)

    def put(self, dispatch: Dispatch, now: datetime) -> None:
        """Put the aggregate in its place, and its deliveries into the lanes where they now belong."""
        before = self._dispatches.get(dispatch.id)
        self._dispatches[dispatch.id] = dispatch
        if dispatch.wake_at is not None and (before is None or before.wake_at != dispatch.wake_at):
            heappush(self._wakes, (dispatch.wake_at, dispatch.id))
        self.enter_due(now)  # what was due before this comes before it
        old = {} if before is None else {delivery.id: delivery for delivery in before.deliveries}
        for delivery in dispatch.deliveries:
            known = old.get(delivery.id)
            if known is not delivery:
                self._index(dispatch, known, delivery)
                self._place(dispatch, delivery, now)

    def _index(self, dispatch: Dispatch, known: Delivery | None, delivery: Delivery) -> None:
        """What is found by an address, or by an id that the medium uses again, is the newest: not what changed last."""
        here = (dispatch.id, delivery.id)
        self._homes[delivery.id] = (delivery.channel, dispatch.id)
        was_waiting = known is None or known.state is DeliveryState.WAITING
        if was_waiting and delivery.state is not DeliveryState.WAITING:
            self._by_address[delivery.channel, delivery.address.uri] = here
        for provider_id in delivery.report.ids - (known.report.ids if known is not None else frozenset()):
            self._provider_ids[delivery.channel, provider_id] = here

    def _place(self, dispatch: Dispatch, delivery: Delivery, now: datetime) -> None:
        item = (dispatch.id, delivery.id)
        key = Lane("out", delivery.channel, delivery.lane_key, delivery.importance.value)
        if delivery.state not in (DeliveryState.QUEUED, DeliveryState.SENDING):
            self._lanes.remove(key, item)
        elif self._lanes.has(key, item):
            self._lanes.sooner(key, item, delivery.due)
        elif delivery.due > now:
            heappush(self._scheduled, (delivery.due, next(self._order), *item))
        else:
            self._lanes.add(key, item)

    def enter_due(self, now: datetime) -> None:
        """What was scheduled and is due goes into its lane."""
        while self._scheduled and self._scheduled[0][0] <= now:
            _, _, dispatch, delivery = heappop(self._scheduled)
            self._place(self._dispatches[dispatch], self.delivery(dispatch, delivery), now)

    def next_due(self) -> datetime | None:
        """When the next one is due of what is scheduled."""
        return self._scheduled[0][0] if self._scheduled else None

    def mark_passed(self, dispatch: str, delivery: str) -> None:
        """Another one has overtaken it."""
        known, passed = self._dispatches[dispatch], self.delivery(dispatch, delivery)
        if not passed.passed:
            deliveries = known.replaced(passed.model_copy(update={"passed": True}))
            changed = {"deliveries": deliveries, "version": known.version + 1}
            self._dispatches[dispatch] = known.model_copy(update=changed)

    def bury(self, left: Dispatch) -> None:
        """Only *left* is left of it, and nothing leads to it any more but its key."""
        dispatch = self._dispatches[left.id]
        self._dispatches[left.id] = left
        for delivery in dispatch.deliveries:
            here = (dispatch.id, delivery.id)
            for table, key in (
                (self._by_address, (delivery.channel, delivery.address.uri)),
                *((self._provider_ids, (delivery.channel, each)) for each in delivery.report.ids),
            ):
                if table.get(key) == here:
                    del table[key]

    # Looking

    def awake(self, limit: int, now: datetime) -> tuple[Sequence[str], datetime | None]:
        """See `Store.awake`."""
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

    def find(
        self, channel: str, ids: Sequence[str], delivery: str | None, address: str | None
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

    def page(
        self, channel: str, failed: bool, address: str | None, after: str | None, before: str | None, limit: int
    ) -> Deliveries:
        """See `Store.deliveries`."""
        found = (
            (dispatch, delivery.id)
            for dispatch in self._dispatches.values()
            for delivery in (dispatch.failed if failed else dispatch.deliveries)
            if delivery.channel == channel
            and address in (None, delivery.address.uri)
            and (after is None or delivery.id > after)
            and (before is None or delivery.id < before)
        )
        first = nsmallest(limit, found, key=lambda each: each[1])
        return Deliveries(first, first[-1][1] if len(first) == limit else None)
