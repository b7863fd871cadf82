"""`make torture-email`: at full size, by IMAP and by LMTP; says the seeds, the figures, and what is violated."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.torture.sums import Sums
from tools.mail import MailServers, missing

from .driver import Torture, tortured
from .sums import summed

#: Postfix keeps what nobody takes for longer than workers are away, and soon tries again.
PATIENT: Final = {
    "maximal_queue_lifetime": "1h",
    "bounce_queue_lifetime": "1h",
    "queue_run_delay": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "1s",
}
_WAYS: Final = ("imap", "lmtp")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.adapters.email.round_trip", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of everything; by default another one each time")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50, help="with signal 9")
    parser.add_argument("--handlers", type=int, default=8, help="at the same time")
    parser.add_argument("--sends", type=int, default=4, help="at the same time")
    parser.add_argument("--lease", type=float, default=6.0, help="seconds")
    parser.add_argument("--only", choices=_WAYS, default=None, help="one way in")
    return parser.parse_args()


def _round(torture: Torture) -> Sums:
    with tempfile.TemporaryDirectory(prefix="convergekit-torture-") as folder, MailServers(PATIENT) as mail:
        sums = summed(tortured(torture, mail, mail.fresh_account(), Path(folder)))
        print(f"{torture.way}: {'; '.join(sums.wrong) or 'every sum holds'}", flush=True)
        if sums.wrong:
            print((Path(folder) / "log").read_text()[-5000:], mail.logs()[-3000:])
    return sums


def main() -> int:
    """Do it; returns the exit code."""
    size = vars(_arguments())
    only, seed = size.pop("only"), size.pop("seed")
    if why := missing():
        print(why)
        return 1
    columns: dict[str, Sums] = {}
    for way in _WAYS:
        if only in (None, way):
            torture = Torture(seed=secrets.randbelow(10**6) if seed is None else seed, way=way, **size)
            print(f"{way}: seed {torture.seed}", flush=True)
            columns[way] = _round(torture)
    for figure in next(iter(columns.values())).figures:
        print("|".join(("", f" {figure:28}", *(f" {sums.figures[figure]:>7} " for sums in columns.values()), "")))
    return int(any(sums.wrong for sums in columns.values()))


if __name__ == "__main__":
    sys.exit(main())
