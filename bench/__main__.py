"""Run comparisons and print their lines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from importlib import import_module

import anyio

from .email import EMAIL
from .measure import Effort, Line
from .sms import SMS
from .store import STORE
from .webhook import WEBHOOK
from .x import X
from .xmpp import XMPP

#: What can be named, and the modules whose `run` measures it.
MODULES: Mapping[str, Sequence[str]] = {
    "inbound": ("inbound",),
    "webhook": tuple(f"webhook.{part}" for part in WEBHOOK),
    **{f"webhook.{part}": (f"webhook.{part}",) for part in WEBHOOK},
    "server": ("webhook.server",),
    "import": ("imports",),
    "message": ("message",),
    "send": ("send",),
    "store": tuple(f"store.{part}" for part in STORE),
    **{f"store.{part}": (f"store.{part}",) for part in STORE},
    "email": tuple(f"email.{part}" for part in EMAIL),
    **{f"email.{part}": (f"email.{part}",) for part in EMAIL},
    "sms": tuple(f"sms.{part}" for part in SMS),
    **{f"sms.{part}": (f"sms.{part}",) for part in SMS},
    "xmpp": tuple(f"xmpp.{part}" for part in XMPP),
    **{f"xmpp.{part}": (f"xmpp.{part}",) for part in XMPP},
    "x": tuple(f"x.{part}" for part in X),
    **{f"x.{part}": (f"x.{part}",) for part in X},
}
NAMES = tuple(name for name in MODULES if "." not in name)

MISSED, UNKNOWN = 1, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0; 1 where a goal was missed; 3 where only a peer is missing."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(MODULES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}")
    effort = Effort(rounds=0, scale=0.01) if options.quick else Effort(rounds=options.rounds)
    lines: list[Line] = []
    if not options.json:
        print(_row("metric", "ours", "theirs", "ratio", "goal", "ok", "peer"), flush=True)
    for name in options.names or NAMES:
        for module in MODULES[name]:
            for line in anyio.run(_run_of(module), effort):
                lines.append(line)
                print(line.to_json() if options.json else _table_row(line), flush=True)
    return _code(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="convergekit beside its peers, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)}; all of them if none")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count, of each side (7)")
    parser.add_argument("--quick", action="store_true", help="see that it runs; its figures mean little")
    return parser


def _run_of(module: str) -> Callable[[Effort], Awaitable[Iterator[Line]]]:
    run: Callable[[Effort], Awaitable[Iterator[Line]]] = import_module(f".{module}", __package__).run
    return run


def _code(lines: Sequence[Line]) -> int:
    if any(line.ok is False for line in lines):
        return MISSED
    return UNKNOWN if any(line.is_unknown for line in lines) else 0


def _table_row(line: Line) -> str:
    ok = {True: "yes", False: "NO", None: "?" if line.is_unknown else "-"}[line.ok]
    theirs = "-" if line.theirs is None else f"{line.theirs:g}"
    ratio = "-" if line.ratio is None else f"{line.ratio:g}"
    return _row(line.metric, f"{line.ours:g}", theirs, ratio, line.goal, ok, line.peer)


def _row(metric: str, ours: str, theirs: str, ratio: str, goal: str, ok: str, peer: str) -> str:
    return f"{metric:<78}{ours:>9}{theirs:>9}{ratio:>9}  {goal:<9}{ok:<5}{peer}"


if __name__ == "__main__":
    sys.exit(main())
