"""`make torture`: at full size, on SQLite and on PostgreSQL; says the seeds, the figures, and what is violated."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from tools.postgres import Postgres, missing

from .driver import tortured
from .launch import Processes
from .plan import Plan, Torture, planned
from .sums import Sums, summed

#: The table's columns: name, engine, and what differs from the arguments.
_ROUNDS = (
    ("sqlite", "sqlite", {"workers": 1, "stops": 0}),
    ("postgresql", "postgresql", {"workers": 1, "stops": 0}),
    # A worker that is stopped in a transaction holds up the others for five seconds, and they are not to lose theirs.
    ("4 workers", "postgresql", {"workers": 4, "lease": 15.0}),
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of everything; by default another one each time")
    parser.add_argument("--out", type=int, default=20_000, help="messages")
    parser.add_argument("--into", type=int, default=20_000, help="events")
    parser.add_argument("--kills", type=int, default=200, help="with signal 9")
    parser.add_argument("--stops", type=int, default=15, help="with SIGSTOP, of several workers")
    parser.add_argument("--lanes", type=int, default=250, help="of each channel")
    parser.add_argument("--lease", type=float, default=10.0, help="seconds")
    parser.add_argument("--only", default="", help='one round: "sqlite", "postgresql" or "4 workers"')
    return parser.parse_args()


@contextmanager
def _database(engine: str, folder: Path) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder / 'ledger.db'}"
        return
    with Postgres() as server:
        yield server.url()


async def _round(plan: Plan, url: str, log: Path) -> Sums:
    async with Processes.opened(url, log) as processes:
        return summed(await tortured(plan, processes))


def main() -> int:
    """Do it; returns the exit code."""
    arguments = _arguments()
    size = {name: value for name, value in vars(arguments).items() if name not in ("only", "seed")}
    columns: dict[str, Sums] = {}
    for name, engine, differs in _ROUNDS:
        if arguments.only not in ("", name):
            continue
        if engine == "postgresql" and (why := missing()):
            print(f"{name}: {why}")
            return 1
        seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
        print(f"{name}: seed {seed}", flush=True)
        torture = Torture(seed=seed, at_once=32, per_channel=8, window=2000, **{**size, **differs})
        with tempfile.TemporaryDirectory(prefix="convergekit-torture-") as place, _database(engine, Path(place)) as url:
            columns[name] = anyio.run(_round, planned(torture), url, Path(place) / "log")
            print(f"{name}: {'; '.join(columns[name].wrong) or 'every sum holds'}", flush=True)
            if columns[name].wrong:
                print((Path(place) / "log").read_text()[-5000:], flush=True)
    _print(columns)
    return int(any(sums.wrong for sums in columns.values()))


def _print(columns: dict[str, Sums]) -> None:
    names = next(iter(columns.values())).figures if columns else {}
    print("|".join(("", " " * 28, *(f" {name:>12} " for name in columns), "")))
    print("|".join(("", "---", *("---:" for _ in columns), "")))
    for figure in names:
        print("|".join(("", f" {figure:27}", *(f" {sums.figures[figure]:>12} " for sums in columns.values()), "")))


if __name__ == "__main__":
    sys.exit(main())
