"""The archive of a ledger in memory: what was said stands in order, and a search goes through all of it.

It works on the store's own tables, as a part of it that has a module of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import chain, count
from typing import TYPE_CHECKING, NamedTuple

from convergekit.abc import Archive, Contacts, Entry, EntryState, Erased, Found, Page, Query
from convergekit.abc.archive import addresses_of
from convergekit.content.words import Phrase, is_met, phrases
from convergekit.model import Dispatch, Event, Receipt

from ._refs import refs_of
from ._said import (
    Row,
    described,
    forget_contacts,
    found_in,
    is_moving,
    is_open,
    place_after,
    reports_on,
    tombstone,
    withdrawn,
)

if TYPE_CHECKING:
    from .memory import MemoryStore

__all__ = ["MemoryArchive"]


class _Said(NamedTuple):
    ref: str
    at: datetime
    event: Event | None  # a dispatch changes, and is looked up


class MemoryArchive(Archive):
    """See `Archive`.

    Args:
        store: Whose it is.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._said: dict[int, _Said] = {}
        self._numbers = count(1)

    def admitted(self, entry: Entry, now: datetime) -> None:
        """An event is new."""
        at = entry.event.at
        self._said[next(self._numbers)] = _Said(entry.id, now if at is None or at > now else at, entry.event)

    def submitted(self, dispatch: Dispatch, now: datetime) -> None:
        """A dispatch is new."""
        self._said[next(self._numbers)] = _Said(dispatch.id, min(dispatch.created_at, now), None)

    async def find(self, query: Query, *, limit: int, after: str | None = None, oldest_first: bool = False) -> Page:
        """See `Archive.find`."""
        asked = phrases(query.words)
        if query.words.strip() and not asked:
            return Page((), None)
        found: list[Found] = []
        last = None
        for number, said in self._in_order(after, oldest_first):
            row = self._row(said)
            if not _fits(row, said.at, query, asked):
                continue
            if len(found) == limit:
                return Page(tuple(found), last)
            found.append(found_in(said.ref, row, said.at, asked))
            last = f"{number:x}"
        return Page(tuple(found), None)

    def _in_order(self, after: str | None, oldest_first: bool) -> Iterator[tuple[int, _Said]]:
        place = None if after is None else place_after(after)
        for number in self._said if oldest_first else reversed(self._said):
            if place is None or (number > place if oldest_first else number < place):
                yield number, self._said[number]

    def _row(self, said: _Said) -> Row:
        return self._store._dispatches[said.ref] if said.event is None else said.event

    def refs(self) -> Iterator[str]:
        """All content that a row names."""
        return chain.from_iterable(refs_of(self._row(said)) for said in self._said.values())

    async def erase(self, contact: Contacts) -> Erased:
        """See `Archive.erase`."""
        addresses = addresses_of(contact)
        wanted = {address.uri for address in addresses}
        reports: set[tuple[str, str]] = set()
        gone = cancelled = busy = 0
        for number, said in list(self._said.items()):
            of = described(self._row(said))
            if wanted.isdisjoint(of.parties) and reports.isdisjoint(of.about):
                continue
            was_open = await self._closed(said)
            if was_open is None:
                busy += 1
                continue
            cancelled += was_open
            gone += 1
            if said.event is None:
                reports.update(reports_on(self._store._dispatches[said.ref]))
            self._bury(number, said)
        self._forget_parked(wanted, reports)
        self._forget_counts(wanted)
        await forget_contacts(self._store, addresses)
        await self._store.sweep()
        return Erased(gone, cancelled, busy)

    async def _closed(self, said: _Said) -> bool | None:
        """Close what is open of it; tells whether there was something, and None where somebody has it in hand."""
        store = self._store
        if said.event is not None:
            return self._taken_out(store._entries.get(said.ref))
        changed = withdrawn(store._dispatches[said.ref])
        if changed is not None:
            await store.save(changed)
        return None if is_moving(store._dispatches[said.ref]) else changed is not None

    def _taken_out(self, entry: Entry | None) -> bool | None:
        if entry is None:
            return False
        store = self._store
        was_ready = entry.state is EntryState.READY
        if was_ready:
            if store._lanes.is_in_hand(entry.lane, entry):
                return None
            store._lanes.remove(entry.lane, entry)
        del store._entries[entry.id]
        store._done[entry.event.channel] += 1
        return was_ready

    def _bury(self, number: int, said: _Said) -> None:
        del self._said[number]
        if said.event is not None:
            return
        dispatches = self._store._dispatches
        dispatches.bury(tombstone(dispatches[said.ref]))

    def _forget_parked(self, wanted: Collection[str], reports: Collection[tuple[str, str]]) -> None:
        parked = self._store._parked
        for (channel, name), waiting in list(parked.items()):
            left = [each for each in waiting if not _speaks_of(channel, each[1], wanted, reports)]
            if left:
                parked[channel, name] = left
            else:
                del parked[channel, name]

    def _forget_counts(self, wanted: Collection[str]) -> None:
        values = self._store._values
        for scope, key in list(values):
            if scope == "automatic" and key.partition("|")[2] in wanted:
                del values[scope, key]

    async def empty(self, older_than: float, *, channel: str | None = None) -> int:
        """See `Archive.empty`."""
        before = self._store._now() - timedelta(seconds=older_than)
        old = [
            (number, said)
            for number, said in self._said.items()
            if said.at < before
            and self._is_settled(said)
            and channel in (None, described(self._row(said)).channels[0])
        ]  # fmt: skip
        for number, said in old:
            self._bury(number, said)
        await self._store.sweep()
        return len(old)

    def _is_settled(self, said: _Said) -> bool:
        if said.event is not None:
            return said.ref not in self._store._entries
        return not is_open(self._store._dispatches[said.ref])


def _fits(row: Row, at: datetime, query: Query, asked: list[Phrase]) -> bool:
    if (query.since is not None and at < query.since) or (query.until is not None and at >= query.until):
        return False
    of = described(row)
    return (
        of.direction is not None
        and query.direction in (None, of.direction)
        and (query.channel is None or query.channel in of.channels)
        and (query.conversation is None or query.conversation in of.conversations)
        and (query.addresses is None or any(address.uri in of.parties for address in query.addresses))
        and is_met(asked, of.words.split())
    )


def _speaks_of(channel: str, receipt: Receipt, wanted: Collection[str], reports: Collection[tuple[str, str]]) -> bool:
    if receipt.address is not None and receipt.address.uri in wanted:
        return True
    return any((channel, each) in reports for each in (*receipt.ids, receipt.delivery or ""))
