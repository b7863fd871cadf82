"""`make torture-x`: at full size, over SQLite, on asyncio and on Trio; says the figures, and what is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from .driver import killed

_BACKENDS: Final = ("asyncio", "trio")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--mentions", type=int, default=1000)
    parser.add_argument("--directs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=_BACKENDS, default=None, help="one event loop")
    asked = parser.parse_args()
    wrong = []
    for backend in _BACKENDS:
        if asked.only not in (None, backend):
            continue
        size = {"mentions": asked.mentions, "directs": asked.directs, "kills": asked.kills}
        with tempfile.TemporaryDirectory(prefix="convergekit-torture-") as folder:
            run = killed(Path(folder), backend, seed=asked.seed, **size)
        print(f"{backend}, {asked.kills} kills: {run.figures}; {'; '.join(run.wrong) or 'every sum holds'}", flush=True)
        wrong += run.wrong
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
