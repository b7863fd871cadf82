"""What is only looked at: one function a question, each with a connection of its own and outside the writer's way."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, literal_column, select

from convergekit.abc import Deliveries, Entry, EntryState, Lane, LedgerCounts
from convergekit.errors import InvalidInputError
from convergekit.model import Delivery, Dispatch, Event, UnknownEvent
from convergekit.model.wire import event_from_json, from_json

from . import schema as s
from .dialects import among
from .rows import address_key, hashed, moment
from .schema import EntryStates

__all__ = [
    "awake",
    "counts",
    "cursor",
    "dead_deliveries",
    "dead_entries",
    "deliveries",
    "dispatches",
    "entry_of",
    "find",
    "is_parked",
    "load",
    "number_of",
    "value",
    "versions",
]

_log = logging.getLogger(__name__)
_WINDOW: Final = 2000  # rows that a page of deliveries looks at
_STATES = {EntryStates.READY: EntryState.READY, EntryStates.DONE: EntryState.DONE, EntryStates.DEAD: EntryState.DEAD}


def entry_of(row: Any, item: Any = None, *, unreadable: bool = False) -> Entry:
    """An entry as it was admitted, and where it stands; erased, or *unreadable*, one of which only that is known.

    Raises:
        InvalidInputError: What is stored cannot be read.
    """
    event: Event = UnknownEvent(channel=row.channel, key=f"entry:{row.id}", original={"type": "unknown"})
    if row.body and not unreadable:
        event = event_from_json(row.body)
    lane = Lane("in", row.channel, row.conversation)
    known = Entry(
        f"{row.id:016x}", event, lane, moment((row.since or 0) if item is None else item.due), _STATES[row.state]
    )
    known.attempts, known.crashes, known.reason = row.attempts, row.crashes, row.reason
    if item is not None:
        known.hold_until = None if item.hold is None else moment(item.hold)
        known.passed = bool(item.passed)
    return known


def load(connection: Connection, dispatch: str) -> Dispatch | None:
    """One aggregate."""
    body = connection.execute(select(s.dispatch.c.body).where(s.dispatch.c.id == dispatch)).scalar()
    return None if body is None else from_json(Dispatch, body)


def versions(connection: Connection, dispatches: Sequence[str]) -> Mapping[str, int]:
    """The version of each that is there."""
    c = s.dispatch.c
    there = select(c.id, c.version).where(_among(connection, c.id))
    return {row.id: row.version for row in connection.execute(there, {"many": dispatches})}


def awake(connection: Connection, limit: int, now: int) -> tuple[Sequence[str], int | None]:
    """Whose time has come, and when the next one's comes."""
    c = s.dispatch.c
    waking = select(c.id, c.wake_at).where(c.wake_at.is_not(None)).order_by(c.wake_at, c.id).limit(limit + 1)
    rows = connection.execute(waking).all()
    due = [row.id for row in rows[:limit] if row.wake_at <= now]
    return due, rows[len(due)].wake_at if len(rows) > len(due) else None


def find(
    connection: Connection, channel: str, ids: Sequence[str], delivery: str | None, address: str | None
) -> tuple[str, str] | None:
    """See `Store.find`."""
    c = s.delivery.c
    if delivery is not None:
        home = connection.execute(select(c.dispatch, c.channel).where(c.id == delivery)).first()
        if home is not None and home.channel == channel:
            return home.dispatch, delivery
    if ids:
        hashes = [hashed("id", channel, each) for each in ids]
        p = s.provider_id.c
        rows = connection.execute(select(s.provider_id).where(_among(connection, p.hash)), {"many": hashes})
        found = {row.hash: (row.dispatch, row.delivery) for row in rows}
        return next((found[each] for each in hashes if each in found), None)
    if address is None or delivery is not None:
        return None  # a report that names a message is never guessed to be about another one
    newest = (
        select(c.dispatch, c.id)
        .where(c.address == address_key(channel, address), c.opened.is_not(None))
        .order_by(c.opened.desc(), c.id.desc())
        .limit(1)
    )
    row = connection.execute(newest).first()
    return None if row is None else (row.dispatch, row.id)


def is_parked(connection: Connection, channel: str, ids: Sequence[str]) -> bool:
    """Whether a receipt waits that names one of *ids*."""
    c = s.parked_id.c
    hashes = [hashed("id", channel, each) for each in ids]
    waiting = select(c.hash).where(_among(connection, c.hash)).limit(1)
    return connection.execute(waiting, {"many": hashes}).first() is not None


def _among(connection: Connection, column: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether *column* is one of the parameter `many`: of as many as there are, where a driver takes 65,535."""
    return among(column, "many", sqlite=connection.dialect.name == "sqlite")


def value(connection: Connection, scope: str, key: str) -> tuple[str | None, int]:
    """The document and its version."""
    c = s.value.c
    row = connection.execute(select(c.body, c.version).where(c.scope == scope, c.key == key)).first()
    return (None, 0) if row is None else (row.body, row.version)


def cursor(connection: Connection, channel: str, feed: str) -> str | None:
    """The document."""
    c = s.cursor.c
    body: str | None = connection.execute(select(c.body).where(c.channel == channel, c.feed == feed)).scalar()
    return body


def dispatches(connection: Connection, limit: int, recipient: str | None) -> Sequence[Dispatch]:
    """The newest first."""
    c = s.dispatch.c
    newest = select(c.body).order_by(c.id.desc()).limit(limit)
    if recipient is not None:
        newest = newest.where(c.recipient == recipient)
    return [from_json(Dispatch, body) for body in connection.execute(newest).scalars()]


def dead_entries(connection: Connection, limit: int, start: str | None, channel: str | None) -> Sequence[Entry]:
    """See `Store.dead_entries`."""
    c = s.entry.c
    # No parameter: it is by this that the index is found.
    dead: ColumnElement[int] = literal_column(str(EntryStates.DEAD.value))
    oldest = select(s.entry).where(c.state == dead).order_by(c.id).limit(limit)
    if start is not None:
        oldest = oldest.where(c.id >= number_of(start))
    if channel is not None:
        oldest = oldest.where(c.channel == channel)
    return [_known_entry(row) for row in connection.execute(oldest)]


def _known_entry(row: Any) -> Entry:
    try:
        return entry_of(row)
    except InvalidInputError:
        return entry_of(row, unreadable=True)


def number_of(entry: str) -> int:
    """The number behind an entry's id; of what is none, one that no entry has."""
    try:
        number = int(entry, 16)
    except ValueError:
        return -1
    return number if 0 <= number < 2**63 else -1  # the id of a delivery is longer


def dead_deliveries(
    connection: Connection, limit: int, start: str | None, channel: str | None, unknown: bool
) -> Sequence[Delivery]:
    """See `Store.dead_deliveries`."""
    c = s.delivery.c
    # No parameter: it is by this that an index is found.
    state: ColumnElement[str] = literal_column("'unknown'" if unknown else "'dead'")
    oldest = select(c.id, c.dispatch).where(c.state == state).order_by(c.id).limit(limit)
    if start is not None:
        oldest = oldest.where(c.id >= start)
    if channel is not None:
        oldest = oldest.where(c.channel == channel)
    return [dispatch.by_id(id) for dispatch, id in _with_dispatches(connection, connection.execute(oldest).all())]


def deliveries(
    connection: Connection,
    channel: str,
    failed: bool,
    address: str | None,
    after: str | None,
    before: str | None,
    limit: int,
) -> Deliveries:
    """See `Store.deliveries`."""
    c = s.delivery.c
    mine = c.channel == channel if address is None else c.address == address_key(channel, address)
    page = select(c.id, c.dispatch).where(c.id > (after or "")).order_by(c.id)
    if before is not None:
        page = page.where(c.id < before)
    edge = None
    if failed:
        rows = connection.execute(page.where(mine, s.FAILED).limit(limit)).all()
    else:  # an index for all that goes out would cost each send more than a look at the neighbours costs here
        window = connection.execute(page.add_columns(mine.label("is_mine")).limit(_WINDOW)).all()
        edge = window[-1].id if len(window) == _WINDOW else None
        rows = [row for row in window if row.is_mine][:limit]
    return Deliveries(_with_dispatches(connection, rows), rows[-1].id if len(rows) == limit else edge)


def _with_dispatches(connection: Connection, rows: Sequence[Any]) -> list[tuple[Dispatch, str]]:
    """The dispatch of each row, and the delivery's id; what cannot be read is left out."""
    d = s.dispatch.c
    bodies = connection.execute(select(d.id, d.body).where(d.id.in_({row.dispatch for row in rows})))
    known = {row.id: _known_dispatch(row) for row in bodies}
    return [(dispatch, row.id) for row in rows if (dispatch := known.get(row.dispatch)) is not None]


def _known_dispatch(row: Any) -> Dispatch | None:
    try:
        return from_json(Dispatch, row.body)
    except InvalidInputError as error:
        _log.error("dispatch %s of the ledger cannot be read: %s", row.id, error)
        return None


def counts(connection: Connection) -> LedgerCounts:
    """The ledger's sums."""
    e, d = s.entry.c, s.delivery.c
    entries: Counter[tuple[str, EntryState]] = Counter()
    for channel, state, number in connection.execute(
        select(e.channel, e.state, func.count()).group_by(e.channel, e.state)
    ):
        entries[channel, _STATES[EntryStates(state)]] = number
    deliveries: Counter[tuple[str, str]] = Counter()
    ended: dict[str, str] = {stored: state for state, stored in s.ENDED_BADLY.items()}
    by_state = select(d.channel, d.state, func.count()).group_by(d.channel, d.state)
    for channel, state, number in connection.execute(by_state):
        deliveries[channel, str(ended.get(state, state))] += number
    return LedgerCounts(entries=entries, deliveries=deliveries)
