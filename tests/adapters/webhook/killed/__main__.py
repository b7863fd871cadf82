"""`make torture-webhook`: at full size, over SQLite, on asyncio and on Trio; says the figures, and what is wrong."""

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
    parser.add_argument("--kills", type=int, default=20, help="of each side")
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=_BACKENDS, default=None, help="one event loop")
    asked = parser.parse_args()
    wrong = []
    for backend in _BACKENDS:
        if asked.only not in (None, backend):
            continue
        with tempfile.TemporaryDirectory(prefix="convergekit-torture-") as folder:
            run = killed(Path(folder), backend, seed=asked.seed, messages=asked.messages, kills=asked.kills)
        print(
            f"{backend}, {asked.kills} kills of each side: {run.figures}; {'; '.join(run.wrong) or 'every sum holds'}"
        )
        sys.stdout.flush()
        wrong += run.wrong
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
