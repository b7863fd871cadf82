"""Lanes in memory: which item of a lane is next, and which lane of a channel.

Rules kept here:

- Items stand in line in the order in which they came. One that waits for its `due` blocks those behind it until its
  `hold_until`; after that it steps aside, so that nobody looks at it again before it is due, and then it is back at
  its old place. What an item costs does not depend on how many wait beside it.
- Of the lanes of a channel the urgent come before the normal, and those before the bulk; but one turn of eight goes
  the other way round, so that nothing starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final, NamedTuple

from convergekit.abc import Entry, Lane
from convergekit.model import Delivery, Importance

__all__ = ["Head", "Item", "OpenLane", "Turns"]

#: An admitted event, or (dispatch id, delivery id).
Item = Entry | tuple[str, str]

_OTHER_WAY: Final = 8


class Head(NamedTuple):
    """What a look at a lane found.

    Args:
        item: To be served now, or None.
        passed: Items that it overtakes, each told once for each time of waiting.
        wake: Without an item, when to look again; None if the lane is empty.
    """

    item: Item | None
    passed: Sequence[Item] = ()
    wake: datetime | None = None


class OpenLane:
    """The open work of one lane.

    Args:
        key: Its name.
        order: Numbers that grow, for all lanes together.
        work: Where an item's `due` and `hold_until` stand now.
    """

    __slots__ = (
        "_aside",
        "_back",
        "_later",
        "_line",
        "_order",
        "_untold",
        "_work",
        "items",
        "key",
        "queued",
        "served",
        "token",
        "until",
    )

    def __init__(self, key: Lane, order: count[int], work: Callable[[Item], Entry | Delivery]) -> None:
        self.key = key
        self.items: dict[Item, int] = {}  # each with its place; what is in a queue below and not here, is gone
        self.token = 0
        self.until: datetime | None = None  # while leased
        self.served: Item | None = None  # the item that the lease is on
        self.queued = False  # whether it stands among its channel's turns
        self._order = order
        self._work = work
        self._line: deque[tuple[int, Item]] = deque()
        self._back: list[tuple[int, Item]] = []  # of those that were aside and are due, the oldest first
        self._later: list[tuple[datetime, int, int, Item]] = []  # of those that are aside, the next due first
        self._aside: dict[Item, datetime] = {}
        self._untold: dict[Item, int] = {}  # aside, and not yet overtaken

    def add(self, item: Item) -> None:
        """To the end of the line."""
        place = self.items[item] = next(self._order)
        self._line.append((place, item))

    def discard(self, item: Item) -> None:
        """It is done with."""
        if self.items.pop(item, None) is not None and self._aside.pop(item, None) is not None:
            self._untold.pop(item, None)

    def sooner(self, item: Item, due: datetime) -> None:
        """*item* may be due earlier than it was."""
        known = self._aside.get(item)
        if known is not None and due < known:
            self._step_aside(self.items[item], item, due)

    def head(self, now: datetime) -> Head:
        """Which item is to be served *now*."""
        while self._later and self._later[0][0] <= now:
            due, _, place, item = heappop(self._later)
            if self._aside.get(item) == due:
                del self._aside[item]
                self._untold.pop(item, None)
                heappush(self._back, (place, item))
        while (first := self._first()) is not None:
            place, item = first
            work = self._work(item)
            if work.due <= now:
                return Head(item, self._overtaken(place) if self._untold else ())
            if work.hold_until is not None and work.hold_until > now:
                return Head(None, wake=self._soonest(min(work.due, work.hold_until)))
            self._remove_first(first)
            self._untold[item] = place
            self._step_aside(place, item, work.due)
        return Head(None, wake=self._soonest(None))

    def _first(self) -> tuple[int, Item] | None:
        """The oldest that is in line or back in it."""
        while self._line and self.items.get(self._line[0][1]) != self._line[0][0]:
            self._line.popleft()
        while self._back and self.items.get(self._back[0][1]) != self._back[0][0]:
            heappop(self._back)
        if self._back and (not self._line or self._back[0][0] < self._line[0][0]):
            return self._back[0]
        return self._line[0] if self._line else None

    def _remove_first(self, first: tuple[int, Item]) -> None:
        if self._back and self._back[0] is first:
            heappop(self._back)
        else:
            self._line.popleft()

    def _step_aside(self, place: int, item: Item, due: datetime) -> None:
        self._aside[item] = due
        heappush(self._later, (due, next(self._order), place, item))

    def _overtaken(self, place: int) -> Sequence[Item]:
        passed = [item for item, older in self._untold.items() if older < place]
        for item in passed:
            del self._untold[item]
        return passed

    def _soonest(self, blocked: datetime | None) -> datetime | None:
        while self._later and self._aside.get(self._later[0][3]) != self._later[0][0]:
            heappop(self._later)
        if not self._later:
            return blocked
        return self._later[0][0] if blocked is None else min(blocked, self._later[0][0])


class Turns:
    """The lanes of one channel that may have something to serve, each class in turn."""

    __slots__ = ("_bulk", "_normal", "_turn", "_urgent")

    def __init__(self) -> None:
        self._urgent: deque[OpenLane] = deque()
        self._normal: deque[OpenLane] = deque()
        self._bulk: deque[OpenLane] = deque()
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self._normal or self._urgent or self._bulk)

    def append(self, lane: OpenLane) -> None:
        """Behind the others of its class."""
        match lane.key.importance:
            case Importance.URGENT:
                self._urgent.append(lane)
            case Importance.BULK:
                self._bulk.append(lane)
            case _:
                self._normal.append(lane)

    def popleft(self) -> OpenLane:
        """Whose turn it is. There must be one."""
        self._turn += 1
        classes = (self._urgent, self._normal, self._bulk)
        in_order = reversed(classes) if self._turn % _OTHER_WAY == 0 else classes
        return next(lanes for lanes in in_order if lanes).popleft()
