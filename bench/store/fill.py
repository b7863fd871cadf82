"""Ledgers with millions of rows, made in seconds: one row of each kind by the store, the others by the database.

What the store wrote for one message is copied with other numbers in it, so that each row is one that it could have
written. What claiming never looks at is left out: the keys of events that were seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    cast,
    create_engine,
    delete,
    func,
    insert,
    literal,
    select,
    text,
)

from convergekit import MessageReceived
from convergekit.abc import Direction, Lane
from convergekit.engine.clock import SystemClock
from convergekit.stores.sql import schema as s
from convergekit.stores.sql.rows import lane_key

from .ours import CHANNEL, store_at, submitting

__all__ = ["Backlog", "admit_one", "fill"]

PAUSED = "paused"
_WAITED = 1_000_000_000  # microseconds that what stands in front has waited longer
_PERSON, _KEY = "person-0", "key-0"
_LANES = Table(
    "bench_lane",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("key", String(22)),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a ledger holds.

    Args:
        direction: Of all of it.
        finished: Messages that are done.
        long: Messages that wait in one lane, which stands in front of the others.
        paused: Lanes of a channel that nobody serves, with one message each, in front of the others.
        pending: Messages that wait, in turn over ...
        lanes: ... so many lanes.
    """

    direction: Direction = "in"
    finished: int = 0
    long: int = 0
    paused: int = 0
    pending: int = 0
    lanes: int = 1_000


async def fill(url: str, backlog: Backlog) -> None:
    """Make the empty database at *url* a ledger that holds *backlog*."""
    await (admit_one if backlog.direction == "in" else _submit_one)(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        copies = _Copies(connection, backlog.direction)
        copies.messages(backlog.finished, lanes=backlog.lanes, waits=False)
        copies.messages(backlog.long, lanes=1, in_front=True)
        copies.messages(backlog.paused, lanes=backlog.paused, in_front=True, channel=PAUSED)
        copies.messages(backlog.pending, lanes=backlog.lanes)
        copies.clear()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("ANALYZE",) if engine.dialect.name == "sqlite" else ("VACUUM ANALYZE", "CHECKPOINT"):
            connection.execute(text(statement))
    engine.dispose()


async def admit_one(url: str) -> None:
    """The first event of the ledger at *url*."""
    store = store_at(url)
    async with store.opened(SystemClock()):
        at = datetime(2026, 1, 1, tzinfo=UTC)
        sender = {"uri": "bench:person-0"}
        conversation = {"channel": CHANNEL, "address": sender}
        fields = {"key": "key-0", "channel": CHANNEL, "sender": sender, "conversation": conversation, "at": at}
        await store.admit(CHANNEL, [MessageReceived.model_validate({**fields, "text": "The parcel is on its way."})])


async def _submit_one(url: str) -> None:
    async with submitting(store_at(url)) as submit:
        await submit(0)


class _Copies:
    """Copies of the one message that the store has written. The rows of a lane are made first, then who waits in it."""

    def __init__(self, connection: Connection, direction: Direction) -> None:
        self._connection = connection
        self._direction: Direction = direction
        self._tables = (s.entry,) if direction == "in" else (s.dispatch, s.delivery)
        self._known = {table.name: self._row(table) for table in (s.lane, s.item, *self._tables)}
        self._messages, self._lanes = 2, 1  # the next ones; each lane is a person's, and what is copied is person-0's
        _LANES.create(connection)

    def _row(self, table: Table) -> dict[str, Any]:
        return dict(self._connection.execute(select(table)).mappings().one())

    def messages(
        self, count: int, *, lanes: int, waits: bool = True, in_front: bool = False, channel: str = CHANNEL
    ) -> None:
        """*count* of them, in turn over so many new lanes."""
        if not count:
            return
        first, first_lane = self._messages, self._lanes
        self._messages, self._lanes = first + count, first_lane + lanes
        start = select(literal(first).label("i")).cte("numbers", recursive=True)
        numbers = start.union_all(select(start.c.i + 1).where(start.c.i < first + count - 1))
        lane = literal(first_lane) + (numbers.c.i - first) % lanes
        new = self._new(numbers.c.i, lane, channel, waits)
        for table in self._tables:
            self._copy(table, new[table.name], select().select_from(numbers))
        if waits:
            self._add_lanes(first_lane, lanes, _WAITED if in_front else 0, channel)
            named = select().select_from(numbers.join(_LANES, _LANES.c.number == lane)).order_by(numbers.c.i)
            self._copy(s.item, new[s.item.name], named)

    def _new(
        self, number: ColumnElement[int], lane: ColumnElement[int], channel: str, waits: bool
    ) -> dict[str, dict[str, ColumnElement[Any]]]:
        """What of each row is other than in the one that it is copied from."""
        digits, person = cast(number, Text), literal("person-") + cast(lane, Text)
        if self._direction == "in":
            entry = self._known[s.entry.name]
            state = s.EntryStates.READY if waits else s.EntryStates.DONE
            body = _replaced(entry["body"], {_PERSON: person, _KEY: literal("key-") + digits})
            conversation = _replaced(entry["conversation"], {_PERSON: person})
            return {
                s.entry.name: {"id": number, "conversation": conversation, "state": literal(state.value), "body": body},
                s.item.name: {"lane": _LANES.c.key, "entry": number},
            }
        dispatch, delivery = self._known[s.dispatch.name], self._known[s.delivery.name]
        ids = {"dispatch": literal("dispatch-") + digits, "delivery": literal("delivery-") + digits}
        body = _replaced(
            dispatch["body"], {_PERSON: person, delivery["id"]: ids["delivery"], dispatch["id"]: ids["dispatch"]}
        )
        recipient = _replaced(dispatch["recipient"], {_PERSON: person})
        ended = {} if waits else {"state": literal("closed")}
        return {
            s.dispatch.name: {"id": ids["dispatch"], "dedupe": ids["dispatch"], "recipient": recipient, "body": body},
            s.delivery.name: {
                "id": ids["delivery"],
                "dispatch": ids["dispatch"],
                "channel": literal(channel),
                **ended,
            },
            s.item.name: {"lane": _LANES.c.key, **ids},
        }

    def _add_lanes(self, first: int, count: int, waited: int, channel: str) -> None:
        known = self._known[s.lane.name]
        rows, keys = [], []
        for number in range(first, first + count):
            conversation = known["conversation"].replace(_PERSON, f"person-{number}")
            key = lane_key(Lane(self._direction, channel, conversation))
            ready = known["ready"] - waited + number - first
            rows.append({**known, "key": key, "channel": channel, "conversation": conversation, "ready": ready})
            keys.append({"number": number, "key": key})
        self._connection.execute(insert(s.lane), rows)
        self._connection.execute(insert(_LANES), keys)

    def _copy(self, table: Table, new: Mapping[str, ColumnElement[Any]], source: Select[Any]) -> None:
        known = {name: value for name, value in self._known[table.name].items() if name != "place"}
        columns = [new.get(name, literal(value, table.c[name].type)) for name, value in known.items()]
        self._connection.execute(insert(table).from_select(list(known), source.with_only_columns(*columns)))

    def clear(self) -> None:
        """Take out what was copied from."""
        for table in (s.item, s.lane, *self._tables):
            (key,) = table.primary_key
            self._connection.execute(delete(table).where(key == self._known[table.name][key.name]))
        _LANES.drop(self._connection)


def _replaced(text: str, words: Mapping[str, ColumnElement[str]]) -> ColumnElement[str]:
    replaced: ColumnElement[str] = literal(text)
    for old, new in words.items():
        replaced = func.replace(replaced, old, new)
    return replaced
