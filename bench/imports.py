"""What it costs to import us. Each figure is taken inside a fresh interpreter, so its own start is not in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

from .measure import Effort, Goal, Line, Side, compare

__all__ = ["run"]

_TIMED = "import time; start = time.process_time(); {}; print(time.process_time() - start)"
THEIRS = "from pydantic import BaseModel"
OURS = {"import convergekit": Goal("<=", 0.5), "from convergekit import Hub, Message": None}


async def run(effort: Effort) -> Iterator[Line]:
    """`import convergekit`, and for information what a host imports, against pydantic."""
    cpu = await compare({each: _side(each) for each in (*OURS, THEIRS)}, effort.rounds * 2)
    peer = f"pydantic {version('pydantic')}: {THEIRS}"
    return iter([Line.of(f"{ours} (ms CPU)", cpu[ours], peer, cpu[THEIRS], goal) for ours, goal in OURS.items()])


def _side(statement: str) -> Side:
    async def fresh() -> float:
        # Without waiting in the event loop: nothing else is to run meanwhile.
        done = subprocess.run(  # noqa: ASYNC221
            [sys.executable, "-c", _TIMED.format(statement)], check=True, stdout=subprocess.PIPE, text=True
        )
        return float(done.stdout) * 1000

    return fresh
