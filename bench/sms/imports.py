"""Gateways cost nothing until one is used: what a host loads that has another channel, with them and without them."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import convergekit

from ..measure import Effort, Goal, Line, Side, compare

__all__ = ["run"]

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
of_ours = [name for name in sys.modules if name.startswith("convergekit.adapters.sms")]
print(len(of_ours) + sum("/adapters/sms/" in each or each.endswith(".toml") for each in opened))
"""


async def run(effort: Effort) -> Iterator[Line]:
    """In fresh interpreters, by copies of the library of which one has no `adapters/sms`; both are compiled."""
    with TemporaryDirectory() as folder:
        loaded: list[int] = []
        sides = {
            "with": _side(_copied(Path(folder, "with"), "__pycache__"), loaded),
            "without": _side(_copied(Path(folder, "without"), "__pycache__", "sms"), []),
        }
        cpu = await compare(sides, effort.rounds * 2)
    metric = "a host of another channel is imported and opened (ms CPU)"
    return iter(
        [
            Line.of(metric, cpu["with"], "the same without adapters/sms", cpu["without"], Goal("<=", 1.1)),
            Line.never("modules and profiles of SMS loaded by it", max(loaded)),
        ]
    )


def _copied(folder: Path, *without: str) -> Path:
    here = Path(convergekit.__file__).parent
    shutil.copytree(here, folder / "convergekit", ignore=shutil.ignore_patterns(*without))
    compileall.compile_dir(folder, quiet=1)
    return folder


def _side(path: Path, loaded: list[int]) -> Side:
    environment = {**os.environ, "PYTHONPATH": str(path)}

    async def fresh() -> float:
        # Without waiting in the event loop: nothing else is to run meanwhile.
        done = subprocess.run(  # noqa: ASYNC221
            [sys.executable, "-c", HOST], check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
        seconds, count = done.stdout.split()
        loaded.append(int(count))
        return float(seconds) * 1000

    return fresh
