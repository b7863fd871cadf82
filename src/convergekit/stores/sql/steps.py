"""A transaction with everything that was waiting for it, in four steps.

So what a hundred callers want costs about as many statements as what one wants: *gather* what must be known, *fetch*
it (and lock the lanes, in one order), *decide* each operation in plain Python, *flush* what was decided, a statement
per table. Operations that meet here have not been answered yet, so any order among them is a right one; they see each
other through what was fetched, which is kept up to date while deciding.

An operation decides all or nothing: it looks before it changes anything, and a refusal is its own `error`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from convergekit.errors import InvalidInputError, KeyConflictError, LeaseLostError
from convergekit.model import Dispatch
from convergekit.model.wire import from_json

from .batch import Batch, Needs
from .operations import Operation
from .rows import DispatchRow, dispatch_row
from .small import give_up
from .transaction import Transaction

__all__ = ["run"]

_log = logging.getLogger(__name__)


def run(transaction: Transaction, operations: Sequence[Operation[Any]]) -> None:
    """All four steps for *operations*; those that are refused have their `error`. Claims come after all that."""
    entering, unplaced = _begun(transaction, enters=any(operation.enters for operation in operations))
    needs = Needs()
    for row in (*entering, *unplaced):
        needs.change(row)
    for operation in operations:
        operation.gather(needs)
    batch = Batch(transaction)
    batch.fetch(needs)
    for row in entering:
        batch.lanes.enter_due(row)
    for row in unplaced:
        batch.place(row)
        batch.write("place_dispatch", {"dispatch": row.dispatch.id})
    for operation in operations:
        try:
            operation.decide(batch)
        except (LeaseLostError, KeyConflictError) as error:
            operation.error = error
    batch.flush()
    for operation in operations:
        operation.claim(batch)


def _begun(transaction: Transaction, *, enters: bool) -> tuple[Sequence[DispatchRow], Sequence[DispatchRow]]:
    """What was scheduled and is due, and what a host's own transaction has left: before anything that comes now."""
    sql = transaction.sql
    if not enters:
        transaction.begin()
        return (), ()
    scheduled, unplaced = transaction.begin((sql.scheduled, {"now": transaction.given}), (sql.unplaced, {}))
    due = {row.dispatch: None for row in scheduled}
    entering = _parsed(transaction.ask(sql.bodies, {"ids": list(due)})) if due else []
    order = {identity: number for number, identity in enumerate(due)}
    entering.sort(key=lambda row: order[row.dispatch.id])
    there = {row.dispatch.id for row in entering}
    for item in scheduled:
        if item.dispatch not in there:
            give_up(transaction, item)
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
