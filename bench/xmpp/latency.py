"""One message at a time through a Prosody: how long it takes until it is there, and until the server has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Final

import anyio

from tools.xmpp import Prosody

from ..measure import Effort, Line, Side, compare
from .live import SLIXMPP, Opened, Pair, ours, theirs

__all__ = ["run"]

MANAGED: Final = f"{SLIXMPP} with xep_0198"
ITEMS: Final = 300
WARM: Final = 20
THERE: Final = "message through Prosody, one at a time, until it is there (ms, half of them)"
ACKNOWLEDGED: Final = "messages to Prosody, one at a time, each acknowledged (messages a second)"


async def run(effort: Effort) -> Iterator[Line]:
    """For information: most of it is the server's time."""
    if Prosody.missing():
        return iter(())
    items = effort.items(ITEMS, at_least=20)
    managed = partial(theirs, plugins=["xep_0198"])
    here = partial(ours, receipts=False)
    figures = await compare(
        {
            "ours": _until_there(here, items),
            "theirs": _until_there(theirs, items),
            "managed": _until_there(managed, items),
            "ours, acknowledged": _until_acknowledged(here, items),
            "theirs, acknowledged": _until_acknowledged(partial(managed, acknowledged=True), items),
        },
        effort.rounds,
    )
    acknowledged = (figures["ours, acknowledged"], f"{MANAGED}, request_ack()", figures["theirs, acknowledged"])
    return iter(
        [
            Line.of(THERE, figures["ours"], f"{SLIXMPP}, send() and a handler", figures["theirs"]),
            Line.of(THERE, figures["ours"], MANAGED, figures["managed"]),
            Line.of(ACKNOWLEDGED, *acknowledged),
        ]
    )


def _until_there(opened: Opened, items: int) -> Side:
    async def one_round() -> float:
        async with opened() as pair:
            took = [await _there(pair, number) for number in range(WARM + items)]
        return median(took[WARM:]) * 1e3

    return one_round


async def _there(pair: Pair, number: int) -> float:
    """Seconds from the call until the other end has it."""
    began = time.perf_counter()
    took = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pair.send, range(number, number + 1), 1)
        await pair.there.until(lambda: len(pair.there.numbers) > number)
        took = time.perf_counter() - began
    return took


def _until_acknowledged(opened: Opened, items: int) -> Side:
    async def one_round() -> float:
        async with opened() as pair:
            await pair.send(range(WARM), 1)
            began = time.perf_counter()
            await pair.send(range(WARM, WARM + items), 1)
            took = time.perf_counter() - began
            await pair.there.until(lambda: len(pair.there.numbers) >= WARM + items)
        return items / took

    return one_round
