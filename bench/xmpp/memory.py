"""What a channel keeps of many messages that came in: nothing; and what it holds of those that come too fast."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from typing import Final

import anyio

from ..measure import Effort, Goal, Line
from .offline import ours
from .stanzas import modern

__all__ = ["run"]

ITEMS: Final = 100_000
FEWER: Final = 10  # times
A_READ: Final = 256 * 1024  # octets that are read from a socket at once, at most
PAUSE: Final = 0.002  # seconds that the ledger takes for what is admitted together


async def run(effort: Effort) -> Iterator[Line]:
    """The most that a fresh process has in memory, whose ledger is slower than the line; once: there is no chance."""
    items = effort.items(ITEMS)
    command = [sys.executable, "-m", __name__, str(items)]
    fewer, all_of_them = map(float, (await anyio.run_process(command, stderr=None)).stdout.split())
    metric = f"received {items:,} messages, the ledger slower than the line, at most in memory (MB)"
    return iter([Line.of(metric, all_of_them, f"the same after {items // FEWER:,}", fewer, Goal("<=", 1.1))])


async def _main(items: int) -> None:
    """Print the megabytes after some of them, and after all."""
    stanzas = A_READ // len(modern(items))
    async with ours(items, pause=PAUSE) as hear:
        for number in range(0, items, stanzas):
            if number < items // FEWER <= number + stanzas:
                print(_megabytes())
            await hear(b"".join(map(modern, range(number, min(number + stanzas, items)))))
    print(_megabytes())


def _megabytes() -> float:
    """The most that was resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20) if sys.platform == "darwin" else most / (1 << 10)


if __name__ == "__main__":
    anyio.run(_main, int(sys.argv[1]))
