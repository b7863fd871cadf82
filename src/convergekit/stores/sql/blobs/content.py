"""Content as both stores have it: cut into blocks on the way in, and proven on the way out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Final, Protocol

from convergekit.errors import StoreError
from convergekit.model import ClaimCheck
from convergekit.stores._refs import DAY

__all__ = ["BLOCK", "Blobs", "damaged", "digest_of", "drained", "gone", "is_digest", "proven"]

#: Bytes that are read and written at once.
BLOCK: Final = 262_144
_CHUNK: Final = 65_536  # what `open` hands out, at most
_REF: Final = re.compile(r"sha256:([0-9a-f]{64})")


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


async def drained(chunks: AsyncIterable[bytes], write: Callable[[bytes], Awaitable[object]]) -> ClaimCheck:
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
            if len(waiting) >= BLOCK:
                await put()
    if waiting:
        await put()
    return ClaimCheck(ref=f"sha256:{digest.hexdigest()}", size=size)


async def proven(read: Callable[[], Awaitable[bytes]], claim: ClaimCheck) -> AsyncGenerator[bytes]:
    """What *read* gives, in chunks; at the end it is what *claim* says, or a `StoreError`."""
    digest, size = hashlib.sha256(), 0
    while block := await read():
        digest.update(block)
        size += len(block)
        for start in range(0, len(block), _CHUNK):
            yield block[start : start + _CHUNK]
    if size != claim.size or digest.hexdigest() != digest_of(claim):
        raise damaged(claim)


def digest_of(claim: ClaimCheck) -> str:
    """What *claim* is called inside; a ref that is none of ours gets no further than here."""
    found = _REF.fullmatch(claim.ref)
    if found is None:
        raise gone(claim)
    return found[1]


def is_digest(name: str) -> bool:
    """Whether content can be called that."""
    return _REF.fullmatch(f"sha256:{name}") is not None


def gone(claim: ClaimCheck) -> StoreError:
    """It is not here."""
    return StoreError(f"the content {claim.ref[:80]} is not in this store")


def damaged(claim: ClaimCheck) -> StoreError:
    """It is here, and is not what was kept."""
    return StoreError(f"the content {claim.ref} is damaged: it is not the {claim.size} bytes that were kept")
