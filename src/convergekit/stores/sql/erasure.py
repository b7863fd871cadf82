"""Taking content out of the ledger: erasure of a contact, and retention.

Rules kept here:

- A row that goes is read and worked out beside the writer; the writer only looks whether it still is as it was, and
  writes. A slice is small, so that nobody waits long.
- What is open is closed first, by the same ways as anybody's: a dispatch is saved as cancelled, an entry leaves its
  lane. What somebody has in hand at this moment is left.
- Everything of a row goes in one transaction: document, index, topics, ids of the provider, references to content.
- What is deleted from an index is still in its older segments, and what is overwritten is still in the log: at the end
  the index is merged and the log is emptied (SQLite), or the tables are vacuumed (PostgreSQL).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anyio.to_thread import run_sync
from sqlalchemy import Connection, Select, bindparam, delete, or_, select, text, tuple_, update

from convergekit.abc import Contacts, Erased, Lane
from convergekit.abc.archive import addresses_of
from convergekit.errors import InvalidInputError
from convergekit.model import Address, Dispatch, Receipt
from convergekit.model.wire import event_from_json, from_json, to_json
from convergekit.stores._said import (
    Row,
    described,
    forget_contacts,
    is_moving,
    is_open,
    reports_on,
    tombstone,
    withdrawn,
)

from . import schema as s
from .batch import Batch, Needs
from .database import Database
from .operations import Do, Operation
from .rows import hashed, micros
from .said import WORDS, Old, about, forget, said, said_of, topic
from .uses import forget_uses

if TYPE_CHECKING:
    from .store import SqlStore

__all__ = ["DOCUMENTS", "Erasure", "document"]

_log = logging.getLogger(__name__)
_SLICE: Final = 200
_PAGES: Final = 500  # of the index, merged at a time
_TRIES: Final = 10
_CHECKPOINTS: Final = 10.0  # seconds for which those of others are waited for
_TELLING: Final = 6  # characters that a number or a name needs to say whose it is
_CLOSED: Final = (s.EntryStates.DONE.value, s.EntryStates.DEAD.value)


class _Kept(NamedTuple):
    """A row that still has its content: when and under which number it was said, and what the ledger has.

    One that cannot be read has no `row`: neither its words nor whose they are can be known, and so it stays.
    """

    at: int
    number: int
    ref: int | str
    lane: Lane | None
    state: int
    row: Row | None

    @property
    def is_settled(self) -> bool:
        """Whether nothing will be done about it any more, by the engine or by a person."""
        if self.row is None:
            return False
        return not is_open(self.row) if isinstance(self.row, Dispatch) else self.state == s.EntryStates.DONE

    @property
    def old(self) -> Old:
        """As the archive's tables have it."""
        assert self.row is not None
        return Old(self.number, said_of(self.row))


class Erasure:
    """See the module; the methods are those of `Archive`.

    Args:
        store: Where from.
        database: Where the store is.
        do: Has an operation done in the writer's next transaction.
        now: The store's time.
    """

    def __init__(self, store: SqlStore, database: Database, do: Do, now: Callable[[], datetime]) -> None:
        self._store = store
        self._do = do
        self._database = database
        self._now = now

    async def erase(self, contact: Contacts) -> Erased:
        """See `Archive.erase`."""
        addresses = addresses_of(contact)
        wanted = {address.uri for address in addresses}
        if not wanted:
            return Erased(0, 0, 0)
        tally = _Tally()
        reports = await self._erase([topic("address", uri) for uri in wanted], lambda row: _is_of(row, wanted), tally)
        if reports:  # of what was erased: receipts that name nobody
            await self._erase([topic(*each) for each in reports], lambda row: _reports(row, reports), tally)
        await self._store.write(lambda connection: _forget_small(connection, addresses, reports))
        await forget_contacts(self._store, addresses)
        await self.tidy()
        return Erased(tally.erased, tally.cancelled, tally.busy)

    async def _erase(
        self, topics: Sequence[int], concerns: Callable[[Row], bool], tally: _Tally
    ) -> set[tuple[str, str]]:
        """Take out what *topics* lead to; returns what reports on it are found by."""
        reports: set[tuple[str, str]] = set()
        place = 0
        while rows := await self._store.read(partial(_led_to, topics=topics, place=place)):
            place = rows[-1].number
            mine = [each for each in rows if each.row is None or concerns(each.row)]
            closed = [each for each in [await self._closed(each, tally) for each in mine] if each is not None]
            gone = await self._do(_Burial(closed, _CLOSED))
            tally.erased += gone
            tally.busy += len(mine) - gone
            for each in closed:
                if isinstance(each.row, Dispatch):
                    reports.update(reports_on(each.row))
        return reports

    async def _closed(self, kept: _Kept, tally: _Tally) -> _Kept | None:
        """*kept* with nothing of it under way; None where somebody has it in hand, or it cannot be read."""
        if kept.row is None:
            return None
        if not isinstance(kept.row, Dispatch):
            if kept.state in _CLOSED:
                return kept
            assert kept.lane is not None
            assert isinstance(kept.ref, int)
            if not await self._do(_TakeOut(kept.lane, kept.ref)):
                return None
            tally.cancelled += 1
            return kept
        dispatch: Dispatch | None = kept.row
        for _ in range(_TRIES):
            if dispatch is None:
                return None
            changed = withdrawn(dispatch)
            if changed is None:
                return kept._replace(row=dispatch)
            saved = await self._store.save(changed)
            if saved is not None:
                tally.cancelled += 1
                return kept._replace(row=saved)
            dispatch = await self._store.load(dispatch.id)
        return None

    async def retain(self, older_than: float, channel: str | None) -> int:
        """See `Archive.retain`."""
        before = micros(self._now()) - int(older_than * 1e6)
        place = (-(1 << 62), 0)
        gone = 0
        while rows := await self._store.read(partial(_older, before=before, channel=channel, place=place)):
            place = (rows[-1].at, rows[-1].number)
            gone += await self._do(_Burial([each for each in rows if each.is_settled], _CLOSED[:1]))
        if gone:
            await self.tidy()
        return gone

    async def tidy(self) -> None:
        """See to it that what was deleted is nowhere in the files any more."""
        await self._store.sweep()
        if self._database.is_sqlite:
            pages = -_PAGES
            while await self._store.write(partial(_merge, pages=pages)):
                pages = _PAGES
        await run_sync(_tidy, self._database)


class _Tally:
    def __init__(self) -> None:
        self.erased = self.cancelled = self.busy = 0


def _is_of(row: Row, wanted: Collection[str]) -> bool:
    """Whether one of *wanted* has really to do with *row*: a topic is only a hash."""
    return not set(wanted).isdisjoint(described(row).parties)


def _reports(row: Row, reports: Collection[tuple[str, str]]) -> bool:
    return not set(reports).isdisjoint(described(row).about)


# Reading

#: What was said, with the documents that say it.
DOCUMENTS: Final = (
    select(
        said.c.id,
        said.c.at,
        said.c.entry,
        said.c.dispatch,
        s.entry.c.channel.label("lane"),
        s.entry.c.conversation,
        s.entry.c.state,
        s.entry.c.body.label("incoming"),
        s.dispatch.c.body.label("outgoing"),
    )
    .outerjoin(s.entry, s.entry.c.id == said.c.entry)
    .outerjoin(s.dispatch, s.dispatch.c.id == said.c.dispatch)
)


def document(row: Any) -> Row | None:
    """What a row of `DOCUMENTS` says; None, and a line in the log, where it cannot be read any more."""
    try:
        return from_json(Dispatch, row.outgoing) if row.entry is None else event_from_json(row.incoming)
    except InvalidInputError as error:
        what = f"dispatch {row.dispatch}" if row.entry is None else f"entry {row.entry:016x}"
        _log.error("%s of the ledger cannot be read, and is left as it is: %s", what, error)
        return None


def _kept(rows: Iterable[Any]) -> list[_Kept]:
    return [
        _Kept(row.at, row.id, row.dispatch, None, 0, document(row))
        if row.entry is None
        else _Kept(row.at, row.id, row.entry, Lane("in", row.lane, row.conversation), row.state, document(row))
        for row in rows
    ]


def _led_to(connection: Connection, topics: Sequence[int], place: int) -> list[_Kept]:
    numbers: Select[Any] = (
        select(said.c.id).join(about, about.c.said == said.c.id)
        .where(about.c.topic.in_(topics), said.c.id > place).distinct()
        .order_by(said.c.id).limit(_SLICE)
    )  # fmt: skip
    found = connection.execute(numbers).scalars().all()
    return _kept(connection.execute(DOCUMENTS.where(said.c.id.in_(found)).order_by(said.c.id)))


def _older(connection: Connection, before: int, channel: str | None, place: tuple[int, int]) -> list[_Kept]:
    """Some of what is from before, behind *place*: (at, number)."""
    old = DOCUMENTS.where(said.c.at < before, tuple_(said.c.at, said.c.id) > place)
    if channel is not None:
        old = old.where(said.c.channel == channel)
    return _kept(connection.execute(old.order_by(said.c.at, said.c.id).limit(_SLICE)))


# Writing


class _TakeOut(Operation[bool]):
    """An entry leaves its lane without having been handled; tells whether it could: not while a handler has it."""

    __slots__ = ("_entry", "_lane")
    enters = True

    def __init__(self, lane: Lane, entry: int) -> None:
        super().__init__()
        self._lane = lane
        self._entry = entry

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.lane(self._lane)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        lane, run = batch.lanes.row(self._lane), batch.transaction.connection.execute
        place = run(select(s.item.c.place).where(s.item.c.entry == self._entry)).scalar()
        is_held = lane.until is not None and lane.until > batch.transaction.now
        self.result = place is None or not (is_held and lane.served == place)
        if place is None or not self.result:
            return
        batch.lanes.drop(place)
        batch.write("finish_entry", {"entry": self._entry})
        lane.look_again()


class _Burial(Operation[int]):
    """The content of rows goes, if they still are as they were read; tells how many it were."""

    __slots__ = ("_dispatches", "_entries", "_states")

    def __init__(self, rows: Sequence[_Kept], states: Collection[int]) -> None:
        super().__init__()
        self._entries = {each.ref: each for each in rows if not isinstance(each.row, Dispatch)}
        self._dispatches = {each.row.id: each for each in rows if isinstance(each.row, Dispatch)}
        self._states = states

    def gather(self, needs: Needs) -> None:
        """See `Operation`."""
        needs.dispatches += self._dispatches

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        gone = [*self._bury_entries(batch), *self._bury_dispatches(batch)]
        forget(batch.transaction.connection, [each.old for each in gone])
        forget_uses(batch.transaction.connection, [f"{_source(each)}/{each.ref}" for each in gone])
        self.result = len(gone)

    def _bury_entries(self, batch: Batch) -> list[_Kept]:
        states = select(s.entry.c.id).where(s.entry.c.id.in_(self._entries), s.entry.c.state.in_(self._states))
        found = batch.transaction.connection.execute(states.with_for_update()).scalars().all()
        gone = [self._entries[each] for each in found]
        if gone:
            batch.transaction.connection.execute(_BURY_ENTRY, [{"entry": each.ref} for each in gone])
        return gone

    def _bury_dispatches(self, batch: Batch) -> list[_Kept]:
        gone: list[_Kept] = []
        run = batch.transaction.connection.execute
        for id, kept in self._dispatches.items():
            dispatch = kept.row
            assert isinstance(dispatch, Dispatch)
            if is_moving(dispatch) or batch.versions.get(id) != dispatch.version:
                continue
            left = tombstone(dispatch)
            batch.versions[id] = left.version
            run(_BURY_DISPATCH, {"dispatch": id, "left": to_json(left), "to": left.version, "whom": left.recipient})
            run(_BURY_DELIVERY, [{"delivery": each.id, "to": each.state.value} for each in left.deliveries])
            run(_FORGET_IDS, {"dispatch": id, "hashes": [hashed("id", *each) for each in reports_on(dispatch)]})
            gone.append(kept)
        return gone


def _source(kept: _Kept) -> str:
    return "dispatch" if isinstance(kept.row, Dispatch) else "entry"


_BURY_ENTRY: Final = (
    update(s.entry)
    .where(s.entry.c.id == bindparam("entry"))
    .values(body="", reason=None, conversation="", state=s.EntryStates.DONE.value)
)
_BURY_DISPATCH: Final = (
    update(s.dispatch)
    .where(s.dispatch.c.id == bindparam("dispatch"))
    .values(body=bindparam("left"), version=bindparam("to"), recipient=bindparam("whom"), wake_at=None)
)
_BURY_DELIVERY: Final = (
    update(s.delivery)
    .where(s.delivery.c.id == bindparam("delivery"))
    .values(address="", named="", state=bindparam("to"))
)
_FORGET_IDS: Final = delete(s.provider_id).where(
    s.provider_id.c.dispatch == bindparam("dispatch"), s.provider_id.c.hash.in_(bindparam("hashes", expanding=True))
)


def _forget_small(connection: Connection, addresses: Collection[Address], reports: Collection[tuple[str, str]]) -> None:
    """Receipts that wait for what is gone, or speak of these addresses; and what is counted under an address."""
    run = connection.execute
    waiting = [
        row.id
        for row in run(select(s.parked.c.id, s.parked.c.channel, s.parked.c.body))
        if _speaks_of(row.channel, row.body, addresses, reports)
    ]
    run(delete(s.parked_id).where(s.parked_id.c.parked.in_(waiting)))
    run(delete(s.parked).where(s.parked.c.id.in_(waiting)))
    counted = or_(*(s.value.c.key.endswith(f"|{address.uri}", autoescape=True) for address in addresses))
    run(delete(s.value).where(s.value.c.scope == "automatic", counted))


def _speaks_of(channel: str, body: str, addresses: Collection[Address], reports: Collection[tuple[str, str]]) -> bool:
    receipt = from_json(Receipt, body)
    if receipt.address in addresses or any((channel, each) in reports for each in (*receipt.ids, receipt.delivery)):
        return True
    names = (address.value.removeprefix("+") for address in addresses)
    return any(len(name) >= _TELLING and name in body for name in names)


# Tidying


def _merge(connection: Connection, pages: int) -> bool:
    """Merge some of SQLite's index; tells whether there was anything to do. Negative *pages* begin it anew."""
    run = connection.exec_driver_sql
    before = run("SELECT total_changes()").scalar_one()
    run(f"INSERT INTO {WORDS} ({WORDS}, rank) VALUES ('merge', ?)", (pages,))
    # One change is the row that was just inserted: https://www.sqlite.org/fts5.html#the_merge_command
    return bool(run("SELECT total_changes()").scalar_one() - before >= 2)


#: Where words, addresses and ids of providers were: also those of lanes.
_VACUUMED: Final = (
    s.entry, s.dispatch, s.delivery, s.lane, s.item, s.provider_id, s.parked, s.parked_id, s.value, said, about,
)  # fmt: skip


def _tidy(database: Database) -> None:
    try:
        if database.is_sqlite:
            if not _log_emptied(database):
                _log.warning("%s: somebody reads it all the time; what was erased is in its log until it is closed",
                             database.where)  # fmt: skip
            return
        with database.reading() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in _VACUUMED:
                alone.execute(text(f"VACUUM {table.name}"))
    except Exception as error:
        raise database.failed(error) from error


def _log_emptied(database: Database) -> bool:
    """Empty SQLite's log; tells whether it could be done."""
    deadline = time.monotonic() + _CHECKPOINTS
    with database.reading() as connection:
        # For readers it waits by itself, and for somebody else's checkpoint it does not:
        # https://www.sqlite.org/c3ref/wal_checkpoint_v2.html
        while not database.checkpoint(connection, "TRUNCATE"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
    return True
