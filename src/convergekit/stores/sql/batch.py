"""What one transaction has to know of the ledger, and what it will write there (a unit of work).

How a transaction goes is in `steps`, what becomes of lanes in `lanes`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import func, select

from convergekit.abc import Lane
from convergekit.model import Dispatch
from convergekit.stores._refs import refs_of

from . import schema as s
from .lanes import Lanes
from .prepared import Values, together
from .rows import DeliveryRow, DispatchRow, EntryRow, dispatch_values, lane_key
from .said import Said, record, said_of
from .schema import EntryStates
from .transaction import Transaction
from .uses import record_uses

__all__ = ["Batch", "Needs"]


class Needs:
    """What has to be known before anything can be decided."""

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
    """See the module.

    Args:
        transaction: Whose.
    """

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.lanes = Lanes(transaction)
        self.known: dict[str, tuple[str, str, str | Dispatch]] = {}  # by dedupe: id, fingerprint, what is there
        self.versions: dict[str, int] = {}
        self.owners: dict[str, Any] = {}
        self.values: set[tuple[str, str]] = set()  # of those that were asked for, those that are there
        self.cursors: dict[tuple[str, str], str] = {}
        self._seen: set[str] = set()
        self._deliveries: dict[str, tuple[str, int | None, str]] = {}
        self._new_entries: list[EntryRow] = []
        self._said: list[tuple[int | str, Said]] = []
        self._uses: list[tuple[str, str]] = []  # content that is named, and by whom
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        # Of PostgreSQL's sequences, asked for with all the rest: there may be more than are needed.
        self._entry_numbers: list[int] = []
        self._said_numbers: list[int] = []

    def fetch(self, needs: Needs) -> None:
        """Read and lock."""
        sql = self.transaction.sql
        keys = {lane_key(lane): lane for lane in needs.lanes}
        scopes = list({scope for scope, _ in needs.values})
        entries = len(needs.hashes)
        said = entries + len(needs.keys)
        lanes, seen, known, versions, deliveries, items, owners, values, new_entries, new_said = (
            self.transaction.ask_all(
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
        )
        self._entry_numbers += [number for (number,) in new_entries]
        self._said_numbers += [number for (number,) in new_said]
        self.lanes.learn(keys, lanes, items)
        self._seen.update([hash for (hash,) in seen])
        for dedupe, identity, fingerprint, body in known:
            self.known[dedupe] = (identity, fingerprint, body)
        self.versions.update((row.id, row.version) for row in versions)
        for identity, state, opened, named in deliveries:
            self._deliveries[identity] = (state, opened, named)
        self.owners.update({row.name: row for row in owners})
        self.values.update((scope, key) for scope, key in values)

    # Decide

    def admit(self, rows: Iterable[EntryRow]) -> list[bool]:
        """Store what is new of *rows*; tells of each whether it was."""
        answers = []
        for row in rows:
            is_new = row.hash not in self._seen
            answers.append(is_new)
            if is_new:
                self._seen.add(row.hash)
                self._new_entries.append(row)
                self.lanes.ready(row.lane)
        return answers

    def add(self, row: DispatchRow) -> None:
        """Store a dispatch that is new, and put what is open of it into its lanes."""
        dispatch = row.dispatch
        self.known[row.dedupe] = (dispatch.id, dispatch.fingerprint, dispatch)
        self._names(dispatch)
        self._rows["add_dispatch"].append(dispatch_values(row, placed=True))
        self.place(row)

    def place(self, row: DispatchRow) -> None:
        """Store the deliveries of a dispatch for the first time."""
        self._said.append((row.dispatch.id, row.said or said_of(row.dispatch)))
        for delivery in row.deliveries:
            opened = self.transaction.now if delivery.is_opened else None
            self._rows["add_delivery"].append(_delivery_values(delivery, opened))
            self._is_named(delivery, delivery.named)
            if delivery.is_open:
                self.lanes.enter(delivery)

    def change(self, row: DispatchRow) -> None:
        """Replace a dispatch that is there, and its deliveries' places."""
        dispatch = row.dispatch
        self.versions[dispatch.id] = dispatch.version
        self._names(dispatch)
        self._rows["change_dispatch"].append(
            {"dispatch": dispatch.id, "to": dispatch.version, "wake": row.wake_at, "document": row.body}
        )
        for delivery in row.deliveries:
            self._change_delivery(delivery)
            self.lanes.put(delivery)

    def _change_delivery(self, delivery: DeliveryRow) -> None:
        before = self._deliveries.get(delivery.id)
        _, opened, named = before or ("", None, "")
        if opened is None and delivery.is_opened:
            opened = self.transaction.now
        after = (delivery.state, opened, " ".join(delivery.named))
        if after != before:
            self._deliveries[delivery.id] = after
            self._rows["put_delivery"].append(_delivery_values(delivery, opened))
            if after[2] != named:
                known = set(named.split())
                self._is_named(delivery, [each for each in delivery.named if each not in known])

    def _is_named(self, delivery: DeliveryRow, hashes: Sequence[str]) -> None:
        for each in hashes:
            self._rows["put_provider_id"].append({"hash": each, "dispatch": delivery.dispatch, "delivery": delivery.id})

    def _names(self, dispatch: Dispatch) -> None:
        self._uses += [(ref, f"dispatch/{dispatch.id}") for ref in refs_of(dispatch)]

    def write(self, statement: str, values: dict[str, Any]) -> None:
        """Execute one of the statements for these values, too."""
        self._rows[statement].append(values)

    # Flush

    def flush(self) -> None:
        """Write what was decided, a statement per table."""
        with together(self.transaction.connection):
            self._flush()
        record_uses(self.transaction.connection, self._uses)

    def _flush(self) -> None:
        tell, sql = self.transaction.tell, self.transaction.sql
        if self._new_entries:
            self._flush_entries()
        for name in _ORDER:
            rows = self._rows.get(name)
            if rows:
                tell(getattr(sql, name), *_each_once(rows, _UNIQUE.get(name)))
        self.lanes.flush_items()
        record(self.transaction.connection, self._said, self.transaction.now, self._said_numbers)
        for (channel, feed), body in self.cursors.items():
            tell(sql.put_cursor, {"channel": channel, "feed": feed, "body": body})
        self.lanes.flush()

    def _flush_entries(self) -> None:
        seen, entries = [], []
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
            self.lanes.admit(lane, identity)
            self._said.append((identity, row.said or said_of(row.event)))
            self._uses += [(ref, f"entry/{identity}") for ref in refs_of(row.event)]
        self.transaction.tell(self.transaction.sql.add_seen, *seen)
        self.transaction.tell(self.transaction.sql.add_entry, *entries)

    def _entry_ids(self, count: int) -> Sequence[int]:
        """So many ids that nobody else has, in order."""
        ask, sql = self.transaction.ask, self.transaction.sql
        if sql.is_sqlite:  # the write lock is ours
            ((last,),) = ask(_LAST_ENTRY)
            return range((last or 0) + 1, (last or 0) + 1 + count)
        if len(self._entry_numbers) < count:
            self._entry_numbers = [number for (number,) in ask(sql.new_entries, {"count": count})]
        return sorted(self._entry_numbers[:count])


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


#: What is written, in this order; then come the items of lanes.
_ORDER: Final = (
    "add_dispatch",
    "change_dispatch",
    "place_dispatch",
    "add_delivery",
    "put_delivery",
    "put_provider_id",
    "finish_entry",
    "end_entry",
)
#: Of what may be told twice in one batch, and by which column it is the same: the last word counts.
_UNIQUE: Final = {"put_delivery": "id", "put_provider_id": "hash"}
_LAST_ENTRY: Final = select(func.max(s.entry.c.id))
