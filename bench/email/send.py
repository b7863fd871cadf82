"""A message goes to a server that takes all it is given: model in, receipt out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median

from tools.mail import SmtpSink, program

from ..measure import Effort, Goal, Line, compare, missing
from .drive import Opened, sending
from .ours import sends
from .peers import AIOSMTPLIB, sends_each, sends_ready_bytes

__all__ = ["run"]

SENDERS = 8
WARM = "mail of 2 KB sent on one connection, one after another ({})"
DEFAULT = f"mail of 2 KB sent, settings by default, {SENDERS} tasks (messages a second)"
LEAST, USUAL = Goal(">=", 0.7), Goal(">=", 3)
READY, EACH = f"{AIOSMTPLIB} sendmail() of ready bytes", f"{AIOSMTPLIB} send() of an EmailMessage"


async def run(effort: Effort) -> Iterator[Line]:
    """On one warm connection; and as it comes by default, against a connection for each message."""
    if program("smtp-sink") is None:
        away = [(WARM.format("messages a second"), LEAST), (DEFAULT, USUAL)]
        return iter([missing(metric, float("nan"), "smtp-sink", goal) for metric, goal in away])
    with SmtpSink(["-8"]) as sink:
        return iter(await _lines(sink.port, effort))


async def _lines(port: int, effort: Effort) -> list[Line]:
    warm: dict[str, Opened] = {
        "ours": partial(sends, port, pool_size=1, max_messages=1_000_000),
        "theirs": partial(sends_ready_bytes, port),
    }
    cpu: dict[str, list[float]] = {name: [] for name in warm}
    items, fewer = effort.items(1_500, at_least=50), effort.items(300, at_least=50)
    rates = await compare(
        {name: sending(side, senders=1, items=items, cpu=cpu[name]) for name, side in warm.items()}
        | {
            "ours by default": sending(partial(sends, port), senders=SENDERS, items=items),
            "theirs by default": sending(partial(sends_each, port), senders=SENDERS, items=fewer),
        },
        effort.rounds,
    )
    return [
        Line.of(WARM.format("messages a second"), rates["ours"], READY, rates["theirs"], LEAST),
        Line.of(WARM.format("us CPU"), median(cpu["ours"]), READY, median(cpu["theirs"])),
        Line.of(DEFAULT, rates["ours by default"], EACH, rates["theirs by default"], USUAL),
    ]
