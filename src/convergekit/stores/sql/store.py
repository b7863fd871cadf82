"""The ledger in a database: `Store` over SQLAlchemy Core, in SQLite or PostgreSQL.

What is written goes through one writer, in batches (`writer`, `committer`, `steps`); what is only read has connections
of its own (`connections`, `reading`). Here is what a hub sees of that, and the life of it all; there is no SQL.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from convergekit.abc import (
    Admission,
    Archive,
    Claim,
    Clock,
    Cursor,
    Deliveries,
    Direction,
    Entry,
    Fence,
    Lease,
    LedgerCounts,
    Write,
)
from convergekit.errors import InvalidInputError, NotRunningError, StoreError
from convergekit.model import ClaimCheck, Delivery, Dispatch, Event, Receipt
from convergekit.model.wire import from_json
from convergekit.stores._refs import DAY

from . import posting, reading, small
from .archive import SqlArchive
from .blobs import Blobs, FolderBlobs, RowBlobs
from .claiming import Claiming, Found
from .clock import LedgerClock
from .committer import Committer
from .connections import Connections
from .database import Database
from .operations import Admit, Bury, Call, Finish, Operation, Postpone, Release, Renew, Save, Submit
from .owners import Owners
from .rows import dispatch_row, entry_row, micros, moment
from .said import prepared
from .signals import Signals
from .statements import statements
from .upkeep import keep_checkpoints, keep_lanes
from .versions import ensure
from .writer import Writer

__all__ = ["SqlStore"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class SqlStore:
    """A `Store` in SQLite (one file, any number of processes on one machine) or PostgreSQL (any number of machines).

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`.
        blobs: Folder for large content; by default beside a SQLite file, and in the tables of PostgreSQL.
        create: Whether an empty PostgreSQL database is made a ledger when it is opened; `convergekit db upgrade` does
            it otherwise. An empty SQLite file always is.
        database_clock: Whether time is the database's own; by default it is on PostgreSQL, so that workers whose clocks
            differ agree on leases. False takes the clock that the store is opened with.

    Raises:
        ConfigurationError: The URL cannot be used, or the driver is not installed.
    """

    batch = 64
    is_shared = True

    def __init__(
        self,
        url: str | URL,
        *,
        blobs: str | Path | None = None,
        create: bool = False,
        database_clock: bool | None = None,
    ) -> None:
        self._database = Database(url)
        self._create = create
        self._clock = LedgerClock(is_its_own=not self._database.is_sqlite if database_clock is None else database_clock)
        self._signals = Signals(self._database, uuid4().hex, self._data_version)
        known = statements(self._database.is_sqlite)
        self._committer = Committer(self._database, known, self._clock, self._signals.placed)
        self._writer: Writer | None = None
        self._beside = Connections(self._database, self._clock)
        self._owners = Owners(self._database, known, self._clock, self._do)
        self._blobs = self._kept_where(blobs)
        self._turns: Counter[str] = Counter()
        self.archive: Archive = SqlArchive(
            self, self._database, read=self._beside.read, do=self._do, now=self._clock.now
        )

    def __repr__(self) -> str:
        return f"SqlStore({self._database.shown!r})"

    def _kept_where(self, folder: str | Path | None) -> Blobs:
        if folder is None and not self._database.is_sqlite:
            return RowBlobs(self._beside.read, self._beside.write, clock=self._clock.seconds)
        return FolderBlobs(folder or f"{self._database.path}.blobs", self._beside.read, clock=self._clock.seconds)

    # Life

    @asynccontextmanager
    async def opened(self, clock: Clock) -> AsyncGenerator[None]:
        """See `Store.opened`."""
        self._clock.start(clock)
        self._beside.start()
        self._owners.start()
        trouble: BaseException | None = None
        try:
            await run_sync(self._open)
            writer = self._writer = Writer(self._committer.write, name="convergekit-writer")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(writer.run)
                async with anyio.create_task_group() as beside:
                    beside.start_soon(self._signals.run)
                    beside.start_soon(keep_checkpoints, self._database, self._beside)
                    beside.start_soon(keep_lanes, self._do)
                    try:
                        yield
                    except anyio.get_cancelled_exc_class():
                        raise
                    except BaseException as error:
                        trouble = error  # raised below: the caller's own error is not to come out as a group
                    finally:
                        beside.cancel_scope.cancel()
                        writer.close()
            if trouble is not None:
                raise trouble
        finally:
            self._writer = None
            self._clock.stop()
            with anyio.CancelScope(shield=True):
                await run_sync(self._close)

    def _open(self) -> None:
        try:
            ensure(self._database, create=self._create)
            if self._clock.is_its_own:
                with self._database.reading() as connection:
                    asked = self._clock.asked()
                    self._clock.follow(self._database.now(connection), asked)
        except StoreError:
            self._database.dispose()
            raise
        except Exception as error:
            self._database.dispose()
            raise self._database.failed(error) from error

    def _close(self) -> None:
        self._committer.close()
        self._signals.close()
        self._database.dispose()

    def _do(self, operation: Operation[T]) -> Coroutine[Any, Any, T]:
        if self._writer is None:
            raise NotRunningError("the store is closed: use it inside `async with hub`")
        return self._writer.do(operation)

    async def write(self, function: Callable[[Connection], T], /) -> T:
        """Run *function* in a transaction of the writer, together with whatever else is waiting; it may run again."""
        return await self._do(Call(lambda transaction: function(transaction.connection)))

    async def read(self, function: Callable[[Connection], T], /) -> T:
        """Run *function* on a worker thread, with a connection of its own."""
        return await self._beside.read(function)

    async def changed(self) -> None:
        """See `Store.changed`."""
        await self._signals.changed()

    async def _data_version(self) -> int:
        return await self.write(lambda connection: int(connection.exec_driver_sql("PRAGMA data_version").scalar_one()))

    # The way in

    async def admit(
        self, channel: str, events: Sequence[Event], cursor: Cursor | None = None, *, fence: Fence | None = None
    ) -> tuple[Admission, ...]:
        """See `Store.admit`."""
        said = await prepared(events)
        rows = [entry_row(channel, *each) for each in zip(events, said, strict=True)]
        answers = await self._do(Admit(channel, rows, cursor, fence))
        return tuple(Admission.NEW if is_new else Admission.DUPLICATE for is_new in answers)

    async def finish(
        self, lease: Lease, *, dispatches: Sequence[Dispatch] = (), writes: Sequence[Write] = ()
    ) -> tuple[Dispatch, ...]:
        """See `Store.finish`."""
        if lease.entry is None:
            raise StoreError("a lease of an outbound lane has no entry")
        rows = [dispatch_row(*each) for each in zip(dispatches, await prepared(dispatches), strict=True)]
        finishing = Finish(lease, rows, writes)
        found = await self._do(finishing)
        return _stored(found)

    async def postpone(self, lease: Lease, *, due: datetime, hold: float, reason: str) -> None:
        """See `Store.postpone`."""
        await self._do(Postpone(lease, micros(due), hold, reason))

    async def bury(self, lease: Lease, *, reason: str, events: Sequence[Event] = ()) -> None:
        """See `Store.bury`."""
        await self._do(Bury(lease, reason, [entry_row(event.channel, event) for event in events]))

    # Lanes

    async def claim(
        self, direction: Direction, *, limit: int, seconds: float, slots: Mapping[str, int] | None = None
    ) -> Claim:
        """See `Store.claim`."""
        while True:
            self._turns[direction] += 1
            claiming = Claiming(direction, limit, seconds, slots, self._turns[direction])
            found, more, next_due, until = await self._do(claiming)
            leases = []
            for each in found:
                try:
                    leases.append(each.lease(moment(until)))
                except InvalidInputError as error:
                    await self._put_aside(each, moment(until), error)
            if leases or not found:
                return Claim(leases, more, None if next_due is None else moment(next_due))

    async def _put_aside(self, found: Found, until: datetime, error: InvalidInputError) -> None:
        """What is stored cannot be read any more: it must not hold up its lane, nor end as if it were done."""
        row, _, item, about = found
        _log.error("%s of the ledger cannot be read: %s; it is in the dead letters", about.id, error)
        lease = Lease(row.lane, row.token, until)
        if item.entry is None:
            await self._do(Call(small.give_up, item))
            await self.release(lease)
        else:
            lease.entry = reading.entry_of(about, item, unreadable=True)
            await self.bury(lease, reason=f"it cannot be read: {error}")

    async def renew(self, leases: Sequence[Lease], seconds: float) -> None:
        """See `Store.renew`."""
        if not leases:
            return
        renewing = Renew(leases, seconds)
        renewed = await self._do(renewing)
        for lease, holds in zip(leases, renewed, strict=True):
            if holds:
                lease.until = moment(renewing.until)

    async def release(self, lease: Lease) -> None:
        """See `Store.release`."""
        await self._do(Release(lease))

    # The way out

    async def submit(
        self, dispatches: Sequence[Dispatch], *, unless: Sequence[tuple[str, str]] = ()
    ) -> tuple[Dispatch, ...]:
        """See `Store.submit`."""
        rows = [dispatch_row(*each) for each in zip(dispatches, await prepared(dispatches), strict=True)]
        submitting = Submit(rows, unless)
        found = await self._do(submitting)
        return _stored(found)

    async def post(self, connection: Any, dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
        """See `Store.post`."""
        self._clock.now()
        rows = [dispatch_row(each) for each in dispatches]

        def posted(host: Connection) -> tuple[Dispatch, ...]:
            found = posting.post(host, self._database, rows)
            posting.on_commit(host, self._signals.posted)
            return tuple(found)

        stored: tuple[Dispatch, ...] = await posting.in_transaction(connection, posted)
        return stored

    async def load(self, dispatch: str) -> Dispatch | None:
        """See `Store.load`."""
        return await self.read(lambda connection: reading.load(connection, dispatch))

    async def save(
        self, dispatch: Dispatch, *, lease: Lease | None = None, release: bool = False, events: Sequence[Event] = ()
    ) -> Dispatch | None:
        """See `Store.save`."""
        after = dispatch.model_copy(update={"version": dispatch.version + 1})
        rows = [entry_row(event.channel, event) for event in events]
        return await self._do(Save(dispatch.version, dispatch_row(after), lease, release, rows))

    async def awake(self, limit: int = 100) -> tuple[Sequence[str], datetime | None]:
        """See `Store.awake`."""
        now = micros(self._clock.now())
        due, after = await self.read(lambda connection: reading.awake(connection, limit, now))
        return due, None if after is None else moment(after)

    async def find(
        self, channel: str, *, ids: Sequence[str] = (), delivery: str | None = None, address: str | None = None
    ) -> tuple[str, str] | None:
        """See `Store.find`."""
        return await self.read(lambda connection: reading.find(connection, channel, ids, delivery, address))

    async def park(self, channel: str, receipt: Receipt) -> None:
        """See `Store.park`."""
        await self._do(Call(small.park, channel, receipt))

    async def unpark(self, channel: str, ids: Sequence[str]) -> Sequence[Receipt]:
        """See `Store.unpark`."""
        if not await self.read(lambda connection: reading.is_parked(connection, channel, ids)):
            return []  # nearly always; and a look costs no commit
        taken: dict[int, Receipt] = {}  # by any try: one whose answer was lost may have taken them
        await self._do(Call(lambda transaction: taken.update(small.unpark(transaction, channel, ids))))
        return list(taken.values())

    # Several processes

    async def own(self, name: str, holder: str, seconds: float) -> Fence | None:
        """See `Store.own`."""
        return await self._owners.own(name, holder, seconds)

    async def disown(self, fence: Fence) -> None:
        """See `Store.disown`."""
        await self._owners.disown(fence)

    async def versions(self, dispatches: Sequence[str]) -> Mapping[str, int]:
        """See `Store.versions`."""
        return await self.read(lambda connection: reading.versions(connection, dispatches))

    # Small durable values, cursors, blobs

    async def get(self, scope: str, key: str) -> tuple[Any, int]:
        """See `Store.get`."""
        body, version = await self.read(lambda connection: reading.value(connection, scope, key))
        return None if body is None else json.loads(body), version

    async def put(self, scope: str, key: str, value: Any, *, version: int | None = None) -> bool:
        """See `Store.put`."""
        try:
            body = json.dumps(value)  # here, and not while everybody waits for the writer
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInputError(f"a value that is kept has to be JSON: {type(error).__name__}") from error
        return await self._do(Call(small.put, scope, key, body, version))

    async def cursor(self, channel: str, feed: str) -> Any:
        """See `Store.cursor`."""
        body = await self.read(lambda connection: reading.cursor(connection, channel, feed))
        return None if body is None else json.loads(body)

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """See `Store.keep`."""
        return await self._blobs.keep(chunks)

    def open(self, claim: ClaimCheck) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `Store.open`."""
        return self._blobs.open(claim)

    async def sweep(self, *, older_than: float = DAY) -> int:
        """See `Store.sweep`."""
        return await self._blobs.sweep(older_than=older_than)

    # Looking

    async def dispatches(self, *, limit: int = 100, recipient: str | None = None) -> Sequence[Dispatch]:
        """See `Store.dispatches`."""
        return await self.read(lambda connection: reading.dispatches(connection, limit, recipient))

    async def deliveries(
        self,
        channel: str,
        *,
        failed: bool = False,
        address: str | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Deliveries:
        """See `Store.deliveries`."""
        page = partial(reading.deliveries, failed=failed, address=address, after=after, before=before, limit=limit)
        return await self.read(lambda connection: page(connection, channel))

    async def dead_entries(
        self, *, limit: int = 100, start: str | None = None, channel: str | None = None
    ) -> Sequence[Entry]:
        """See `Store.dead_entries`."""
        return await self.read(lambda connection: reading.dead_entries(connection, limit, start, channel))

    async def revive(self, entry: str) -> bool:
        """See `Store.revive`."""
        return await self._do(Call(small.revive, entry))

    async def discard(self, entry: str) -> bool:
        """See `Store.discard`."""
        return await self._do(Call(small.discard, entry))

    async def dead_deliveries(
        self, *, limit: int = 100, start: str | None = None, channel: str | None = None, unknown: bool = False
    ) -> Sequence[Delivery]:
        """See `Store.dead_deliveries`."""
        return await self.read(lambda connection: reading.dead_deliveries(connection, limit, start, channel, unknown))

    async def counts(self) -> LedgerCounts:
        """See `Store.counts`."""
        return await self.read(reading.counts)


def _stored(found: Sequence[str | Dispatch]) -> tuple[Dispatch, ...]:
    return tuple(from_json(Dispatch, each) if isinstance(each, str) else each for each in found)
