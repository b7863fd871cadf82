"""What callers want of one transaction: each knows what it must know before, and then decides by itself.

Only what asks for leases is elsewhere, in `claiming`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from convergekit.abc import Cursor, Fence, Lease, Write
from convergekit.errors import LeaseLostError
from convergekit.model import Dispatch
from convergekit.stores._keys import check_content

from .batch import Batch, Needs
from .hosted import let_write
from .resaid import said_anew
from .rows import DispatchRow, EntryRow, micros
from .schema import EntryStates
from .transaction import Transaction
from .writer import Job

__all__ = ["Admit", "Bury", "Call", "Do", "Finish", "Operation", "Postpone", "Release", "Renew", "Save", "Submit"]

T = TypeVar("T")
_P = ParamSpec("_P")


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


class Do(Protocol):
    """Has an operation done in the writer's next transaction."""

    def __call__(self, operation: Operation[T], /) -> Awaitable[T]:
        """Its result."""
        ...


class Call(Operation[T]):
    """Anything else that has to be in a transaction."""

    __slots__ = ("_work",)

    def __init__(
        self, work: Callable[Concatenate[Transaction, _P], T], /, *args: _P.args, **options: _P.kwargs
    ) -> None:
        super().__init__()
        self._work: Callable[[Transaction], T] = lambda transaction: work(transaction, *args, **options)

    def decide(self, batch: Batch) -> None:
        """See `Operation`."""
        self.result = self._work(batch.transaction)


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
        before = self.result if batch.transaction.unsure and hasattr(self, "result") else [False] * len(self._rows)
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
        row = batch.lanes.held(self._lease)
        super().decide(batch)
        if self._writes:
            let_write(batch.transaction.connection, self._writes)
        batch.write("finish_entry", {"entry": _entry_id(self._lease)})
        batch.lanes.finish(row)


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
        row, now = batch.lanes.held(self._lease), batch.transaction.now
        entry = self._lease.entry
        assert entry is not None
        # The time for which it may hold up its lane is given once.
        hold = now + int(self._hold * 1e6) if entry.hold_until is None else micros(entry.hold_until)
        batch.write("end_entry", _ended(self._lease, EntryStates.READY, self._reason, now))
        batch.lanes.postpone(row, self._due, hold)
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
        row = batch.lanes.held(self._lease)
        batch.write("end_entry", _ended(self._lease, EntryStates.DEAD, self._reason, batch.transaction.now))
        batch.lanes.finish(row)
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
            row = batch.lanes.held(self._lease)
        except LeaseLostError:
            return
        batch.lanes.release(row)


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
        self.until = batch.transaction.now + int(self._seconds * 1e6)
        self.result = [self._renewed(batch, lease) for lease in self._leases]

    def _renewed(self, batch: Batch, lease: Lease) -> bool:
        try:
            row = batch.lanes.held(lease)
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
        if batch.transaction.unsure and self._is_stored(batch.transaction):
            self.result = dispatch
            return
        row = None if self._lease is None else batch.lanes.held(self._lease)
        if batch.versions.get(dispatch.id) != self._before:
            self.result = None
            return
        said_anew(batch.transaction.connection, dispatch, batch.transaction.now)
        batch.change(self._row)
        batch.admit(self._events)
        if row is not None and self._release:
            batch.lanes.release(row)
        self.result = dispatch

    def _is_stored(self, transaction: Transaction) -> bool:
        """Whether it is there, word for word: then it was we who stored it, and nobody has changed it since."""
        found = transaction.ask(transaction.sql.bodies, {"ids": [self._row.dispatch.id]})
        return bool(found) and found[0].body == self._row.body


def _entry_id(lease: Lease) -> int:
    assert lease.entry is not None
    return int(lease.entry.id, 16)


def _ended(lease: Lease, state: EntryStates, reason: str, now: int) -> dict[str, Any]:
    entry = lease.entry
    assert entry is not None
    failed, crashed = entry.attempts + (not lease.recovered), entry.crashes + lease.recovered
    return {
        "entry": _entry_id(lease),
        "to": state.value,
        "failed": failed,
        "crashed": crashed,
        "why": reason,
        "at": now,
    }
