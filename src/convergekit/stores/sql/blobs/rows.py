"""Content in the database itself, so that several machines need no disk in common."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, TypeVar

from anyio.to_thread import run_sync
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    select,
    update,
)

from convergekit.errors import StoreError
from convergekit.model import ClaimCheck
from convergekit.stores._refs import DAY

from ..connections import Work
from ..dialects import insertion
from ..schema import metadata
from ..uses import blob_use
from .content import BLOCK, digest_of, drained, gone, proven

__all__ = ["RowBlobs", "blob", "blob_chunk"]

T = TypeVar("T")
_SPOOL: Final = 1_048_576  # up to here content on its way into the database stays in memory
_BATCH: Final = 500

#: Of what `RowBlobs` holds: size, and when it was kept last, in microseconds since 1970.
blob = Table(
    "convergekit_blob",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
)
Index("convergekit_blob_kept", blob.c.kept)

#: Its bytes, in order.
blob_chunk = Table(
    "convergekit_blob_chunk",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)


class RowBlobs:
    """Content in the database, in rows of 256 KiB: several machines need no disk in common.

    Args:
        read: Asks the database.
        write: Writes to it. A large file is one long transaction, so not on the connection that everybody waits for.
        clock: Seconds since 1970.
    """

    def __init__(self, read: Work, write: Work, *, clock: Callable[[], float] = time.time) -> None:
        self._read = read
        self._write = write
        self._clock = clock

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """See `Store.keep`."""
        with SpooledTemporaryFile(max_size=_SPOOL) as file:
            claim = await drained(chunks, lambda block: _spooled(file.write, block))
            await self._write(lambda connection: self._store(connection, claim, file))
        return claim

    @asynccontextmanager
    async def open(self, claim: ClaimCheck) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `Store.open`."""
        digest_of(claim)
        size = await self._read(lambda connection: connection.execute(_SIZE, {"ref": claim.ref}).scalar())
        if size is None:
            raise gone(claim)
        number = -1

        async def block() -> bytes:
            nonlocal number
            number += 1
            which = {"ref": claim.ref, "number": number}
            return await self._read(lambda connection: connection.execute(_CONTENT, which).scalar()) or b""

        async with aclosing(proven(block, claim)) as found:
            yield found

    async def sweep(self, *, older_than: float = DAY) -> int:
        """See `Blobs.sweep`."""
        before = self._now() - int(older_than * 1_000_000)
        removed = 0
        while gone := await self._write(lambda connection: _swept(connection, before)):
            removed += gone
        return removed

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)

    def _store(self, connection: Connection, claim: ClaimCheck, file: IO[bytes]) -> None:
        known = update(blob).where(blob.c.ref == claim.ref).values(kept=self._now())
        if connection.execute(known).rowcount:
            return
        # Two may keep the same at the same time: the second waits here for the first.
        put = insertion(connection.dialect, blob).values(ref=claim.ref, size=claim.size, kept=self._now())
        connection.execute(put.on_conflict_do_update(index_elements=["ref"], set_={"kept": put.excluded.kept}))
        add = insertion(connection.dialect, blob_chunk).on_conflict_do_nothing()
        file.seek(0)
        number = 0
        while content := file.read(BLOCK):
            connection.execute(add, {"ref": claim.ref, "number": number, "content": content})
            number += 1


_SIZE: Final = select(blob.c.size).where(blob.c.ref == bindparam("ref"))
_CONTENT: Final = select(blob_chunk.c.content).where(
    blob_chunk.c.ref == bindparam("ref"), blob_chunk.c.number == bindparam("number")
)


def _swept(connection: Connection, before: int) -> int:
    """Remove some of what is old and not named; returns how many, 0 when there is no more."""
    unused = (blob.c.kept <= before) & ~exists().where(blob_use.c.ref == blob.c.ref)
    refs = connection.execute(select(blob.c.ref).where(unused).limit(_BATCH)).scalars().all()
    # Asked once more by the deletion itself: somebody may have kept one of them again meanwhile.
    gone = connection.execute(delete(blob).where(blob.c.ref.in_(refs), unused).returning(blob.c.ref)).scalars().all()
    connection.execute(delete(blob_chunk).where(blob_chunk.c.ref.in_(gone)))
    return len(gone)


async def _spooled(function: Callable[..., T], *args: Any) -> T:
    try:
        return await run_sync(function, *args)
    except OSError as exc:
        raise StoreError(f"the folder for temporary files: {exc.strerror or type(exc).__name__}") from exc
