"""What callers want of one transaction: each knows what it must know before, and then decides by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from convergekit.abc import Cursor, Direction, Fence, Lease, Write
from convergekit.errors import LeaseLostError
from convergekit.model import Dispatch
from convergekit.stores._keys import check_content

from .batch import NEVER, Batch, LaneRow, Needs, waiting_state
from .hosted import let_write
from .resaid import said_anew
from .rows import DIRECTIONS, IMPORTANCES, DispatchRow, EntryRow, micros
from .schema import EntryStates
from .writer import Job

__all__ = ["Admit", "Bury", "Call", "Claiming", "Finish", "Found", "Operation", "Postpone", "Release",
           "Renew", "Save", "Submit"]  # fmt: skip

T = TypeVar("T")

#: What a claim gives for each lane: the lane's row, whether it was recovered, the item, and the row that it is about.
Found = tuple[LaneRow, bool, Any, Any]

_OTHER_WAY: Final = 8  # one claim of so many begins with the bulk, so that nothing starves


class Operation(Job[T]):
    """One caller's part of a batch."""

    __slots__ = ()

    #: Whether it may put something into a lane, or take it out; what was due before then enters before.
    enters = False

    def gather(self, needs: Needs) -> None:
        """Say what must be known."""

    def decide(self, batch: Batch) -> None:
        """Look, then change all of it.

        Raises:
            LeaseLostError: It is refused, and nothing was changed.
            KeyConflictError: So it is.
        """

    def claim(self, batch: Batch) -> None:
        """After everything is written: take what is there."""


class Call(Operation[T]):
    """Anything else that has to be in a transaction."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[Batch], T]) -> None:
        super().__init__()
        self._work = work

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        self.result = self._work(batch)


class Admit(Operation[list[bool]]):
    """Events, and the cursor behind them."""

    __slots__ = ("_channel", "_cursor", "_fence", "_rows")
    enters = True

    def __init__(self, channel: str, rows: Sequence[EntryRow], cursor: Cursor | None, fence: Fence | None) -> None:
        super().__init__()
        self._channel = channel
        self._rows = rows
        self._cursor = None if cursor is None else (cursor.feed, json.dumps(cursor.value))
        self._fence = fence

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        for row in self._rows:
            needs.entry(row)
        if self._fence is not None:
            needs.owners.append(self._fence.name)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        if self._fence is not None:
            owner = batch.owners.get(self._fence.name)
            if owner is None or owner.token != self._fence.token:
                raise LeaseLostError(f"somebody else owns {self._fence.name} now")
        before = self.result if batch.unsure and hasattr(self, "result") else [False] * len(self._rows)
        self.result = [is_new or was for is_new, was in zip(batch.admit(self._rows), before, strict=True)]
        if self._cursor is not None:
            feed, body = self._cursor
            batch.cursors[self._channel, feed] = body


class Submit(Operation[list["str | Dispatch"]]):
    """Dispatches, all or none. The result holds for each what is there: a document where it was known before."""

    __slots__ = ("_unless", "rows")
    enters = True

    def __init__(self, rows: Sequence[DispatchRow], unless: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.rows = rows
        self._unless = unless

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.values += self._unless
        for row in self.rows:
            needs.new(row)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        if not batch.values.isdisjoint(self._unless):
            self.result = []
            return
        _check_keys(batch, self.rows)
        self.result = _submitted(batch, self.rows)


def _check_keys(batch: Batch, rows: Sequence[DispatchRow]) -> None:
    fresh: dict[str, str] = {}
    for row in rows:
        fingerprint = row.dispatch.fingerprint
        known = batch.known.get(row.dedupe)
        check_content(row.dispatch, fresh.setdefault(row.dedupe, fingerprint) if known is None else known[1])


def _submitted(batch: Batch, rows: Sequence[DispatchRow]) -> list[str | Dispatch]:
    for row in rows:
        if row.dedupe not in batch.known:
            batch.add(row)
    return [batch.known[row.dedupe][2] for row in rows]


class Finish(Submit):
    """An entry is done, and what its handler submits goes with it."""

    __slots__ = ("_lease", "_writes")

    def __init__(self, lease: Lease, rows: Sequence[DispatchRow], writes: Sequence[Write]) -> None:
        super().__init__(rows)
        self._lease = lease
        self._writes = writes

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.lane(self._lease.lane)
        super().gather(needs)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        row = batch.held(self._lease)
        super().decide(batch)
        if self._writes:
            let_write(batch.connection, self._writes)
        batch.write("finish_entry", {"entry": _entry_id(self._lease)})
        batch.drop_served(row)
        row.let_go()


class Postpone(Operation[None]):
    """An entry waits for its next try."""

    __slots__ = ("_due", "_hold", "_lease", "_reason")

    def __init__(self, lease: Lease, due: int, hold: float, reason: str) -> None:
        super().__init__()
        self._lease = lease
        self._due = due
        self._hold = hold
        self._reason = reason

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.lane(self._lease.lane)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        row = batch.held(self._lease)
        entry = self._lease.entry
        assert entry is not None
        # The time for which it may hold up its lane is given once.
        hold = batch.now + int(self._hold * 1e6) if entry.hold_until is None else micros(entry.hold_until)
        batch.move(row.served, waiting_state(self._due, hold, batch.now), self._due, hold)
        batch.write("end_entry", _ended(self._lease, EntryStates.READY, self._reason, batch.now))
        row.let_go()
        batch.placed = True
        self.result = None


class Bury(Operation[None]):
    """An entry goes to the dead letters."""

    __slots__ = ("_events", "_lease", "_reason")
    enters = True

    def __init__(self, lease: Lease, reason: str, events: Sequence[EntryRow]) -> None:
        super().__init__()
        self._lease = lease
        self._reason = reason
        self._events = events

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.lane(self._lease.lane)
        for row in self._events:
            needs.entry(row)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        row = batch.held(self._lease)
        batch.write("end_entry", _ended(self._lease, EntryStates.DEAD, self._reason, batch.now))
        batch.drop_served(row)
        row.let_go()
        batch.admit(self._events)
        self.result = None


class Release(Operation[None]):
    """A lane goes back as it is."""

    __slots__ = ("_lease",)

    def __init__(self, lease: Lease) -> None:
        super().__init__()
        self._lease = lease

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.lane(self._lease.lane)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        self.result = None
        try:
            row = batch.held(self._lease)
        except LeaseLostError:
            return
        row.let_go()
        batch.placed = True


class Renew(Operation["Sequence[bool]"]):
    """Leases hold on, those that still do."""

    __slots__ = ("_leases", "_seconds", "until")

    def __init__(self, leases: Sequence[Lease], seconds: float) -> None:
        super().__init__()
        self._leases = leases
        self._seconds = seconds
        self.until = 0

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        for lease in self._leases:
            needs.lane(lease.lane)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        self.until = batch.now + int(self._seconds * 1e6)
        self.result = [self._renewed(batch, lease) for lease in self._leases]

    def _renewed(self, batch: Batch, lease: Lease) -> bool:
        try:
            row = batch.held(lease)
        except LeaseLostError:
            return False
        row.until = row.ready = self.until
        row.is_changed = True
        return True


class Save(Operation["Dispatch | None"]):
    """A dispatch is replaced, if nobody was faster."""

    __slots__ = ("_before", "_events", "_lease", "_release", "_row")
    enters = True

    def __init__(
        self, before: int, row: DispatchRow, lease: Lease | None, release: bool, events: Sequence[EntryRow]
    ) -> None:
        super().__init__()
        self._before = before
        self._row = row
        self._lease = lease
        self._release = release
        self._events = events

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        if self._lease is not None:
            needs.lane(self._lease.lane)
        needs.change(self._row)
        for row in self._events:
            needs.entry(row)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        dispatch = self._row.dispatch
        if batch.unsure and self._is_stored(batch):
            self.result = dispatch
            return
        lane = None if self._lease is None else batch.held(self._lease)
        if batch.versions.get(dispatch.id) != self._before:
            self.result = None
            return
        said_anew(batch.connection, dispatch, batch.now)
        batch.change(self._row)
        batch.admit(self._events)
        if lane is not None and self._release:
            lane.let_go()
            batch.placed = True
        self.result = dispatch

    def _is_stored(self, batch: Batch) -> bool:
        """Whether it is there, word for word: then it was we who stored it, and nobody has changed it since."""
        found = batch.ask(batch.sql.bodies, {"ids": [self._row.dispatch.id]})
        return bool(found) and found[0].body == self._row.body


class Claiming(Operation[tuple[list[Found], bool, "int | None", int]]):
    """Lanes to serve: (what was found, whether there is more, when there will be, until when the leases hold)."""

    __slots__ = ("_direction", "_limit", "_seconds", "_slots", "_turn")
    enters = True

    def __init__(
        self, direction: Direction, limit: int, seconds: float, slots: Mapping[str, int] | None, turn: int
    ) -> None:
        super().__init__()
        self._direction: Direction = direction
        self._limit = limit
        self._seconds = seconds
        self._slots = slots
        self._turn = turn

    def claim(self, batch: Batch) -> None:
        """See `Operation`."""
        until = batch.now + int(self._seconds * 1e6)
        number = DIRECTIONS.index(self._direction)
        channels = self._channels(batch, number)
        found: list[tuple[LaneRow, bool, int]] = []
        more = False
        while channels and len(found) < self._limit and not more:
            rows = self._candidates(batch, number, channels)
            if not rows:
                break
            chosen = rows[: self._limit - len(found)]
            more = len(rows) > len(chosen)
            for each in _leased(batch, chosen, until):
                found.append(each)
                channels[each[0].lane.channel] -= 1
        more = more and any(room > 0 for room in channels.values())
        next_due = None if more else self._next_due(batch, number, channels)
        self.result = (_items(batch, found), more, next_due, until)

    def _channels(self, batch: Batch, direction: int) -> dict[str, int]:
        if self._slots is not None:
            return {name: min(room, self._limit + 1) for name, room in sorted(self._slots.items()) if room > 0}
        names = [name for (name,) in batch.ask(batch.sql.channels_in, {"direction": direction})]
        return dict.fromkeys(names, self._limit + 1)  # one more, to see whether there is more

    def _pairs(self, channels: Mapping[str, int], direction: int) -> tuple[list[tuple[str, int]], dict[str, Any]]:
        classes = range(len(IMPORTANCES)) if direction else (1,)  # what comes in is of one class
        pairs = [(name, each) for name in channels for each in classes]
        values: dict[str, Any] = {"direction": direction}
        for number, (name, importance) in enumerate(pairs):
            values[f"channel_{number}"], values[f"importance_{number}"] = name, importance
        return pairs, values

    def _candidates(self, batch: Batch, direction: int, channels: Mapping[str, int]) -> list[LaneRow]:
        """Lanes that are ready, the channels in turn, in each the urgent before the normal before the bulk."""
        open_channels = {name: room for name, room in channels.items() if room > 0}
        pairs, values = self._pairs(open_channels, direction)
        if not pairs:
            return []
        for number, (name, _) in enumerate(pairs):
            values[f"limit_{number}"] = open_channels[name]
        values["now"] = batch.now
        by_channel: dict[str, list[LaneRow]] = {name: [] for name in open_channels}
        for row in batch.ask(batch.sql.candidates(len(pairs)), values):
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

    def _next_due(self, batch: Batch, direction: int, channels: Mapping[str, int]) -> int | None:
        pairs, values = self._pairs(channels, direction)
        moments: list[int | None] = []
        if pairs:
            values["now"] = batch.now
            moments += [moment for (moment,) in batch.ask(batch.sql.next_ready(len(pairs)), values)]
        if direction:
            moments += [moment for (moment,) in batch.ask(batch.sql.next_scheduled)]
        return min((moment for moment in moments if moment is not None), default=None)


def _leased(batch: Batch, rows: Sequence[LaneRow], until: int) -> list[tuple[LaneRow, bool, int]]:
    """Lease those of *rows* that have something to serve; say of the others when they will."""
    leased = []
    for row, head, blocked_until in batch.heads(rows):
        row.is_changed = True
        if head is None:
            row.until = row.served = None
            row.ready = NEVER if blocked_until is None else blocked_until
            continue
        recovered = row.until is not None and row.served == head
        row.token, row.until, row.ready, row.served = batch.token(), until, until, head
        leased.append((row, recovered, head))
        batch.overtake(row, head)
    batch.flush_lanes(rows)
    return leased


def _items(batch: Batch, found: Sequence[tuple[LaneRow, bool, int]]) -> list[Found]:
    """What stands at the head of each lane."""
    if not found:
        return []
    ask, sql = batch.ask, batch.sql
    items = {row.place: row for row in ask(sql.leased_items, {"places": [place for *_, place in found]})}
    entries = [item.entry for item in items.values() if item.entry is not None]
    dispatches = list({item.dispatch: None for item in items.values() if item.dispatch is not None})
    by_id: dict[Any, Any] = {}
    if entries:
        by_id.update((row.id, row) for row in ask(sql.entries, {"ids": entries}))
    if dispatches:
        by_id.update((row.id, row) for row in ask(sql.bodies, {"ids": dispatches}))
    return [
        (row, recovered, items[place], by_id[items[place].entry or items[place].dispatch])
        for row, recovered, place in found
    ]


def _entry_id(lease: Lease) -> int:
    assert lease.entry is not None
    return int(lease.entry.id, 16)


def _ended(lease: Lease, state: EntryStates, reason: str, now: int) -> dict[str, Any]:
    assert lease.entry is not None
    return {"entry": _entry_id(lease), "to": state.value, "tries": lease.entry.attempts + 1, "why": reason, "at": now}
