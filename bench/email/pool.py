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
        # Short rounds, and many of them: a neighbour on the machine then meets both sides.
        near = await _rates(sink.port, items=effort.items(400, at_least=100), rounds=effort.rounds * 3)
        far = await _rates(distant.port, items=effort.items(160, at_least=40), rounds=effort.rounds)
    return iter([Line.of(NEAR, *near, NEAR_GOAL), Line.of(FAR, *far, FAR_GOAL)])


async def _rates(port: int, *, items: int, rounds: int) -> tuple[float, str, float]:
    """That of the pool, and what it is compared with: that of one connection."""
    sides = {
        connections: partial(sends, port, pool_size=connections, max_messages=1_000_000)
        for connections in (CONNECTIONS, 1)
    }
    rates = await compare(
        {str(connections): sending(side, senders=SENDERS, items=items) for connections, side in sides.items()}, rounds
    )
    return rates[str(CONNECTIONS)], ONE, rates["1"]
