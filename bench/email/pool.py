"""What several connections are worth: to a server beside us, and to one that is 10 ms away."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tools.mail import DelayProxy, SmtpSink, program

from ..measure import Effort, Goal, Line, compare, missing
from .drive import sending
from .ours import sends

__all__ = ["run"]

SENDERS = 16
CONNECTIONS = 4
ROUND_TRIP = 0.010
NEAR = f"mail of 2 KB sent, pool of {CONNECTIONS}, {SENDERS} tasks (messages a second)"
FAR = f"mail of 2 KB sent, pool of {CONNECTIONS}, {SENDERS} tasks, 10 ms away (messages a second)"
ONE, NEAR_GOAL, FAR_GOAL = "one connection of ours", Goal(">=", 1.3), Goal(">=", 3.5)


async def run(effort: Effort) -> Iterator[Line]:
    """Four against one."""
    if program("smtp-sink") is None:
        away = [(NEAR, NEAR_GOAL), (FAR, FAR_GOAL)]
        return iter([missing(metric, float("nan"), "smtp-sink", goal) for metric, goal in away])
    with SmtpSink(["-8"]) as sink, DelayProxy(sink.port, ROUND_TRIP) as distant:
        items = {sink.port: effort.items(1_500, at_least=100), distant.port: effort.items(160, at_least=40)}
        rates = await compare(
            {
                f"{port} {connections}": sending(
                    partial(sends, port, pool_size=connections, max_messages=1_000_000),
                    senders=SENDERS,
                    items=items[port],
                )
                for port in items
                for connections in (1, CONNECTIONS)
            },
            effort.rounds,
        )
        return iter(
            Line.of(metric, rates[f"{port} {CONNECTIONS}"], ONE, rates[f"{port} 1"], goal)
            for metric, port, goal in ((NEAR, sink.port, NEAR_GOAL), (FAR, distant.port, FAR_GOAL))
        )
