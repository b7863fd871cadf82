"""Content by reference (EIP Claim Check): large bytes, stored under their SHA-256 before the row that names them.

Two stores of the same shape: `FolderBlobs` beside a SQLite file, or on a disk that all workers share; `RowBlobs` in
the database itself.

Rules kept here:

- What `keep` has returned is whole and on the disk, folders included. What breaks off leaves nothing, or a temporary
  file that a sweep removes.
- Who names content says so in `blob_use`, in the transaction that stores the row. A sweep removes what nobody names
  and nobody has kept again for a day: the day is for those who keep now and store their row in a moment.
- A reference becomes a path, or a key, only once it is seen to be a SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, SpooledTemporaryFile
from typing import IO, Any, Final, Protocol, TypeVar

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Insert,
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
from sqlalchemy.dialects import postgresql, sqlite

from convergekit.errors import StoreError
from convergekit.model import ClaimCheck
from convergekit.stores._refs import DAY, refs_of

from .schema import metadata

__all__ = [
    "DAY",
    "Blobs",
    "FolderBlobs",
    "RowBlobs",
    "Work",
    "blob",
    "blob_chunk",
    "blob_use",
    "forget_uses",
    "insertion",
    "record_uses",
    "refs_of",
]

T = TypeVar("T")

_BLOCK: Final = 262_144  # read and written at once; a row of `blob_chunk`
_CHUNK: Final = 65_536  # what `open` hands out, at most
_SPOOL: Final = 1_048_576  # up to here content on its way into the database stays in memory
_BATCH: Final = 500
_REF: Final = re.compile(r"sha256:([0-9a-f]{64})")

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

#: Who names content, wherever it is: `source` is "entry/ID" or "dispatch/ID".
blob_use = Table(
    "convergekit_blob_use",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    sqlite_with_rowid=False,
)
Index("convergekit_blob_use_source", blob_use.c.source)


class Work(Protocol):
    """Runs a function with a connection, on another thread, in one transaction; raises `StoreError`.

    The function may be run again when the transaction is.
    """

    def __call__(self, function: Callable[[Connection], T], /) -> Awaitable[T]:
        """Return what *function* returned, once the transaction is over."""
        ...


class Blobs(Protocol):
    """What both stores do."""

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """See `Store.keep`."""
        ...

    def open(self, claim: ClaimCheck) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `Store.open`."""
        ...

    async def sweep(self, *, older_than: float = DAY) -> int:
        """Remove what nothing names and nobody kept in the last *older_than* seconds; returns how many there were."""
        ...


# Uses


def record_uses(connection: Connection, uses: Iterable[tuple[str, str]]) -> None:
    """Note that content is named: pairs of a ref and its source, "entry/ID" or "dispatch/ID". Twice does no harm."""
    rows = [{"ref": ref, "source": source} for ref, source in uses]
    if rows:
        connection.execute(insertion(connection, blob_use).on_conflict_do_nothing(), rows)


def forget_uses(connection: Connection, sources: Collection[str]) -> None:
    """*sources* name nothing any more; a sweep removes what then nobody names."""
    connection.execute(delete(blob_use).where(blob_use.c.source.in_(sources)))


def _used(connection: Connection, refs: Collection[str]) -> set[str]:
    return set(connection.execute(select(blob_use.c.ref).where(blob_use.c.ref.in_(refs)).distinct()).scalars())


def insertion(connection: Connection, table: Table) -> Any:
    """An insertion that knows what to do about conflicts."""
    insert: Callable[[Table], Insert] = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table)


# A folder


class FolderBlobs:
    """Content in files: `ab/cd/abcd...` under *path*, and `incoming` for what is not there yet.

    Args:
        path: The folder; made when it is first needed, for its owner alone.
        read: Asks the database which content is named.
        clock: Seconds since 1970.
    """

    def __init__(self, path: str | Path, read: Work, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = Path(path)
        self._incoming = self._folder / "incoming"
        self._read = read
        self._clock = clock
        self._made: set[Path] = set()

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """See `Store.keep`."""
        file = await self._filed(self._begin)
        try:
            claim = await _drained(chunks, lambda block: self._filed(file.write, block))
            await self._filed(self._finish, file, claim)
            return claim
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(_discard, file)

    @asynccontextmanager
    async def open(self, claim: ClaimCheck) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `Store.open`."""
        with await self._filed(self._found, claim) as file:
            async with aclosing(_proven(lambda: self._filed(file.read, _BLOCK), claim)) as chunks:
                yield chunks

    async def sweep(self, *, older_than: float = DAY) -> int:
        """See `Blobs.sweep`."""
        before = self._clock() - older_than
        old = await self._filed(self._old, before)
        removed = 0
        for start in range(0, len(old), _BATCH):
            batch = old[start : start + _BATCH]
            refs = [f"sha256:{path.name}" for path in batch]
            used = await self._read(lambda connection, refs=refs: _used(connection, refs))  # type: ignore[misc]
            removed += await self._filed(self._remove, batch, used, before)
        return removed

    async def _filed(self, function: Callable[..., T], *args: Any) -> T:
        """Call *function* on a worker thread; what the disk says against it is a `StoreError`."""
        try:
            return await run_sync(function, *args)
        except OSError as exc:
            raise StoreError(f"the folder for content, {self._folder}: {exc.strerror or type(exc).__name__}") from exc

    # What follows runs on worker threads.

    def _begin(self) -> IO[bytes]:
        self._make(self._incoming)
        # Made with the mode 0600, and with a name that nobody can know before.
        return NamedTemporaryFile(dir=self._incoming, suffix=".part", delete=False)

    def _finish(self, file: IO[bytes], claim: ClaimCheck) -> None:
        place = self._place(_digest(claim))
        self._make(place.parent)
        if not self._has(place, claim.size):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            self._touch(Path(file.name))
            os.replace(file.name, place)
        _sync(place.parent)  # also where it is there: who put it there may not have come so far

    def _has(self, place: Path, size: int) -> bool:
        """Whether it is there; if so, it is as new, and a sweep that is under way leaves it."""
        try:
            self._touch(place)
            return place.stat().st_size == size  # and is still there: the sweep may have moved it in between
        except FileNotFoundError:
            return False

    def _touch(self, path: Path) -> None:
        now = self._clock()
        os.utime(path, (now, now))

    def _found(self, claim: ClaimCheck) -> IO[bytes]:
        digest = _digest(claim)
        place = self._place(digest)
        for path in (place, self._incoming / digest, place):  # a sweep may be looking at it
            with suppress(FileNotFoundError):
                if path.stat().st_size != claim.size:
                    raise _damaged(claim)
                return path.open("rb")
        raise _gone(claim)

    def _place(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest[2:4] / digest

    def _make(self, folder: Path) -> None:
        """Make *folder*, two levels down at most, and see to it that its name is on the disk."""
        if folder in self._made:
            return
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        above = [each for each in (*folder.parents, folder) if each == self._folder or self._folder in each.parents]
        for each in sorted(above):
            each.mkdir(mode=0o700, exist_ok=True)
            _sync(each.parent)
        self._made.add(folder)

    def _old(self, before: float) -> list[Path]:
        """What may have to go: kept content that is old, and what an earlier sweep left half-way."""
        found: list[Path] = []
        for folder, _, names in os.walk(self._folder):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):
                    is_old = path.stat().st_mtime <= before
                    if _REF.fullmatch(f"sha256:{path.name}"):
                        found += [path] if is_old or path.parent == self._incoming else []
                    elif is_old and path.suffix == ".part":
                        path.unlink()
        return found

    def _remove(self, batch: Sequence[Path], used: Collection[str], before: float) -> int:
        """Move each out of the way first: who keeps it from now on writes it anew, and who did just before is seen."""
        removed = 0
        for path in batch:
            place, aside = self._place(path.name), self._incoming / path.name
            is_used = f"sha256:{path.name}" in used
            if is_used and path == place:
                continue
            with suppress(FileNotFoundError):  # another sweep was faster
                os.replace(path, aside)
                if is_used or aside.stat().st_mtime > before:
                    os.replace(aside, place)
                else:
                    aside.unlink()
                    removed += 1
        return removed


# Rows


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
            claim = await _drained(chunks, lambda block: _spooled(file.write, block))
            await self._write(lambda connection: self._store(connection, claim, file))
        return claim

    @asynccontextmanager
    async def open(self, claim: ClaimCheck) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `Store.open`."""
        _digest(claim)
        size = await self._read(lambda connection: connection.execute(_SIZE, {"ref": claim.ref}).scalar())
        if size is None:
            raise _gone(claim)
        number = -1

        async def block() -> bytes:
            nonlocal number
            number += 1
            which = {"ref": claim.ref, "number": number}
            return await self._read(lambda connection: connection.execute(_CONTENT, which).scalar()) or b""

        async with aclosing(_proven(block, claim)) as found:
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
        put = insertion(connection, blob).values(ref=claim.ref, size=claim.size, kept=self._now())
        connection.execute(put.on_conflict_do_update(index_elements=["ref"], set_={"kept": put.excluded.kept}))
        add = insertion(connection, blob_chunk).on_conflict_do_nothing()
        file.seek(0)
        number = 0
        while content := file.read(_BLOCK):
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


# Both


async def _drained(chunks: AsyncIterable[bytes], write: Callable[[bytes], Awaitable[object]]) -> ClaimCheck:
    """Write all of *chunks*, and say what they are."""
    digest, size, waiting = hashlib.sha256(), 0, bytearray()

    async def put() -> None:
        nonlocal size
        block = bytes(waiting)
        waiting.clear()
        size += len(block)
        digest.update(block)
        await write(block)

    # Closed here and now where the disk fails half-way: Trio warns of generators that nobody closed.
    async with aclosing(chunks) if isinstance(chunks, AsyncGenerator) else nullcontext():
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= _BLOCK:
                await put()
    if waiting:
        await put()
    return ClaimCheck(ref=f"sha256:{digest.hexdigest()}", size=size)


async def _proven(read: Callable[[], Awaitable[bytes]], claim: ClaimCheck) -> AsyncGenerator[bytes]:
    """What *read* gives, in chunks; at the end it is what *claim* says, or a `StoreError`."""
    digest, size = hashlib.sha256(), 0
    while block := await read():
        digest.update(block)
        size += len(block)
        for start in range(0, len(block), _CHUNK):
            yield block[start : start + _CHUNK]
    if size != claim.size or digest.hexdigest() != _digest(claim):
        raise _damaged(claim)


def _digest(claim: ClaimCheck) -> str:
    """What *claim* is called inside; a ref that is none of ours gets no further than here."""
    found = _REF.fullmatch(claim.ref)
    if found is None:
        raise _gone(claim)
    return found[1]


def _gone(claim: ClaimCheck) -> StoreError:
    return StoreError(f"the content {claim.ref[:80]} is not in this store")


def _damaged(claim: ClaimCheck) -> StoreError:
    return StoreError(f"the content {claim.ref} is damaged: it is not the {claim.size} bytes that were kept")


def _discard(file: IO[bytes]) -> None:
    with suppress(OSError):  # what could not be written cannot be flushed either
        file.close()
    with suppress(OSError):
        os.unlink(file.name)


def _sync(folder: Path) -> None:
    """See to it that what was renamed in *folder* is on the disk. Windows has no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
