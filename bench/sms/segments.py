"""Segments are counted: what that costs beside sending the text, and how it grows with the text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

from convergekit.content.segmentation import segmentation

from ..email.drive import Send
from ..measure import Effort, Goal, Line, Side, Timer, compare
from .gateway import gateway
from .ours import sends, settings

__all__ = ["run"]

#: What fits into ten segments.
TEXTS = {
    "1530 characters of GSM": (
        "Your parcel is on its way, and will be with you on Tuesday. Please have 4.50 € ready. " * 20
    )[:1510],
    "670 characters of UCS-2": ("Ваша посылка уже в пути 📦. " * 60)[:640],
}
LONGER = 100


async def run(effort: Effort) -> Iterator[Line]:
    """Ten segments against sending them in one request; and a text that is a hundred times as long."""
    items, few = effort.items(400, at_least=20), effort.items(20, at_least=2)
    with gateway() as port:
        async with AsyncExitStack() as stack:
            sides: dict[str, Side] = {}
            for name, text in TEXTS.items():
                send = await stack.enter_async_context(sends(settings(port), items, text))
                sides[f"counted {name}"] = _counting(text, items)
                sides[f"sent {name}"] = _sending(send, items)
                sides[f"longer {name}"] = _counting(text * LONGER, few)
            cpu = await compare(sides, effort.rounds)
    return iter([line for name in TEXTS for line in _lines(name, cpu)])


def _lines(name: str, cpu: dict[str, float]) -> Iterator[Line]:
    once, longer = cpu[f"counted {name}"], cpu[f"longer {name}"] / LONGER
    yield Line.of(f"segments counted, {name} (us CPU)", once, "ours: sending it", cpu[f"sent {name}"], Goal("<=", 0.1))
    much = f"segments counted, {LONGER} times {name} (us CPU for each of them)"
    yield Line.of(much, longer, "ours: counting it once", once, Goal("<=", 1.3))


def _counting(text: str, items: int) -> Side:
    async def one_round() -> float:
        with Timer(items) as timer:
            for _ in range(items):
                segmentation(text)
        return timer.figure

    return one_round


def _sending(send: Send, items: int) -> Side:
    async def one_round() -> float:
        with Timer(items) as timer:
            for number in range(items):
                await send(number)
        return timer.figure

    return one_round
