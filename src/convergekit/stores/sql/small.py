"""The ledger's small things, each a function that runs in the writer's transaction: values, owners, receipts that
wait for what they are about, and what a person decides about dead letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update

from convergekit.abc import PARKED, Lane
from convergekit.model import Dispatch, Receipt
from convergekit.model.wire import from_json, to_json

from . import schema as s
from .dialects import insertion
from .lanes import LaneRow, Lanes
from .processes import here, is_gone
from .reading import number_of
from .rows import delivery_row, hashed, lane_key
from .schema import EntryStates, ItemState
from .transaction import Transaction

__all__ = ["discard", "disown", "give_up", "own", "park", "put", "rescue", "revive", "unpark"]


def put(transaction: Transaction, scope: str, key: str, body: str, version: int | None) -> bool:
    """See `Store.put`; *body* is JSON. A deleted value keeps its version, or its successor could be mistaken for it."""
    c, run = s.value.c, transaction.connection.execute
    row = run(select(c.version, c.body).where(c.scope == scope, c.key == key).with_for_update()).first()
    current = None if row is None else row.version
    if version is not None and version != (current or 0):
        return transaction.unsure and row is not None and (row.version, row.body) == (version + 1, body)
    if current is None:
        # Somebody else may put it in this moment: then this transaction is tried again, and sees it.
        run(insert(s.value).values(scope=scope, key=key, version=1, body=body))
    else:
        run(update(s.value).where(c.scope == scope, c.key == key).values(version=current + 1, body=body))
    return True


def own(transaction: Transaction, name: str, holder: str, seconds: float) -> tuple[int, int] | None:
    """See `Store.own`: (token, until). What a process owned that has ended for certain is nobody's."""
    c, run = s.owner.c, transaction.connection.execute
    until, holder = transaction.now + int(seconds * 1e6), f"{holder}@{here()}"
    row = run(select(s.owner).where(c.name == name).with_for_update()).first()
    if row is None:
        token = transaction.token()
        new = insertion(transaction.connection.dialect, s.owner).on_conflict_do_nothing().returning(c.token)
        if run(new, {"name": name, "holder": holder, "token": token, "until": until}).first() is not None:
            return token, until
        row = run(select(s.owner).where(c.name == name).with_for_update()).one()  # somebody was faster
    if row.holder not in (holder, "") and row.until > transaction.now and not is_gone(row.holder.partition("@")[2]):
        return None
    token = row.token if row.holder == holder else transaction.token()
    run(update(s.owner).where(c.name == name).values(holder=holder, token=token, until=until))
    return token, until


def disown(transaction: Transaction, name: str, token: int) -> None:
    """See `Store.disown`. The row stays with another token, so that nothing is admitted under the old one."""
    c = s.owner.c
    given_up = update(s.owner).where(c.name == name, c.token == token, c.holder != "")
    transaction.connection.execute(given_up.values(holder="", token=transaction.token(), until=transaction.now))


def park(transaction: Transaction, channel: str, receipt: Receipt) -> None:
    """See `Store.park`. Those that nobody has asked for in a week go."""
    run, body = transaction.connection.execute, to_json(receipt)
    if (
        transaction.unsure
        and run(select(s.parked.c.id).where(s.parked.c.channel == channel, s.parked.c.body == body)).first()
    ):
        return
    old = transaction.now - int(PARKED.total_seconds() * 1e6)
    _drop(transaction, select(s.parked.c.id).where(s.parked.c.at <= old))
    values = {"channel": channel, "at": transaction.now, "body": body}
    (number,) = run(insert(s.parked).returning(s.parked.c.id), values).scalars()
    names = [{"hash": hashed("id", channel, each), "parked": number} for each in sorted(receipt.ids)]
    if names:
        run(insert(s.parked_id), names)


def unpark(transaction: Transaction, channel: str, ids: Sequence[str]) -> dict[int, Receipt]:
    """See `Store.unpark`: in order, by the numbers under which they were parked."""
    run, c = transaction.connection.execute, s.parked.c
    hashes = [hashed("id", channel, each) for each in ids]
    numbers = select(s.parked_id.c.parked).where(s.parked_id.c.hash.in_(hashes))
    rows = run(select(c.id, c.body).where(c.id.in_(numbers)).order_by(c.id).with_for_update()).all()
    if rows:
        _drop(transaction, select(c.id).where(c.id.in_([row.id for row in rows])))
    return {row.id: from_json(Receipt, row.body) for row in rows}


def _drop(transaction: Transaction, which: Any) -> None:
    numbers = transaction.connection.execute(which).scalars().all()
    if numbers:
        transaction.connection.execute(delete(s.parked_id).where(s.parked_id.c.parked.in_(numbers)))
        transaction.connection.execute(delete(s.parked).where(s.parked.c.id.in_(numbers)))


def revive(transaction: Transaction, entry: str) -> bool:
    """See `Store.revive`: to the end of its lane."""
    row = _dead(transaction, entry)
    if row is None:
        return False
    ready = {"state": EntryStates.READY.value, "attempts": 0, "crashes": 0, "reason": None}
    transaction.connection.execute(update(s.entry).where(s.entry.c.id == row.id).values(ready))
    lane = Lane("in", row.channel, row.conversation)
    key = lane_key(lane)
    known = transaction.connection.execute(transaction.sql.lanes, {"keys": [key]}).first()
    lane_row = LaneRow(lane, key) if known is None else LaneRow.of(known)
    item = {"lane": key, "state": ItemState.LINE.value, "due": transaction.now, "entry": row.id}
    transaction.connection.execute(insert(s.item).values(item))
    lane_row.wakes(transaction.now)
    Lanes(transaction).write([lane_row])
    transaction.placed = True
    return True


def discard(transaction: Transaction, entry: str) -> bool:
    """See `Store.discard`."""
    row = _dead(transaction, entry)
    if row is None:
        return False
    done = update(s.entry).where(s.entry.c.id == row.id).values(state=EntryStates.DONE.value)
    transaction.connection.execute(done)
    return True


def give_up(transaction: Transaction, item: Any) -> None:
    """The delivery of *item*, whose dispatch cannot be read: it counts as dead, and stands in no lane any more."""
    run = transaction.connection.execute
    run(delete(s.item).where(s.item.c.place == item.place))
    run(update(s.delivery).where(s.delivery.c.id == item.delivery).values(state="dead"))


def rescue(transaction: Transaction) -> int:
    """Give open items that stand in a lane without a row their lane back; returns how many lanes it were.

    There should be none: whoever changes a lane holds its row. This is the belt.
    """
    i, run = s.item.c, transaction.connection.execute
    lost = (
        select(i.lane, i.entry, i.dispatch, i.delivery)
        .outerjoin_from(s.item, s.lane, s.lane.c.key == i.lane)
        .where(s.lane.c.key.is_(None), i.state != ItemState.SCHEDULED.value)
        .limit(256)
    )
    lanes = {row.lane: row for row in run(lost)}
    for key, row in lanes.items():
        lane_row = LaneRow(_lane_of(transaction, row), key)
        lane_row.wakes(transaction.now)
        Lanes(transaction).write([lane_row])
    transaction.placed = transaction.placed or bool(lanes)
    return len(lanes)


def _lane_of(transaction: Transaction, item: Any) -> Lane:
    run = transaction.connection.execute
    if item.entry is not None:
        c = s.entry.c
        entry = run(select(c.channel, c.conversation).where(c.id == item.entry)).one()
        return Lane("in", entry.channel, entry.conversation)
    dispatch = from_json(Dispatch, run(select(s.dispatch.c.body).where(s.dispatch.c.id == item.dispatch)).scalar_one())
    return delivery_row(dispatch.by_id(item.delivery)).lane


def _dead(transaction: Transaction, entry: str) -> Any:
    c = s.entry.c
    dead = select(s.entry).where(c.id == number_of(entry), c.state == EntryStates.DEAD.value)
    return transaction.connection.execute(dead.with_for_update()).first()
