"""Content in files, beside a SQLite file or on a disk that all workers share."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from convergekit.errors import StoreError
from convergekit.model import ClaimCheck
from convergekit.stores._refs import DAY

from ..connections import Work
from ..uses import used
from .content import BLOCK, damaged, digest_of, drained, gone, is_digest, proven

__all__ = ["FolderBlobs"]

T = TypeVar("T")
_BATCH: Final = 500


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
            claim = await drained(chunks, lambda block: self._filed(file.write, block))
            await self._filed(self._finish, file, claim)
            return claim
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(_discard, file)

    @asynccontextmanager
    async def open(self, claim: ClaimCheck) -> AsyncGenerator[AsyncIterator[bytes]]:
        """See `Store.open`."""
        with await self._filed(self._found, claim) as file:
            async with aclosing(proven(lambda: self._filed(file.read, BLOCK), claim)) as chunks:
                yield chunks

    async def sweep(self, *, older_than: float = DAY) -> int:
        """See `Blobs.sweep`."""
        before = self._clock() - older_than
        old = await self._filed(self._old, before)
        removed = 0
        for start in range(0, len(old), _BATCH):
            batch = old[start : start + _BATCH]
            refs = [f"sha256:{path.name}" for path in batch]
            named = await self._read(partial(used, refs=refs))
            removed += await self._filed(self._remove, batch, named, before)
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
        place = self._place(digest_of(claim))
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
        digest = digest_of(claim)
        place = self._place(digest)
        for path in (place, self._incoming / digest, place):  # a sweep may be looking at it
            with suppress(FileNotFoundError):
                if path.stat().st_size != claim.size:
                    raise damaged(claim)
                return path.open("rb")
        raise gone(claim)

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
                    if is_digest(path.name):
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
