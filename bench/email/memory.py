"""What a mail with a large attachment takes at most, everything counted: the file, the mail, the event."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from ..measure import Effort, Goal, Line
from .mails import CONTENT, STDLIB, built_by_them, built_by_us, read_by_them, read_by_us

__all__ = ["run"]

_MEGABYTE = 1 << 20


async def run(effort: Effort) -> Iterator[Line]:
    """Once each: there is no chance in it."""
    lines = []
    attached = built_by_them(CONTENT)
    for did, given, ours, theirs in (
        ("built", CONTENT, built_by_us, built_by_them),
        ("read into an event", attached, read_by_us, read_by_them),
    ):
        size, metric = len(given) / _MEGABYTE, f"mail with 1 MB attached {did}, at most in memory (MB)"
        most = _most(ours, given)
        lines.append(Line.of(metric, most, "its size", size, Goal("<=", 3.0)))
        lines.append(Line.of(metric, most, STDLIB, _most(theirs, given)))
    return iter(lines)


def _most(work: Callable[[bytes], object], given: bytes) -> float:
    """Megabytes, with what was *given*."""
    work(given)  # so that what is made once for all is not counted
    gc.collect()
    tracemalloc.start()
    try:
        work(given)
        return (tracemalloc.get_traced_memory()[1] + len(given)) / _MEGABYTE
    finally:
        tracemalloc.stop()
