"""What a backlog of messages keeps in memory, against the same as objects."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator

import anyio

from convergekit import MemoryStore
from convergekit.model import Dispatch
from convergekit.model.wire import from_json, to_json

from ..measure import Effort, Goal, Line
from .drive import drive, fresh_file
from .ours import at, store_at, submitting

__all__ = ["run"]

BACKLOG = 100_000
_WARM = 1_000  # so that what is made once for all is not counted
_PRODUCERS = 64


async def run(effort: Effort) -> Iterator[Line]:
    """By how much a fresh process grows at its largest."""
    items = effort.items(BACKLOG)
    # Once each: in a process that nobody has used before, there is no chance in it.
    found = {kind: await _grown(kind, items) for kind in ("ledger", "objects")}
    metric = f"backlog of {items:,} messages, SQLite (MB)"
    return iter([Line.of(metric, found["ledger"], "the same as pydantic objects", found["objects"], Goal("<=", 0.1))])


async def _grown(kind: str, items: int) -> float:
    command = [sys.executable, "-m", __name__, kind, str(items)]
    return float((await anyio.run_process(command, stderr=None)).stdout)


async def _ledger(items: int) -> float:
    """Megabytes that a process grows by that submits *items* and holds none of them."""
    async with fresh_file() as file, submitting(store_at(at(file))) as submit:
        await drive(submit, producers=_PRODUCERS, items=_WARM)
        before = _megabytes()
        await drive(submit, producers=_PRODUCERS, items=items, first=_WARM)
        return max(_megabytes() - before, 0.1)


async def _objects(items: int) -> float:
    """Megabytes that a process grows by that holds *items* dispatches, as the ledger would hand them out."""
    store = MemoryStore()
    async with submitting(store) as submit:
        await drive(submit, producers=1, items=_WARM)
        documents = [to_json(dispatch) for dispatch in await store.dispatches(limit=_WARM)]
    held = [from_json(Dispatch, document) for document in documents]
    before = _megabytes()
    held += [from_json(Dispatch, documents[number % _WARM]) for number in range(items)]
    return max(_megabytes() - before, 0.1)


def _megabytes() -> float:
    """The most that was resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20) if sys.platform == "darwin" else most / (1 << 10)


if __name__ == "__main__":
    print(anyio.run({"ledger": _ledger, "objects": _objects}[sys.argv[1]], int(sys.argv[2])))
