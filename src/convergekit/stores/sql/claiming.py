"""What a worker may serve: lanes that are ready, leased after everything that the transaction writes.

The channels take turns, whoever has how many lanes; in each the urgent come before the normal before the bulk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from convergekit.abc import Direction, Lease
from convergekit.errors import InvalidInputError
from convergekit.model import Dispatch
from convergekit.model.wire import from_json

from .batch import Batch
from .lanes import NEVER, LaneRow, Lanes
from .operations import Operation
from .reading import entry_of
from .rows import DIRECTIONS, IMPORTANCES, dispatch_row
from .transaction import Transaction

__all__ = ["Claiming", "Found"]

_OTHER_WAY: Final = 8  # one claim of so many begins with the bulk, so that nothing starves


class Found(NamedTuple):
    """What a claim gives of a lane: its row, whether it was recovered, the item, and the row that this is about."""

    row: LaneRow
    recovered: bool
    item: Any
    about: Any

    def lease(self, until: datetime) -> Lease:
        """As the engine takes it; raises `InvalidInputError` where what is stored cannot be read."""
        row, recovered, item, about = self
        if item.entry is not None:
            return Lease(row.lane, row.token, until, entry=entry_of(about, item), recovered=recovered)
        dispatch = from_json(Dispatch, about.body)
        return Lease(row.lane, row.token, until, None, dispatch, item.delivery, recovered)


class Claiming(Operation[tuple[list[Found], bool, "int | None", int]]):
    """Lanes to serve: (what was found, whether there is more, when there will be, until when the leases hold)."""

    __slots__ = ("_direction", "_limit", "_seconds", "_slots", "_turn")
    enters = True

    def __init__(
        self, direction: Direction, limit: int, seconds: float, slots: Mapping[str, int] | None, turn: int
    ) -> None:
        super().__init__()
        self._direction = DIRECTIONS.index(direction)
        self._limit = limit
        self._seconds = seconds
        self._slots = slots
        self._turn = turn

    def claim(self, batch: Batch) -> None:
        """See `Operation`."""
        transaction = batch.transaction
        until = transaction.now + int(self._seconds * 1e6)
        channels = self._channels(transaction)
        leased: list[_Leased] = []
        more = False
        while channels and len(leased) < self._limit and not more:
            rows = self._candidates(transaction, channels)
            if not rows:
                break
            chosen = rows[: self._limit - len(leased)]
            more = len(rows) > len(chosen)
            for each in _lease(batch.lanes, transaction, chosen, until):
                leased.append(each)
                channels[each[0].lane.channel] -= 1
        more = more and any(room > 0 for room in channels.values())
        next_due = None if more else self._next_due(transaction, channels)
        self.result = (_found(transaction, leased), more, next_due, until)

    def _channels(self, transaction: Transaction) -> dict[str, int]:
        if self._slots is not None:
            return {name: min(room, self._limit + 1) for name, room in sorted(self._slots.items()) if room > 0}
        names = transaction.ask(transaction.sql.channels_in, {"direction": self._direction})
        return {name: self._limit + 1 for (name,) in names}  # one more, to see whether there is more

    def _pairs(self, channels: Iterable[str]) -> tuple[list[tuple[str, int]], dict[str, Any]]:
        classes = range(len(IMPORTANCES)) if self._direction else (1,)  # what comes in is of one class
        pairs = [(name, each) for name in channels for each in classes]
        values: dict[str, Any] = {"direction": self._direction}
        for number, (name, importance) in enumerate(pairs):
            values[f"channel_{number}"], values[f"importance_{number}"] = name, importance
        return pairs, values

    def _candidates(self, transaction: Transaction, channels: Mapping[str, int]) -> list[LaneRow]:
        """Lanes that are ready, the channels in turn, in each the urgent before the normal before the bulk."""
        open_channels = {name: room for name, room in channels.items() if room > 0}
        pairs, values = self._pairs(open_channels)
        if not pairs:
            return []
        for number, (name, _) in enumerate(pairs):
            values[f"limit_{number}"] = open_channels[name]
        values["now"] = transaction.now
        by_channel: dict[str, list[LaneRow]] = {name: [] for name in open_channels}
        for row in transaction.ask(transaction.sql.candidates(len(pairs)), values):
            by_channel[row.channel].append(LaneRow.of(row))
        order = IMPORTANCES if self._turn % _OTHER_WAY else IMPORTANCES[::-1]
        lines = []
        for name, rows in by_channel.items():
            rows.sort(key=lambda row: (order.index(row.lane.importance), row.ready, row.token))
            lines.append(rows[: open_channels[name]])
        start = self._turn % len(lines)
        lines = lines[start:] + lines[:start]
        longest = max(map(len, lines))
        return [line[place] for place in range(longest) for line in lines if place < len(line)]

    def _next_due(self, transaction: Transaction, channels: Iterable[str]) -> int | None:
        ask, sql = transaction.ask, transaction.sql
        pairs, values = self._pairs(channels)
        moments: list[int | None] = []
        if pairs:
            values["now"] = transaction.now
            moments += [moment for (moment,) in ask(sql.next_ready(len(pairs)), values)]
        if self._direction:
            moments += [moment for (moment,) in ask(sql.next_scheduled)]
        return min((moment for moment in moments if moment is not None), default=None)


#: A lane, whether it was recovered, and the place of the item that is to be served.
_Leased = tuple[LaneRow, bool, int]


def _lease(lanes: Lanes, transaction: Transaction, rows: Sequence[LaneRow], until: int) -> list[_Leased]:
    """Lease those of *rows* that have something to serve; say of the others when they will."""
    leased = []
    for row, head, blocked_until in lanes.heads(rows):
        row.is_changed = True
        if head is None:
            row.until = row.served = None
            row.ready = NEVER if blocked_until is None else blocked_until
            continue
        recovered = row.until is not None and row.served == head
        row.token, row.until, row.ready, row.served = transaction.token(), until, until, head
        leased.append((row, recovered, head))
        _overtake(transaction, row, head)
    lanes.write(rows)
    return leased


def _overtake(transaction: Transaction, row: LaneRow, head: int) -> None:
    """Serving *head* passes those before it that have stepped aside: the ledger says so."""
    if not row.has_aside:
        return
    passed = transaction.ask(transaction.sql.overtaken, {"lane": row.key, "head": head})
    if not passed:
        return
    transaction.tell(transaction.sql.tell, {"places": [item.place for item in passed]})
    for item in passed:
        if item.dispatch is not None:
            _mark_passed(transaction, item.dispatch, item.delivery)


def _mark_passed(transaction: Transaction, dispatch: str, delivery: str) -> None:
    ((_, body),) = transaction.ask(transaction.sql.bodies, {"ids": [dispatch]})
    try:
        known = from_json(Dispatch, body)
    except InvalidInputError:
        return  # whoever claims it finds out
    passed = known.by_id(delivery)
    if passed.passed:
        return
    changed = {
        "deliveries": known.replaced(passed.model_copy(update={"passed": True})),
        "version": known.version + 1,
    }
    row = dispatch_row(known.model_copy(update=changed))
    transaction.tell(
        transaction.sql.change_dispatch,
        {"dispatch": dispatch, "to": row.dispatch.version, "wake": row.wake_at, "document": row.body},
    )


def _found(transaction: Transaction, leased: Sequence[_Leased]) -> list[Found]:
    """What stands at the head of each lane."""
    if not leased:
        return []
    ask, sql = transaction.ask, transaction.sql
    items = {row.place: row for row in ask(sql.leased_items, {"places": [place for *_, place in leased]})}
    entries = [item.entry for item in items.values() if item.entry is not None]
    dispatches = list({item.dispatch: None for item in items.values() if item.dispatch is not None})
    by_id: dict[Any, Any] = {}
    if entries:
        by_id.update((row.id, row) for row in ask(sql.entries, {"ids": entries}))
    if dispatches:
        by_id.update((row.id, row) for row in ask(sql.bodies, {"ids": dispatches}))
    return [
        Found(row, recovered, items[place], by_id[items[place].entry or items[place].dispatch])
        for row, recovered, place in leased
    ]
