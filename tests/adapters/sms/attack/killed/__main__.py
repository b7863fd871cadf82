"""A part of `make torture-sms`: on asyncio and on Trio; says the figures, and what is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from .driver import killed

_BACKENDS: Final = ("asyncio", "trio")


def main() -> int:
    """Do it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.adapters.sms.attack.killed", description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--out", type=int, default=200, help="messages out")
    parser.add_argument("--in", dest="into", type=int, default=150, help="messages in, a third of them in four parts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=_BACKENDS, default=None, help="one event loop")
    asked, _ = parser.parse_known_args()  # the others are those of the round through Kannel
    wrong = []
    for backend in _BACKENDS:
        if asked.only not in (None, backend):
            continue
        with tempfile.TemporaryDirectory(prefix="convergekit-torture-") as folder:
            run = killed(Path(folder), backend, seed=asked.seed, sends=asked.out, says=asked.into, kills=asked.kills)
        print(f"{backend}, {asked.kills} kills: {run.figures}; {'; '.join(run.wrong) or 'every sum holds'}", flush=True)
        wrong += run.wrong
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
