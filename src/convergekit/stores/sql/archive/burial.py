"""How content goes: out of its lane where it is still open, and then everything of a row in one transaction.

That is its document, the index, topics, ids of the provider, and the references to content.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import bindparam, delete, or_, select, update

from convergekit.abc import Lane
from convergekit.model import Address, Dispatch, Receipt
from convergekit.model.wire import from_json, to_json
from convergekit.stores._said import is_moving, reports_on, tombstone

from .. import schema as s
from ..batch import Batch, Needs
from ..operations import Operation
from ..rows import hashed
from ..said import forget
from ..transaction import Transaction
from ..uses import forget_uses
from .documents import Kept

__all__ = ["Burial", "TakeOut", "forget_small"]

_TELLING: Final = 6  # characters that a number or a name needs to say whose it is


class TakeOut(Operation[bool]):
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


class Burial(Operation[int]):
    """The content of rows goes, if they still are as they were read; tells how many it were."""

    __slots__ = ("_dispatches", "_entries", "_states")

    def __init__(self, rows: Sequence[Kept], states: Collection[int]) -> None:
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

    def _bury_entries(self, batch: Batch) -> list[Kept]:
        states = select(s.entry.c.id).where(s.entry.c.id.in_(self._entries), s.entry.c.state.in_(self._states))
        found = batch.transaction.connection.execute(states.with_for_update()).scalars().all()
        gone = [self._entries[each] for each in found]
        if gone:
            batch.transaction.connection.execute(_BURY_ENTRY, [{"entry": each.ref} for each in gone])
        return gone

    def _bury_dispatches(self, batch: Batch) -> list[Kept]:
        gone: list[Kept] = []
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


def _source(kept: Kept) -> str:
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


def forget_small(
    transaction: Transaction, addresses: Collection[Address], reports: Collection[tuple[str, str]]
) -> None:
    """Receipts that wait for what is gone, or speak of these addresses; and what is counted under an address."""
    run = transaction.connection.execute
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
