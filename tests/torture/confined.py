"""A process that is denied something: it says as JSON what it could submit, and with which error it ended.

Everything is imported before anything is denied, as in a process that has run for a while.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import anyio

from convergekit import Hub
from convergekit.stores.sql import SqlStore

__all__ = ["NOBODY", "confined"]

NOBODY: Final = 65534
_ROOT: Final = Path(__file__).parents[2]


def confined(url: str, *, size: int = 0, number: int = 10_000) -> dict[str, Any]:
    """What became of *number* submits in a process that is not root and may write files of *size* bytes at most.

    Returns:
        "stored": keys that were answered; "error": (class, text) of what it ended with, or None.
    """
    command = [sys.executable, "-m", "tests.torture.confined", url, f"--size={size}", f"--number={number}"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def _submits(url: str, number: int) -> dict[str, Any]:
    stored: list[str] = []
    error: Exception | None = None
    try:
        async with Hub(store=SqlStore(url), role="submit") as hub:
            await hub.add_channel("loop", {"adapter": "loopback"})
            for key in map(str, range(number)):
                await hub.submit(f"{key} " + 4000 * "x", to="loopback:ann", key=key)
                stored.append(key)
    except Exception as raised:
        error = raised
    return {"stored": stored, "error": error and (type(error).__name__, str(error))}


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--size", type=int)
    parser.add_argument("--number", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # import what is imported late
        anyio.run(_submits, f"sqlite:///{folder}/ledger.db", 1)
    if arguments.size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.size, arguments.size))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    print(json.dumps(anyio.run(_submits, arguments.url, arguments.number)))


if __name__ == "__main__":
    _main()
