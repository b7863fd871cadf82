"""`make torture-email`: at full size; says the seed, the figures, and what is violated."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tools.mail import MailServers, missing

from .driver import Torture, tortured
from .sums import summed


def _torture() -> Torture:
    parser = argparse.ArgumentParser(prog="python -m tests.adapters.email.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of everything; by default another one each time")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50, help="with signal 9")
    parser.add_argument("--handlers", type=int, default=8, help="at the same time")
    parser.add_argument("--sends", type=int, default=4, help="at the same time")
    parser.add_argument("--lease", type=float, default=6.0, help="seconds")
    arguments = vars(parser.parse_args())
    seed = secrets.randbelow(10**6) if arguments["seed"] is None else arguments["seed"]
    return Torture(**{**arguments, "seed": seed})


def main() -> int:
    """Do it; returns the exit code."""
    torture = _torture()
    if why := missing():
        print(why)
        return 1
    print(f"seed {torture.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="convergekit-torture-") as folder, MailServers() as mail:
        sums = summed(tortured(torture, mail, mail.fresh_account(), Path(folder)))
        for name, value in sums.figures.items():
            print(f"| {name:28} | {value:>7} |")
        print("; ".join(sums.wrong) or "every sum holds", flush=True)
        if sums.wrong:
            print((Path(folder) / "log").read_text()[-5000:], mail.logs()[-3000:])
    return int(bool(sums.wrong))


if __name__ == "__main__":
    sys.exit(main())
