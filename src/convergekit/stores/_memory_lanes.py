"""The lanes of a ledger in memory: what is in them, and who serves them.

Rules kept here:

- Claiming costs the same whatever is stored: lanes that can be served stand in a queue per channel, lanes that wait
  for a time stand in a heap, and a lane that is neither is not looked at.
- Channels take turns, whoever has how many lanes; inside a channel lanes take turns (`_lane.Turns`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import count

from convergekit.abc import Direction, Entry, Lane, Lease
from convergekit.errors import LeaseLostError
from convergekit.model import Delivery

from ._lane import Item, OpenLane, Turns

__all__ = ["Lanes", "Leased"]

#: A lane, the item that is to be served in it, and whether somebody had begun with it.
Leased = tuple[OpenLane, Item, bool]


class Lanes:
    """See the module.

    Args:
        order: Numbers that grow.
        work: Where an item's `due` and `hold_until` stand now.
        passed: Called with each item that another one overtakes.
    """

    def __init__(
        self, order: count[int], work: Callable[[Item], Entry | Delivery], passed: Callable[[Item], None]
    ) -> None:
        self._order = order
        self._work = work
        self._passed = passed
        self._lanes: dict[Lane, OpenLane] = {}
        self._ready: dict[Direction, OrderedDict[str, Turns]] = {"in": OrderedDict(), "out": OrderedDict()}
        self._turns: dict[tuple[Direction, str], Turns] = {}
        self._leased: dict[Direction, dict[OpenLane, None]] = {"in": {}, "out": {}}
        self._lease_end: dict[Direction, datetime | None] = {"in": None, "out": None}  # no lease ends before it
        self._timed: dict[Direction, list[tuple[datetime, int, OpenLane]]] = {"in": [], "out": []}

    # Items

    def add(self, key: Lane, item: Item) -> None:
        """To the end of its lane."""
        lane = self._lane(key)
        lane.add(item)
        self._wake(lane)

    def has(self, key: Lane, item: Item) -> bool:
        """Whether *item* stands in its lane."""
        lane = self._lanes.get(key)
        return lane is not None and item in lane

    def sooner(self, key: Lane, item: Item, due: datetime) -> None:
        """What stands in its lane may be due earlier than it was."""
        lane = self._lanes[key]
        lane.sooner(item, due)
        self._wake(lane)

    def remove(self, key: Lane, item: Item) -> None:
        """Nobody is to serve it any more; who is at it finds out."""
        lane = self._lanes.get(key)
        if lane is not None and item in lane:
            lane.discard(item)
            if lane.until is None:
                self.let_go(lane)

    def is_in_hand(self, key: Lane, item: Item) -> bool:
        """Whether somebody is serving it."""
        lane = self._lanes.get(key)
        return lane is not None and lane.until is not None and lane.served == item

    # Leases

    def claim(
        self, direction: Direction, limit: int, now: datetime, until: datetime, slots: Mapping[str, int] | None
    ) -> tuple[Sequence[Leased], bool]:
        """One lane of each channel in turn, until there are enough or no more; and whether there are more."""
        timed = self._timed[direction]
        while timed and timed[0][0] <= now:
            self._wake(heappop(timed)[2])
        self.end_leases(direction, now)
        ready = self._ready[direction]
        room = None if slots is None else dict(slots)
        leased: list[Leased] = []
        shut = 0
        while len(leased) < limit and shut < len(ready):
            channel = next(iter(ready))
            turns = ready[channel]
            if room is not None and room.get(channel, 0) <= 0:
                ready.move_to_end(channel)
                shut += 1
                continue
            found = self._claim_one(turns, now, until)
            if turns:
                ready.move_to_end(channel)
            else:
                del ready[channel]
            if found is not None:
                leased.append(found)
                shut = 0
                if room is not None:
                    room[channel] -= 1
        if room is None:
            return leased, bool(ready)
        return leased, any(room.get(channel, 0) > 0 for channel in ready)

    def _claim_one(self, turns: Turns, now: datetime, until: datetime) -> Leased | None:
        while turns:
            lane = turns.popleft()
            lane.queued = False
            item, passed, wake = lane.head(now)
            if item is not None:
                for each in passed:
                    self._passed(each)
                return self._lease(lane, item, until)
            if wake is not None:
                heappush(self._timed[lane.key.direction], (wake, next(self._order), lane))
            else:
                self._lanes.pop(lane.key, None)  # it is empty
        return None

    def _lease(self, lane: OpenLane, item: Item, until: datetime) -> Leased:
        recovered = lane.served == item
        lane.token = next(self._order)  # of no other lane ever, so that no old lease fits by chance
        lane.served = item
        self._leased[lane.key.direction][lane] = None
        self.renew(lane, until)
        return lane, item, recovered

    def renew(self, lane: OpenLane, until: datetime) -> None:
        """Who holds it holds it until then."""
        lane.until = until
        end = self._lease_end[lane.key.direction]
        if end is None or until < end:
            self._lease_end[lane.key.direction] = until

    def held(self, lease: Lease) -> OpenLane:
        """The lane of *lease*, if it still is held; else raises `LeaseLostError`."""
        lane = self._lanes.get(lease.lane)
        if lane is None or lane.token != lease.token or lane.until is None:
            raise LeaseLostError(f"the lease of a lane of {lease.lane.channel} has ended")
        return lane

    def let_go(self, lane: OpenLane) -> None:
        """Nobody holds it; who comes next begins anew."""
        lane.until = lane.served = None
        self._leased[lane.key.direction].pop(lane, None)
        if lane.queued:
            return  # its turn will tell
        if lane:
            self._enqueue(lane)
        else:
            self._lanes.pop(lane.key, None)

    def end_leases(self, direction: Direction, now: datetime | None = None) -> None:
        """Those whose time has run out; without *now* all of them."""
        end = self._lease_end[direction]
        if now is not None and (end is None or end > now):
            return
        leased = self._leased[direction]
        for lane in list(leased):
            if now is None or lane.until is None or lane.until <= now:
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

    def next_due(self, direction: Direction, *, idle: bool) -> datetime | None:
        """When there may be something to serve; to whom is *idle* also when a lease ends."""
        timed = self._timed[direction]
        due = timed[0][0] if timed else None
        if idle:  # then somebody has to come when a holder has gone away; else whoever serves comes back anyway
            for lane in self._leased[direction]:
                if lane.until is not None:
                    due = lane.until if due is None else min(due, lane.until)
        return due

    # Turns

    def _wake(self, lane: OpenLane) -> None:
        """Something in the lane may be due; or it is an old note."""
        if lane.until is None and lane and not lane.queued:
            self._enqueue(lane)

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
