"""A message goes to a gateway that takes all it is given: model in, receipt out, against posting the same bodies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from statistics import median

import httpx

from convergekit.adapters.sms import SmsConfig
from convergekit.adapters.sms.request import Requests

from ..email.drive import Opened, Send, sending
from ..measure import Effort, Goal, Line, compare
from .gateway import gateway
from .ours import message, sends, settings

__all__ = ["run"]

IN_FLIGHT = (1, 16)
METRIC = "SMS sent through a profile, {} in flight ({})"
PEER = f"httpx {version('httpx')} AsyncClient.post of the same bodies"
GOAL = Goal(">=", 0.9)


async def run(effort: Effort) -> Iterator[Line]:
    """One after another, and sixteen at the same time, by the clock on the wall; the CPU time for information."""
    items = effort.items(1_500, at_least=64)
    with gateway() as port:
        sides: dict[str, Opened] = {
            "ours": partial(sends, settings(port), items + 4 * max(IN_FLIGHT)),
            "theirs": partial(_posts, settings(port), items + 4 * max(IN_FLIGHT)),
        }
        cpu: dict[str, list[float]] = {f"{name} {many}": [] for name in sides for many in IN_FLIGHT}
        rates = await compare(
            {
                f"{name} {many}": sending(side, senders=many, items=items, cpu=cpu[f"{name} {many}"])
                for many in IN_FLIGHT
                for name, side in sides.items()
            },
            effort.rounds,
        )
    spent = {name: median(rounds) for name, rounds in cpu.items()}
    return iter(
        [
            line
            for many in IN_FLIGHT
            for line in (
                Line.of(
                    METRIC.format(many, "messages a second"), rates[f"ours {many}"], PEER, rates[f"theirs {many}"], GOAL
                ),
                Line.of(METRIC.format(many, "us CPU"), spent[f"ours {many}"], PEER, spent[f"theirs {many}"]),
            )
        ]
    )


@asynccontextmanager
async def _posts(config: SmsConfig, items: int) -> AsyncGenerator[Send]:
    """What whoever needs no more than httpx would do with bodies that are written already."""
    requests, now = Requests(config), datetime.now(UTC)
    ready = [requests.build(message(number), now=now) for number in range(items)]
    async with httpx.AsyncClient(trust_env=False) as client:

        async def post(number: int) -> object:
            request = ready[number]
            answer = await client.post(request.url, headers=dict(request.headers), content=request.content)
            return answer.json()["data"]["id"]

        yield post
