"""The lanes that one transaction touches: their rows, the items that stand in them, and which of these is next.

Whoever puts an item into a lane, or takes one out, holds the lane's row (rules in `schema`). So no message can be left
behind in a lane that is just being removed because it was empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from convergekit.abc import Lane, Lease
from convergekit.errors import LeaseLostError

from .rows import DIRECTIONS, IMPORTANCES, DeliveryRow, DispatchRow, lane_key
from .schema import ItemState
from .transaction import Transaction

__all__ = ["NEVER", "Head", "LaneRow", "Lanes"]

#: Later than any time: a lane with nothing in it.
NEVER: Final = 1 << 62


class LaneRow:
    """A lane's row, as it is and as it will be."""

    __slots__ = ("fresh", "has_aside", "is_changed", "key", "lane", "ready", "recompute", "served", "token", "until")

    def __init__(self, lane: Lane, key: str) -> None:
        self.lane = lane
        self.key = key
        self.fresh = True  # not in the table yet
        self.ready = NEVER
        self.token = 0
        self.until: int | None = None
        self.served: int | None = None
        self.is_changed = False
        self.recompute = False
        self.has_aside = False

    @classmethod
    def of(cls, row: Any) -> LaneRow:
        """As it is in the table."""
        known = cls(
            Lane(DIRECTIONS[row.direction], row.channel, row.conversation, IMPORTANCES[row.importance]),
            row.key,
        )
        known.fresh = False
        known.ready, known.token, known.until, known.served = row.ready, row.token, row.until, row.served
        return known

    def wakes(self, at: int) -> None:
        """There is something to be served at that time, or earlier."""
        if self.until is None and at < self.ready:
            self.ready, self.is_changed = at, True

    def let_go(self) -> None:
        """Nobody holds it; what is next in it has to be looked for."""
        self.until = self.served = None
        self.is_changed = self.recompute = True

    def look_again(self) -> None:
        """An item of it is gone, or due at another time. Who holds it looks what is next when they are done."""
        if self.until is None:
            self.recompute = True


#: A lane, the place of the item in it that can be served now, and else when to look again; neither where it is empty.
Head = tuple[LaneRow, int | None, int | None]


class Lanes:
    """See the module.

    Args:
        transaction: Whose.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._rows: dict[str, LaneRow] = {}
        self._items: dict[str, Any] = {}  # by delivery
        self._dropped: list[dict[str, Any]] = []
        self._moved: list[dict[str, Any]] = []
        self._added: list[dict[str, Any]] = []

    def learn(self, keys: Mapping[str, Lane], rows: Iterable[Any], items: Iterable[Any]) -> None:
        """What was asked for, and what was found of it: lanes, which are locked, and items of deliveries."""
        for row in rows:
            self._rows[row.key] = LaneRow.of(row)
        for key, lane in keys.items():
            if key not in self._rows:
                self._rows[key] = LaneRow(lane, key)
        for item in items:
            self._items[item.delivery] = item

    # Who holds a lane

    def row(self, lane: Lane) -> LaneRow:
        """The row of a lane that was asked for."""
        return self._rows[lane_key(lane)]

    def held(self, lease: Lease) -> LaneRow:
        """The lane of *lease*, if it still is held; else raises `LeaseLostError`."""
        row = self.row(lease.lane)
        if row.fresh or row.token != lease.token or row.until is None:
            raise LeaseLostError(f"the lease of a lane of {lease.lane.channel} has ended")
        return row

    def finish(self, row: LaneRow) -> None:
        """The item that the lease on *row* is on is done with, and nobody holds the lane."""
        self.drop(row.served)
        row.let_go()

    def postpone(self, row: LaneRow, due: int, hold: int) -> None:
        """The item that the lease on *row* is on waits for another time, and nobody holds the lane."""
        self._wait(row.served, self._waiting(due, hold), due, hold)
        self.release(row)

    def release(self, row: LaneRow) -> None:
        """Nobody holds the lane; what is in it may be served."""
        row.let_go()
        self._transaction.placed = True

    # Items

    def admit(self, lane: Lane, entry: int) -> None:
        """An entry that has its number goes to the end of its lane, which is `ready` since it was decided."""
        self._added.append(_item_values(lane_key(lane), ItemState.LINE, self._transaction.now, None, entry, None))

    def ready(self, lane: Lane) -> None:
        """Something in it may be served now."""
        self.row(lane).wakes(self._transaction.now)
        self._transaction.placed = True

    def enter(self, delivery: DeliveryRow) -> None:
        """To the end of its lane; or not yet, if it is scheduled."""
        state = ItemState.LINE if delivery.due <= self._transaction.now else ItemState.SCHEDULED
        self._added.append(_item_values(lane_key(delivery.lane), state, delivery.due, delivery.hold, None, delivery))
        if state is ItemState.LINE:
            self.ready(delivery.lane)
        else:
            self._transaction.placed = True  # somebody has to know when it is due

    def enter_due(self, dispatch: DispatchRow) -> None:
        """What was scheduled of it, and is due, enters now."""
        for delivery in dispatch.deliveries:
            item = self._items.get(delivery.id)
            if item is not None and item.state == ItemState.SCHEDULED and item.due <= self._transaction.now:
                self._leave(item, delivery.lane)
                self.enter(delivery)

    def put(self, delivery: DeliveryRow) -> None:
        """Where it belongs now: into its lane, to another time, or out of it."""
        item = self._items.get(delivery.id)
        if not delivery.is_open:
            if item is not None:
                self._leave(item, delivery.lane)
        elif item is None:
            self.enter(delivery)
        else:
            self._move(item, delivery)

    def drop(self, place: int | None) -> None:
        """The item at *place* goes."""
        self._dropped.append({"at": place})

    def _leave(self, item: Any, lane: Lane) -> None:
        self.drop(item.place)
        self._items.pop(item.delivery, None)
        row = self.row(lane)
        if item.state != ItemState.SCHEDULED:
            row.look_again()

    def _move(self, item: Any, delivery: DeliveryRow) -> None:
        """An item that stays may be due at another time."""
        if item.state == ItemState.SCHEDULED and delivery.due <= self._transaction.now:
            self._leave(item, delivery.lane)
            self.enter(delivery)
            return
        if (item.due, item.hold) == (delivery.due, delivery.hold):
            return
        state = ItemState.SCHEDULED
        if item.state != ItemState.SCHEDULED:
            state = self._waiting(delivery.due, delivery.hold)
            self.row(delivery.lane).look_again()
        self._wait(item.place, state, delivery.due, delivery.hold)
        self._transaction.placed = True

    def _waiting(self, due: int, hold: int | None) -> ItemState:
        """Where an item of a lane stands that is due then, and holds the lane up until."""
        now = self._transaction.now
        if due <= now:
            return ItemState.LINE
        return ItemState.WAITING if hold is not None and hold > now else ItemState.ASIDE

    def _wait(self, place: int | None, state: ItemState, due: int, hold: int | None) -> None:
        self._moved.append({"at": place, "to": state.value, "when": due, "held": hold})

    # What is next

    def heads(self, rows: Sequence[LaneRow]) -> list[Head]:
        """Of each lane what can be served now, else when to look again. What was waited for joins the line."""
        by_key = {row.key: row for row in rows}
        heads, stale = self._heads(by_key)
        if stale:  # something was waited for, and is there
            tell, sql = self._transaction.tell, self._transaction.sql
            values = {"keys": stale, "now": self._transaction.now}
            for statement in (sql.waited, sql.came_back, sql.step_aside):
                tell(statement, values)
            anew, _ = self._heads({key: by_key[key] for key in stale})
            heads.update(anew)
        return list(heads.values())

    def _heads(self, by_key: Mapping[str, LaneRow]) -> tuple[dict[str, Head], list[str]]:
        ask, sql = self._transaction.ask, self._transaction.sql
        found = ask(sql.heads, {"keys": list(by_key)})
        blocking = [
            waiting for _, line, waiting, _ in found if waiting is not None and (line is None or waiting < line)
        ]
        blocks: Mapping[int, Any] = {}
        if blocking:
            blocks = {row.place: row for row in ask(sql.blocks, {"places": blocking})}
        heads: dict[str, Head] = {}
        stale = []
        for key, line, waiting, aside in found:
            row = by_key[key]
            row.has_aside = aside is not None
            block = blocks.get(waiting) if waiting is not None else None
            if block is None:
                heads[key] = (row, line, aside)
                until = aside
            else:
                until = block.due if block.hold is None else min(block.due, block.hold)
                until = until if aside is None else min(until, aside)
                heads[key] = (row, None, until)
            if until is not None and until <= self._transaction.now:
                stale.append(key)
        return heads, stale

    # Writing

    def flush_items(self) -> None:
        """Write what has become of items: those that go before those that take their place."""
        tell, sql = self._transaction.tell, self._transaction.sql
        for statement, rows in (
            (sql.drop_item, self._dropped),
            (sql.move_item, self._moved),
            (sql.add_item, self._added),
        ):
            if rows:
                tell(statement, *rows)

    def flush(self) -> None:
        """Say of each lane when it is to be looked at; those that are empty go. After the items."""
        recompute = [row for row in self._rows.values() if row.recompute and not row.fresh and row.until is None]
        if recompute:
            self._look(recompute)
        self.write(self._rows.values())

    def _look(self, rows: Sequence[LaneRow]) -> None:
        for row, head, blocked_until in self.heads(rows):
            if head is not None:
                row.ready = self._transaction.now
            elif blocked_until is not None:
                row.ready = blocked_until
            else:
                row.ready = NEVER
            row.is_changed = True

    def write(self, rows: Iterable[LaneRow]) -> None:
        """Write what has become of *rows*."""
        added: list[dict[str, Any]] = []
        changed, dropped = [], []
        for row in rows:
            if row.fresh:
                if row.ready != NEVER:
                    added.append(_lane_values(row, self._age(len(added))))
            elif row.ready == NEVER and row.until is None:
                dropped.append({"lane": row.key})
            elif row.is_changed:
                changed.append(
                    {"lane": row.key, "at": row.ready, "fence": row.token, "end": row.until, "place": row.served}
                )
        tell, sql = self._transaction.tell, self._transaction.sql
        if added:
            tell(sql.add_lane, *sorted(added, key=itemgetter("key")))
        if changed:
            tell(sql.change_lane, *changed)
        if dropped:
            tell(sql.drop_lane, *dropped)

    def _age(self, number: int) -> int:
        """A new lane's token: below those of claims, and of two new lanes the older has the lesser."""
        return self._transaction.now - NEVER + number


def _item_values(
    lane: str, state: ItemState, due: int, hold: int | None, entry: int | None, delivery: DeliveryRow | None
) -> dict[str, Any]:
    return {
        "lane": lane,
        "state": state.value,
        "due": due,
        "hold": hold,
        "entry": entry,
        "dispatch": None if delivery is None else delivery.dispatch,
        "delivery": None if delivery is None else delivery.id,
    }


def _lane_values(row: LaneRow, token: int) -> dict[str, Any]:
    lane = row.lane
    return {
        "key": row.key,
        "direction": DIRECTIONS.index(lane.direction),
        "channel": lane.channel,
        "conversation": lane.conversation,
        "importance": IMPORTANCES.index(lane.importance),
        "ready": row.ready,
        "token": token,
    }
