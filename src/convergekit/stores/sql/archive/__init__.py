"""The archive in a database: everything that was said, to be searched (`search`) and in time forgotten (`erasure`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from convergekit.abc import Archive, Contacts, Erased, Page, Query, Store
from convergekit.content.words import phrases
from convergekit.stores._said import place_after

from ..connections import Work
from ..database import Database
from ..operations import Do
from .erasure import Erasure
from .search import Search

__all__ = ["SqlArchive"]


class SqlArchive(Archive):
    """See `Archive`.

    Args:
        store: Whose it is.
        database: Where the store is.
        read: Looks into it.
        do: Has an operation done in the writer's next transaction.
        now: The store's time.
    """

    def __init__(self, store: Store, database: Database, *, read: Work, do: Do, now: Callable[[], datetime]) -> None:
        self._read = read
        self._erasure = Erasure(store, database, read, do, now)

    async def find(self, query: Query, *, limit: int, after: str | None = None, oldest_first: bool = False) -> Page:
        """See `Archive.find`."""
        asked = phrases(query.words)
        place = None if after is None else place_after(after)
        if query.words.strip() and not asked:
            return Page((), None)
        search = Search(query, asked, oldest_first)
        return await self._read(lambda connection: search.page(connection, limit, place))

    async def erase(self, contact: Contacts) -> Erased:
        """See `Archive.erase`."""
        return await self._erasure.erase(contact)

    async def empty(self, older_than: float, *, channel: str | None = None) -> int:
        """See `Archive.empty`."""
        return await self._erasure.retain(older_than, channel)
