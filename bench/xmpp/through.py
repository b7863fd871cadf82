"""Messages go from one client to another, through a Prosody: from the call of the first until the last has come."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from tools.xmpp import Prosody

from ..measure import Effort, Goal, Line, Side, compare, missing
from .live import SLIXMPP, Opened, ours, theirs
from .stanzas import OURS

__all__ = ["run"]

ITEMS: Final = 5_000
IN_FLIGHT: Final = 200
WARM: Final = 200
METRIC: Final = "messages through Prosody, {} (messages a second)"
PLAIN, REPORTED = METRIC.format(f"{IN_FLIGHT} in flight"), METRIC.format("each confirmed by a receipt")
RAW, MANAGED = f"{SLIXMPP}, send() and a handler", f"{SLIXMPP} with xep_0198"
SAME: Final = f"{SLIXMPP} with xep_0198, the same stanzas"
CONFIRMED: Final = f"{SLIXMPP} with xep_0198 and xep_0184"
GOAL: Final = Goal(">=", 0.95)


async def run(effort: Effort) -> Iterator[Line]:
    """Each side in each round has two accounts of its own, on a server that is fresh."""
    if Prosody.missing():
        return iter([missing(PLAIN, float("nan"), peer, GOAL) for peer in (RAW, MANAGED, SAME)])
    items, rate = effort.items(ITEMS, at_least=50), partial(_rate, warm=effort.items(WARM, at_least=10))
    sides: Mapping[str, Side] = {
        "ours": rate(partial(ours, receipts=False), items),
        "raw": rate(theirs, items),
        "managed": rate(partial(theirs, plugins=["xep_0198"]), items),
        "same": rate(partial(theirs, plugins=["xep_0198"], more=OURS), items),
        "ours, confirmed": rate(partial(ours, receipts=True), items, reports=True),
        "theirs, confirmed": rate(
            partial(theirs, plugins=["xep_0198", "xep_0184"], receipts=True), items, reports=True
        ),
    }
    rates = await compare(sides, effort.rounds)
    return iter(
        [
            Line.of(PLAIN, rates["ours"], RAW, rates["raw"], GOAL),
            Line.of(PLAIN, rates["ours"], MANAGED, rates["managed"], GOAL),
            Line.of(PLAIN, rates["ours"], SAME, rates["same"], GOAL),
            Line.of(REPORTED, rates["ours, confirmed"], CONFIRMED, rates["theirs, confirmed"]),
        ]
    )


def _rate(opened: Opened, items: int, *, warm: int, reports: bool = False) -> Side:
    """The side whose figure is its messages a second, once it is connected and warm."""

    async def one_round() -> float:
        async with opened() as pair:

            async def send(numbers: range) -> None:
                await pair.send(numbers, IN_FLIGHT)
                await pair.there.until(lambda: len(pair.there.numbers) >= numbers.stop)
                if reports:
                    await pair.here.until(lambda: pair.here.reports >= numbers.stop)

            await send(range(warm))
            began = time.perf_counter()
            await send(range(warm, warm + items))
            took = time.perf_counter() - began
        if pair.there.numbers != list(range(warm + items)):
            raise RuntimeError("messages were lost, doubled, or came out of order")
        return items / took

    return one_round
