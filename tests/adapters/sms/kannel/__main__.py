"""`make torture-sms`: at full size, over SQLite, on asyncio and on Trio; says the figures, and what is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

import anyio

from convergekit.stores import SqlStore
from tools.kannel import Kannel, missing

from .rounds import Round, Rounded, run, token

_BACKENDS: Final = ("asyncio", "trio")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.adapters.sms.kannel", description=__doc__)
    parser.add_argument("--sends", type=int, default=500)
    parser.add_argument("--says", type=int, default=200)
    parser.add_argument("--refused", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=16, help="sends")
    parser.add_argument("--only", choices=_BACKENDS, default=None, help="one event loop")
    return parser.parse_args()


def _round(size: Round, backend: str) -> Rounded:
    with (
        tempfile.TemporaryDirectory(prefix="convergekit-torture-") as folder,
        Kannel(f"/phone/{(path_token := token())}", joined=False) as kannel,
    ):
        store = SqlStore(f"sqlite:///{Path(folder) / 'ledger.db'}")
        result = anyio.run(run, size, kannel, path_token, store, backend, backend=backend)
        print(f"{backend}: {'; '.join(result.wrong) or 'every sum holds'}", flush=True)
    return result


def main() -> int:
    """Do it; returns the exit code."""
    size = vars(_arguments())
    only = size.pop("only")
    if why := missing():
        print(why)
        return 1
    columns = [_round(Round(**size), backend) for backend in _BACKENDS if only in (None, backend)]
    for figure in columns[0].figures:
        print("|".join(("", f" {figure:36}", *(f" {each.figures[figure]!s:>20} " for each in columns), "")))
    return int(any(each.wrong for each in columns))


if __name__ == "__main__":
    sys.exit(main())
