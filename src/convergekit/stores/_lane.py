"""Lanes in memory: which item of a lane is next, and which lane of a channel.

Rules kept here:

- Items stand in line in the order in which they came. One that waits for its `due` blocks those behind it until its
  `hold_until`; after that it steps aside, so that nobody looks at it again before it is due, and then it is back at
  its old place. What an item costs does not depend on how many wait beside it.
- Of the lanes of a channel the urgent come before the normal, and those before the bulk; but one turn of eight goes
  the other way round, so that nothing starves.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final

from convergekit.abc import Entry, Lane
from convergekit.model import Delivery

__all__ = ["Head", "Item", "OpenLane", "Turns"]

#: An admitted event, or (dispatch id, delivery id).
Item = Entry | tuple[str, str]

#: The item to be served, those that it overtakes, and without an item when to look again (None: the lane is empty).
Head = tuple[Item | None, Sequence[Item], datetime | None]

_OTHER_WAY: Final = 8


class OpenLane:
    """The open work of one lane.

    Args:
        key: Its name.
        order: Numbers that grow, for all lanes together.
        work: Where an item's `due` and `hold_until` stand now.
    """

    __slots__ = ("_aside", "_line", "_order", "_work", "key", "queued", "served", "token", "until")

    def __init__(self, key: Lane, order: count[int], work: Callable[[Item], Entry | Delivery]) -> None:
        self.key = key
        self.token = 0
        self.until: datetime | None = None  # while leased
        self.served: Item | None = None  # the item that the lease is on
        self.queued = False  # whether it stands among its channel's turns
        self._order = order
        self._work = work
        self._line: OrderedDict[Item, int] = OrderedDict()  # each with its place
        self._aside: _Aside | None = None  # most lanes never need it

    def __bool__(self) -> bool:
        return bool(self._line) or bool(self._aside)

    def __contains__(self, item: Item) -> bool:
        return item in self._line or (self._aside is not None and item in self._aside.places)

    def add(self, item: Item) -> None:
        """To the end of the line."""
        self._line[item] = next(self._order)

    def discard(self, item: Item) -> None:
        """It is done with."""
        if self._line.pop(item, None) is None and self._aside is not None:
            self._aside.discard(item)

    def sooner(self, item: Item, due: datetime) -> None:
        """*item* may be due earlier than it was."""
        if self._aside is not None:
            self._aside.sooner(item, due, next(self._order))

    def head(self, now: datetime) -> Head:
        """Which item is to be served *now*."""
        if self._aside:
            return self._oldest(now, self._aside)
        for item in self._line:
            work = item if isinstance(item, Entry) else self._work(item)
            if work.due <= now:
                return item, (), None
            if work.hold_until is not None and work.hold_until > now:
                return None, (), min(work.due, work.hold_until)
            self._aside = self._aside or _Aside()
            return self._oldest(now, self._aside)
        return None, (), None

    def _oldest(self, now: datetime, aside: _Aside) -> Head:
        """The same where some are aside: those who are back come in between the others, each at its place."""
        aside.bring_back(now)
        while True:
            item = next(iter(self._line), None)
            back = aside.first_back()
            if back is not None and (item is None or aside.places[back] < self._line[item]):
                item = back
            if item is None:
                return None, (), aside.soonest(None)
            work = self._work(item)
            if work.due <= now:
                place = aside.places[item] if item is back else self._line[item]
                return item, aside.overtaken(place), None
            if work.hold_until is not None and work.hold_until > now:
                return None, (), aside.soonest(min(work.due, work.hold_until))
            place = aside.places[item] if item is back else self._line.pop(item)
            aside.put(item, place, work.due, next(self._order))


class _Aside:
    """Items of a lane that are not in line: their hold is over, and they are not due; or they were, and are back."""

    __slots__ = ("_back", "_due", "_later", "_untold", "places")

    def __init__(self) -> None:
        self.places: dict[Item, int] = {}
        self._due: dict[Item, datetime] = {}  # of those that are not back
        self._later: list[tuple[datetime, int, Item]] = []
        self._back: list[tuple[int, Item]] = []
        self._untold: dict[Item, int] = {}  # not yet overtaken in this time of waiting

    def __bool__(self) -> bool:
        return bool(self.places)

    def put(self, item: Item, place: int, due: datetime, number: int) -> None:
        if self._back and self._back[0][0] == place:
            heappop(self._back)
        self.places[item] = self._untold[item] = place
        self._due[item] = due
        heappush(self._later, (due, number, item))

    def sooner(self, item: Item, due: datetime, number: int) -> None:
        if item in self._due and due < self._due[item]:
            self._due[item] = due
            heappush(self._later, (due, number, item))

    def discard(self, item: Item) -> None:
        for known in (self.places, self._due, self._untold):
            known.pop(item, None)

    def bring_back(self, now: datetime) -> None:
        while self._later and self._later[0][0] <= now:
            due, _, item = heappop(self._later)
            if self._due.get(item) == due:  # else it is an old note
                del self._due[item]
                heappush(self._back, (self.places[item], item))

    def first_back(self) -> Item | None:
        while self._back and self.places.get(self._back[0][1]) != self._back[0][0]:
            heappop(self._back)
        return self._back[0][1] if self._back else None

    def overtaken(self, place: int) -> Sequence[Item]:
        if not self._untold:
            return ()
        passed = [item for item, older in self._untold.items() if older < place]
        for item in passed:
            del self._untold[item]
        return passed

    def soonest(self, blocked: datetime | None) -> datetime | None:
        while self._later and self._due.get(self._later[0][2]) != self._later[0][0]:
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
        importance = lane.key.importance
        if importance == "urgent":
            self._urgent.append(lane)
        elif importance == "bulk":
            self._bulk.append(lane)
        else:
            self._normal.append(lane)

    def popleft(self) -> OpenLane:
        """Whose turn it is. There must be one."""
        self._turn += 1
        if self._turn % _OTHER_WAY:
            return (self._urgent or self._normal or self._bulk).popleft()
        return (self._bulk or self._normal or self._urgent).popleft()
