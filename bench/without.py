"""A channel costs nothing until it is used: what a host of another one loads, with an adapter and without it."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import convergekit

from .measure import Effort, Goal, Line, Side, compare

__all__ = ["lines"]

HOST = """
import sys, time
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
start = time.process_time()
import convergekit
from convergekit import Hub
hub = Hub(store="memory:")
async def main():
    async with hub:
        await hub.add_channel("hook", "webhook://whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX@example.org/hook")
import anyio
anyio.run(main)
print(time.process_time() - start)
print(sum(any(part in each for part in sys.argv[1:]) for each in [*sys.modules, *opened]))
"""


async def lines(effort: Effort, name: str, what: str, foreign: Sequence[str]) -> Iterator[Line]:
    """In fresh interpreters, by copies of the library of which one has no `adapters/<name>`; both are compiled.

    Args:
        effort: How much.
        name: The adapter.
        what: What must not be loaded, in words ...
        foreign: ... and by what its modules and files are known: parts of their names and paths.
    """
    with TemporaryDirectory() as folder:
        loaded: list[int] = []
        sides = {
            "with": _side(_copied(Path(folder, "with")), foreign, loaded),
            "without": _side(_copied(Path(folder, "without"), name), foreign, []),
        }
        cpu = await compare(sides, effort.rounds * 2)
    metric = "a host of another channel is imported and opened (ms CPU)"
    peer = f"the same without adapters/{name}"
    return iter(
        [
            Line.of(metric, cpu["with"], peer, cpu["without"], Goal("<=", 1.1)),
            Line.never(f"{what} loaded by it", max(loaded)),
        ]
    )


def _copied(folder: Path, *without: str) -> Path:
    here = Path(convergekit.__file__).parent
    shutil.copytree(here, folder / "convergekit", ignore=shutil.ignore_patterns(*without))
    compileall.compile_dir(folder, quiet=1)  # what is compiled already came along
    return folder


def _side(path: Path, foreign: Sequence[str], loaded: list[int]) -> Side:
    environment = {**os.environ, "PYTHONPATH": str(path)}

    async def fresh() -> float:
        # Without waiting in the event loop: nothing else is to run meanwhile.
        done = subprocess.run(  # noqa: ASYNC221
            [sys.executable, "-c", HOST, *foreign], check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
        seconds, count = done.stdout.split()
        loaded.append(int(count))
        return float(seconds) * 1000

    return fresh
