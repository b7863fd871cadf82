"""Taking content out of the ledger: erasure of a contact, and retention.

Rules kept here:

- A row that goes is read and worked out beside the writer; the writer only looks whether it still is as it was, and
  writes. A slice is small, so that nobody waits long.
- What is open is closed first, by the same ways as anybody's: a dispatch is saved as cancelled, an entry leaves its
  lane. What somebody has in hand at this moment is left.
- Everything of a row goes in one transaction (`burial`), and at the end is nowhere in the files (`tidying`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from convergekit.abc import Contacts, Erased, Store
from convergekit.abc.archive import addresses_of
from convergekit.model import Dispatch
from convergekit.stores._said import Row, described, forget_contacts, reports_on, withdrawn

from .. import schema as s
from ..connections import Work
from ..database import Database
from ..operations import Call, Do
from ..rows import micros
from ..said import topic
from .burial import Burial, TakeOut, forget_small
from .documents import Kept, led_to, older
from .tidying import tidy

__all__ = ["Erasure"]

_TRIES: Final = 10
_CLOSED: Final = (s.EntryStates.DONE.value, s.EntryStates.DEAD.value)


class Erasure:
    """See the module; the methods are those of `Archive`.

    Args:
        store: Where from.
        database: Where the store is.
        read: Looks into it.
        do: Has an operation done in the writer's next transaction.
        now: The store's time.
    """

    def __init__(self, store: Store, database: Database, read: Work, do: Do, now: Callable[[], datetime]) -> None:
        self._store = store
        self._database = database
        self._read = read
        self._do = do
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
        await self._do(Call(forget_small, addresses, reports))
        await forget_contacts(self._store, addresses)
        await self._tidy()
        return Erased(tally.erased, tally.cancelled, tally.busy)

    async def _erase(
        self, topics: Sequence[int], concerns: Callable[[Row], bool], tally: _Tally
    ) -> set[tuple[str, str]]:
        """Take out what *topics* lead to; returns what reports on it are found by."""
        reports: set[tuple[str, str]] = set()
        place = 0
        while rows := await self._read(partial(led_to, topics=topics, place=place)):
            place = rows[-1].number
            mine = [each for each in rows if each.row is None or concerns(each.row)]
            closed = [each for each in [await self._closed(each, tally) for each in mine] if each is not None]
            gone = await self._do(Burial(closed, _CLOSED))
            tally.erased += gone
            tally.busy += len(mine) - gone
            for each in closed:
                if isinstance(each.row, Dispatch):
                    reports.update(reports_on(each.row))
        return reports

    async def _closed(self, kept: Kept, tally: _Tally) -> Kept | None:
        """*kept* with nothing of it under way; None where somebody has it in hand, or it cannot be read."""
        if kept.row is None:
            return None
        if not isinstance(kept.row, Dispatch):
            if kept.state in _CLOSED:
                return kept
            assert kept.lane is not None
            assert isinstance(kept.ref, int)
            if not await self._do(TakeOut(kept.lane, kept.ref)):
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
        while rows := await self._read(partial(older, before=before, channel=channel, place=place)):
            place = (rows[-1].at, rows[-1].number)
            gone += await self._do(Burial([each for each in rows if each.is_settled], _CLOSED[:1]))
        if gone:
            await self._tidy()
        return gone

    async def _tidy(self) -> None:
        await self._store.sweep()
        await tidy(self._database, self._do)


class _Tally:
    def __init__(self) -> None:
        self.erased = self.cancelled = self.busy = 0


def _is_of(row: Row, wanted: Collection[str]) -> bool:
    """Whether one of *wanted* has really to do with *row*: a topic is only a hash."""
    return not set(wanted).isdisjoint(described(row).parties)


def _reports(row: Row, reports: Collection[tuple[str, str]]) -> bool:
    return not set(reports).isdisjoint(described(row).about)
