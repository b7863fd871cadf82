"""One transaction of the ledger, with everything that was waiting in it.

It goes in four steps, so that what a hundred callers want costs about as many statements as what one wants:
*gather* what must be known, *fetch* it (and lock the lanes, in one order), *decide* each operation in plain Python,
*flush* what was decided, a statement per table. Operations of one batch have not been answered yet, so any order
among them is a right one; they see each other through what was fetched, which is kept up to date while deciding.

An operation decides all or nothing: it looks before it changes anything, and a refusal is its own `error`.

Lanes (rules in `schema`): whoever puts an item into a lane, or takes one out, holds the lane's row. So no message can
be left behind in a lane that is just being removed because it was empty.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, delete, func, select, update

from convergekit.abc import Lane, Lease
from convergekit.errors import InvalidInputError, KeyConflictError, LeaseLostError
from convergekit.model import Dispatch
from convergekit.model.wire import from_json

from . import schema as s
from .blobs import record_uses, refs_of
from .prepared import Values, together
from .rows import DIRECTIONS, IMPORTANCES, DeliveryRow, DispatchRow, EntryRow, dispatch_row, dispatch_values, lane_key
from .said import Said, record, said_of
from .schema import EntryStates, ItemState

if TYPE_CHECKING:
    from .operations import Operation
    from .statements import Statements

__all__ = ["NEVER", "Batch", "LaneRow", "Needs", "run_batch", "waiting_state"]

_log = logging.getLogger(__name__)
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


class Needs:
    """What a batch has to know before it can decide."""

    __slots__ = ("deliveries", "dispatches", "hashes", "keys", "lanes", "owners", "values")

    def __init__(self) -> None:
        self.lanes: dict[Lane, None] = {}
        self.hashes: list[str] = []
        self.keys: list[str] = []
        self.dispatches: list[str] = []
        self.deliveries: list[str] = []
        self.owners: list[str] = []
        self.values: list[tuple[str, str]] = []

    def lane(self, lane: Lane) -> None:
        """Its row, locked."""
        self.lanes[lane] = None

    def entry(self, row: EntryRow) -> None:
        """What admitting it asks for."""
        self.hashes.append(row.hash)
        self.lanes[row.lane] = None

    def new(self, row: DispatchRow) -> None:
        """What submitting it asks for."""
        self.keys.append(row.dedupe)
        for delivery in row.deliveries:
            if delivery.is_open:
                self.lanes[delivery.lane] = None

    def change(self, row: DispatchRow) -> None:
        """What changing it asks for."""
        self.dispatches.append(row.dispatch.id)
        for delivery in row.deliveries:
            self.deliveries.append(delivery.id)
            self.lanes[delivery.lane] = None


class Batch:
    """One transaction.

    Args:
        connection: In a transaction.
        statements: Of its database.
        now: Microseconds; None for the database's own time, which `begin` asks for.
        unsure: Whether the same was committed before and the answer was lost: what is found may be our own.
    """

    def __init__(
        self, connection: Connection, statements: Statements, now: int | None, *, unsure: bool = False
    ) -> None:
        self.unsure = unsure
        self.connection = connection
        self._given_now = now
        self.now = now or 0
        self.placed = False  # whether something may be served that could not be before
        self.sql = statements
        self._lanes: dict[str, LaneRow] = {}
        self.seen: set[str] = set()
        self.known: dict[str, tuple[str, str, str | Dispatch]] = {}  # by dedupe: id, fingerprint, what is there
        self.versions: dict[str, int] = {}
        self.owners: dict[str, Any] = {}
        self.values: set[tuple[str, str]] = set()  # of those that were asked for, those that are there
        self._deliveries: dict[str, tuple[str, int | None, str]] = {}
        self._items: dict[str, Any] = {}
        self._new_entries: list[EntryRow] = []
        self._said: list[tuple[int | str, Said]] = []
        self.uses: list[tuple[str, str]] = []  # content that is named, and by whom
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.cursors: dict[tuple[str, str], str] = {}
        self._token: int | None = None
        # Of PostgreSQL's sequences, asked for with all the rest: there may be more than are needed.
        self._entry_numbers: list[int] = []
        self._said_numbers: list[int] = []

    # The driver

    def ask(self, statement: Any, values: Values | None = None) -> list[Any]:
        """Execute *statement*, whose parameters are always the same ones; the rows."""
        return self._asked(statement, values or {})()

    def _asked(self, statement: Any, values: Values) -> Callable[[], list[Any]]:
        return self.sql.prepared(statement, values).ask(self.connection, values)

    def _ask_all(self, *questions: tuple[Any, Values] | None) -> list[list[Any]]:
        """Execute each statement, in this order; the rows of each, and none where None was asked."""
        with together(self.connection):
            asked = [list if each is None else self._asked(*each) for each in questions]
        return [answer() for answer in asked]

    def tell(self, statement: Any, *rows: Values) -> None:
        """Execute *statement* for each of *rows*, of which there is at least one."""
        self.sql.prepared(statement, rows[0]).run(self.connection, rows)

    # Fetch

    def begin(self, *, enters: bool) -> tuple[Sequence[Any], Sequence[Any]]:
        """Learn what time it is; and what was scheduled and is due, and what is in no lane yet, where that *enters*."""
        questions: list[tuple[Any, Values]] = [] if self._given_now is not None else [(self.sql.now, {})]
        if enters:
            questions += [(self.sql.scheduled, {"now": self._given_now}), (self.sql.unplaced, {})]
        answers = self._ask_all(*questions)
        if self._given_now is None:
            (((self.now,),), *answers) = answers
        scheduled, unplaced = answers or ((), ())
        return scheduled, unplaced

    def fetch(self, needs: Needs) -> None:
        """Read and lock."""
        sql = self.sql
        keys = {lane_key(lane): lane for lane in needs.lanes}
        scopes = list({scope for scope, _ in needs.values})
        entries = len(needs.hashes)
        said = entries + len(needs.keys)
        lanes, seen, known, versions, deliveries, items, owners, values, new_entries, new_said = self._ask_all(
            (sql.lanes, {"keys": sorted(keys)}) if keys else None,
            (sql.seen, {"hashes": needs.hashes}) if needs.hashes else None,
            (sql.known, {"keys": needs.keys}) if needs.keys else None,
            (sql.locked_versions, {"ids": needs.dispatches}) if needs.dispatches else None,
            (sql.deliveries, {"ids": needs.deliveries}) if needs.deliveries else None,
            (sql.items_of, {"ids": needs.deliveries}) if needs.deliveries else None,
            (sql.owners, {"names": needs.owners}) if needs.owners else None,
            (sql.values, {"scopes": scopes, "keys": [key for _, key in needs.values]}) if scopes else None,
            (sql.new_entries, {"count": entries}) if entries and not sql.is_sqlite else None,
            (sql.new_said, {"count": said}) if said and not sql.is_sqlite else None,
        )
        self._entry_numbers += [number for (number,) in new_entries]
        self._said_numbers += [number for (number,) in new_said]
        for row in lanes:
            self._lanes[row.key] = LaneRow.of(row)
        for key, lane in keys.items():
            if key not in self._lanes:
                self._lanes[key] = LaneRow(lane, key)
        self.seen.update([hash for (hash,) in seen])
        for dedupe, identity, fingerprint, body in known:
            self.known[dedupe] = (identity, fingerprint, body)
        self.versions.update((row.id, row.version) for row in versions)
        for identity, state, opened, named in deliveries:
            self._deliveries[identity] = (state, opened, named)
        for item in items:
            self._items[item.delivery] = item
        self.owners.update({row.name: row for row in owners})
        self.values.update((scope, key) for scope, key in values)

    # Decide

    def lane(self, lane: Lane) -> LaneRow:
        """The row of a lane that was asked for."""
        return self._lanes[lane_key(lane)]

    def held(self, lease: Lease) -> LaneRow:
        """The lane of *lease*, if it still is held; else raises `LeaseLostError`."""
        row = self._lanes[lane_key(lease.lane)]
        if row.fresh or row.token != lease.token or row.until is None:
            raise LeaseLostError(f"the lease of a lane of {lease.lane.channel} has ended")
        return row

    def admit(self, rows: Iterable[EntryRow]) -> list[bool]:
        """Store what is new of *rows*; tells of each whether it was."""
        answers = []
        for row in rows:
            is_new = row.hash not in self.seen
            answers.append(is_new)
            if is_new:
                self.seen.add(row.hash)
                self._new_entries.append(row)
                self._ready(row.lane)
        return answers

    def add(self, row: DispatchRow) -> None:
        """Store a dispatch that is new, and put what is open of it into its lanes."""
        dispatch = row.dispatch
        self.known[row.dedupe] = (dispatch.id, dispatch.fingerprint, dispatch)
        self.uses += [(ref, f"dispatch/{dispatch.id}") for ref in refs_of(dispatch)]
        self._rows["add_dispatch"].append(dispatch_values(row, placed=True))
        self.place(row)

    def place(self, row: DispatchRow) -> None:
        """Store the deliveries of a dispatch for the first time."""
        self._said.append((row.dispatch.id, row.said or said_of(row.dispatch)))
        for delivery in row.deliveries:
            opened = self.now if delivery.is_opened else None
            self._rows["add_delivery"].append(_delivery_values(delivery, opened))
            self._name(delivery, delivery.named)
            if delivery.is_open:
                self._enter(delivery)

    def change(self, row: DispatchRow) -> None:
        """Replace a dispatch that is there, and its deliveries' places."""
        dispatch = row.dispatch
        self.versions[dispatch.id] = dispatch.version
        self.uses += [(ref, f"dispatch/{dispatch.id}") for ref in refs_of(dispatch)]
        self._rows["change_dispatch"].append(
            {"dispatch": dispatch.id, "to": dispatch.version, "wake": row.wake_at, "document": row.body}
        )
        for delivery in row.deliveries:
            self._change_delivery(delivery)

    def _change_delivery(self, delivery: DeliveryRow) -> None:
        before = self._deliveries.get(delivery.id)
        _, opened, named = before or ("", None, "")
        if opened is None and delivery.is_opened:
            opened = self.now
        after = (delivery.state, opened, " ".join(delivery.named))
        if after != before:
            self._deliveries[delivery.id] = after
            self._rows["put_delivery"].append(_delivery_values(delivery, opened))
            if after[2] != named:
                known = set(named.split())
                self._name(delivery, [each for each in delivery.named if each not in known])
        item = self._items.get(delivery.id)
        if not delivery.is_open:
            if item is not None:
                self._leave(item, delivery.lane)
        elif item is None:
            self._enter(delivery)
        else:
            self._move(item, delivery)

    def _name(self, delivery: DeliveryRow, hashes: Sequence[str]) -> None:
        for each in hashes:
            self._rows["put_provider_id"].append({"hash": each, "dispatch": delivery.dispatch, "delivery": delivery.id})

    def _enter(self, delivery: DeliveryRow) -> None:
        """To the end of its lane; or not yet, if it is scheduled."""
        state = ItemState.LINE if delivery.due <= self.now else ItemState.SCHEDULED
        self._rows["add_item"].append(
            _item_values(lane_key(delivery.lane), state, delivery.due, delivery.hold, None, delivery)
        )
        if state is ItemState.LINE:
            self._ready(delivery.lane)
        else:
            self.placed = True  # somebody has to know when it is due

    def _ready(self, lane: Lane) -> None:
        self._lanes[lane_key(lane)].wakes(self.now)
        self.placed = True

    def _leave(self, item: Any, lane: Lane) -> None:
        self._rows["drop_item"].append({"at": item.place})
        self._items.pop(item.delivery, None)
        row = self._lanes[lane_key(lane)]
        if item.state != ItemState.SCHEDULED and row.until is None:
            row.recompute = True

    def _move(self, item: Any, delivery: DeliveryRow) -> None:
        """An item that stays may be due at another time."""
        if item.state == ItemState.SCHEDULED and delivery.due <= self.now:
            self._leave(item, delivery.lane)
            self._enter(delivery)
            return
        if (item.due, item.hold) == (delivery.due, delivery.hold):
            return
        state = ItemState.SCHEDULED
        if item.state != ItemState.SCHEDULED:
            state = waiting_state(delivery.due, delivery.hold, self.now)
            row = self._lanes[lane_key(delivery.lane)]
            if row.until is None:
                row.recompute = True
        self.move(item.place, state, delivery.due, delivery.hold)
        self.placed = True

    def move(self, place: int | None, state: ItemState, due: int, hold: int | None) -> None:
        """Let an item wait for another time."""
        self._rows["move_item"].append({"at": place, "to": state.value, "when": due, "held": hold})

    def drop_served(self, row: LaneRow) -> None:
        """The item that the lease on *row* is on is done with."""
        self._rows["drop_item"].append({"at": row.served})

    def give_up(self, item: Any) -> None:
        """The delivery of *item*, whose dispatch cannot be read: it counts as dead, and stands in no lane any more."""
        run = self.connection.execute
        run(delete(s.item).where(s.item.c.place == item.place))
        run(update(s.delivery).where(s.delivery.c.id == item.delivery).values(state="dead"))

    def write(self, statement: str, values: dict[str, Any]) -> None:
        """Execute one of the statements for these values, too."""
        self._rows[statement].append(values)

    # Flush

    def flush(self) -> None:
        """Write what was decided, and say of each lane when it is to be looked at."""
        if self._new_entries:
            self._flush_entries()
        for name in _ORDER:
            rows = self._rows.get(name)
            if rows:
                self.tell(getattr(self.sql, name), *_each_once(rows, _UNIQUE.get(name)))
        record(self.connection, self._said, self.now, self._said_numbers)
        for (channel, feed), body in self.cursors.items():
            self.tell(self.sql.put_cursor, {"channel": channel, "feed": feed, "body": body})
        recompute = [row for row in self._lanes.values() if row.recompute and not row.fresh and row.until is None]
        if recompute:
            self._look(recompute)
        self.flush_lanes(self._lanes.values())

    def _flush_entries(self) -> None:
        seen, entries, items = [], [], []
        for identity, row in zip(self._entry_ids(len(self._new_entries)), self._new_entries, strict=True):
            seen.append({"hash": row.hash})
            lane = row.lane
            entries.append(
                {
                    "id": identity,
                    "channel": lane.channel,
                    "conversation": lane.conversation,
                    "state": EntryStates.READY.value,
                    "body": row.body,
                }
            )
            items.append(_item_values(lane_key(lane), ItemState.LINE, self.now, None, identity, None))
            self._said.append((identity, row.said or said_of(row.event)))
            self.uses += [(ref, f"entry/{identity}") for ref in refs_of(row.event)]
        self._rows["add_item"] += items
        self.tell(self.sql.add_seen, *seen)
        self.tell(self.sql.add_entry, *entries)

    def _entry_ids(self, count: int) -> Sequence[int]:
        """So many ids that nobody else has, in order."""
        if self.sql.is_sqlite:  # the write lock is ours
            ((last,),) = self.ask(_LAST_ENTRY)
            return range((last or 0) + 1, (last or 0) + 1 + count)
        if len(self._entry_numbers) < count:
            self._entry_numbers = [number for (number,) in self.ask(self.sql.new_entries, {"count": count})]
        return sorted(self._entry_numbers[:count])

    def _look(self, rows: Sequence[LaneRow]) -> None:
        """When each of these lanes is to be looked at next; those that are empty go."""
        for row, head, blocked_until in self.heads(rows):
            if head is not None:
                row.ready = self.now
            elif blocked_until is not None:
                row.ready = blocked_until
            else:
                row.ready = NEVER
            row.is_changed = True

    def heads(self, rows: Sequence[LaneRow]) -> list[tuple[LaneRow, int | None, int | None]]:
        """Of each lane the place of the item that can be served now, else when to look again, else neither."""
        by_key = {row.key: row for row in rows}
        heads, stale = self._heads(by_key)
        if stale:  # something was waited for, and is there
            values = {"keys": stale, "now": self.now}
            for statement in (self.sql.waited, self.sql.came_back, self.sql.step_aside):
                self.tell(statement, values)
            anew, _ = self._heads({key: by_key[key] for key in stale})
            heads.update(anew)
        return list(heads.values())

    def _heads(
        self, by_key: Mapping[str, LaneRow]
    ) -> tuple[dict[str, tuple[LaneRow, int | None, int | None]], list[str]]:
        found = self.ask(self.sql.heads, {"keys": list(by_key)})
        blocking = [
            waiting for _, line, waiting, _ in found if waiting is not None and (line is None or waiting < line)
        ]
        blocks: Mapping[int, Any] = {}
        if blocking:
            blocks = {row.place: row for row in self.ask(self.sql.blocks, {"places": blocking})}
        heads: dict[str, tuple[LaneRow, int | None, int | None]] = {}
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
            if until is not None and until <= self.now:
                stale.append(key)
        return heads, stale

    def flush_lanes(self, rows: Iterable[LaneRow]) -> None:
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
        tell, sql = self.tell, self.sql
        if added:
            tell(sql.add_lane, *sorted(added, key=itemgetter("key")))
        if changed:
            tell(sql.change_lane, *changed)
        if dropped:
            tell(sql.drop_lane, *dropped)

    def _age(self, number: int) -> int:
        """A new lane's token: below those of claims, and of two new lanes the older has the lesser."""
        return self.now - NEVER + number

    # Claims, after all that

    def token(self) -> int:
        """Greater than any before; one for all claims of this transaction, for each is of other lanes."""
        if self._token is None:
            ((token,),) = self.ask(_COUNT if self.connection.dialect.name == "sqlite" else _NEXT_TOKEN)
            self._token = int(token)
        return self._token

    def overtake(self, row: LaneRow, head: int) -> None:
        """Serving *head* passes those before it that have stepped aside: the ledger says so."""
        if not row.has_aside:
            return
        passed = self.ask(self.sql.overtaken, {"lane": row.key, "head": head})
        if not passed:
            return
        self.tell(self.sql.tell, {"places": [item.place for item in passed]})
        for item in passed:
            if item.dispatch is not None:
                self._mark_passed(item.dispatch, item.delivery)

    def _mark_passed(self, dispatch: str, delivery: str) -> None:
        ((_, body),) = self.ask(self.sql.bodies, {"ids": [dispatch]})
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
        self.tell(
            self.sql.change_dispatch,
            {"dispatch": dispatch, "to": row.dispatch.version, "wake": row.wake_at, "document": row.body},
        )


def run_batch(batch: Batch, operations: Sequence[Operation[Any]]) -> None:
    """All four steps for *operations*; those that are refused have their `error`."""
    needs = Needs()
    entering, unplaced = _entering(batch, operations)
    for row in (*entering, *unplaced):
        needs.change(row)
    for operation in operations:
        operation.gather(needs)
    batch.fetch(needs)
    for row in entering:
        for delivery in row.deliveries:
            item = batch._items.get(delivery.id)
            if item is not None and item.state == ItemState.SCHEDULED and item.due <= batch.now:
                batch._leave(item, delivery.lane)
                batch._enter(delivery)
    for row in unplaced:
        batch.place(row)
        batch.write("place_dispatch", {"dispatch": row.dispatch.id})
    for operation in operations:
        try:
            operation.decide(batch)
        except (LeaseLostError, KeyConflictError) as error:
            operation.error = error
    with together(batch.connection):
        batch.flush()
    record_uses(batch.connection, batch.uses)
    for operation in operations:
        operation.claim(batch)


def _entering(
    batch: Batch, operations: Sequence[Operation[Any]]
) -> tuple[Sequence[DispatchRow], Sequence[DispatchRow]]:
    """What was scheduled and is due, and what a host's own transaction has left: before anything that comes now."""
    scheduled, unplaced = batch.begin(enters=any(operation.enters for operation in operations))
    due = {row.dispatch: None for row in scheduled}
    entering = _parsed(batch.ask(batch.sql.bodies, {"ids": list(due)})) if due else []
    order = {identity: number for number, identity in enumerate(due)}
    entering.sort(key=lambda row: order[row.dispatch.id])
    there = {row.dispatch.id for row in entering}
    for item in scheduled:
        if item.dispatch not in there:
            batch.give_up(item)
    return entering, _parsed(unplaced)


def _parsed(rows: Iterable[Any]) -> list[DispatchRow]:
    """Those of *rows* that can be read: one that cannot must not keep all others from being written."""
    parsed = []
    for row in rows:
        try:
            parsed.append(dispatch_row(from_json(Dispatch, row.body)))
        except InvalidInputError as error:
            _complain(row.id, str(error))
    return parsed


@lru_cache(maxsize=4096)
def _complain(dispatch: str, why: str) -> None:
    """Once for each: what a newer hub has posted stays there for newer workers, and is met by every batch."""
    _log.error("dispatch %s of the ledger cannot be read: %s", dispatch, why)


def waiting_state(due: int, hold: int | None, now: int) -> ItemState:
    """Where an item of a lane stands that is due then, and holds the lane up until."""
    if due <= now:
        return ItemState.LINE
    return ItemState.WAITING if hold is not None and hold > now else ItemState.ASIDE


def _each_once(rows: Sequence[Values], column: str | None) -> Iterable[Values]:
    return rows if column is None else {row[column]: row for row in rows}.values()


def _delivery_values(delivery: DeliveryRow, opened: int | None) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "dispatch": delivery.dispatch,
        "channel": delivery.channel,
        "address": delivery.address,
        "opened": opened,
        "state": delivery.state,
        "named": " ".join(delivery.named),
    }


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


#: What is written, in this order: what is dropped before what takes its place.
_ORDER: Final = (
    "add_dispatch",
    "change_dispatch",
    "place_dispatch",
    "add_delivery",
    "put_delivery",
    "put_provider_id",
    "finish_entry",
    "end_entry",
    "drop_item",
    "move_item",
    "add_item",
)
#: Of what may be told twice in one batch, and by which column it is the same: the last word counts.
_UNIQUE: Final = {"put_delivery": "id", "put_provider_id": "hash"}
_COUNT: Final = (
    update(s.meta).where(s.meta.c.name == "token").values(number=s.meta.c.number + 1).returning(s.meta.c.number)
)
_NEXT_TOKEN: Final = select(s.tokens.next_value())
_LAST_ENTRY: Final = select(func.max(s.entry.c.id))
