"""In-memory inbound: validate, deduplicate, lane, match, handle; with middleware and a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

from . import peers
from .measure import Effort, Goal, Line, Side, compare, missing
from .ours import inbound

__all__ = ["run"]

UNIT = "us CPU an event"


async def run(effort: Effort) -> Iterator[Line]:
    """Ours with 1, 20 and 100 handlers; aiogram with 1; NoneBot2 with 20."""
    async with AsyncExitStack() as stack:

        async def ours(handlers: int, name: str, value: str) -> Side:
            filters: list[dict[str, Any]] = [{name: value.format(number)} for number in range(handlers)]
            side = await stack.enter_async_context(inbound(filters))
            last = value.format(handlers - 1)
            text = f"/{last} please" if name == "command" else last
            return lambda: side.round(effort.items(64 * 40, at_least=64), text)

        sides = {
            "1": await ours(1, "command", "c{}"),
            "20": await ours(20, "command", "c{}"),
            "100": await ours(100, "command", "c{}"),
            "100 texts": await ours(100, "text", "choice number {}"),
        }
        for name, make, items, text in _peers():
            if (peer := _made(make)) is not None:
                sides[name] = _side(peer, effort.items(items, at_least=8), text)
        return iter(_lines(await compare(sides, effort.rounds)))


def _peers() -> Iterator[tuple[str, Callable[[], peers.Round], int, str]]:
    yield "aiogram", lambda: peers.aiogram_round(1, states=True), 1000, "/c0 please"
    yield "aiogram, no states", lambda: peers.aiogram_round(1, states=False), 1000, "/c0 please"
    yield "nonebot", lambda: peers.nonebot_round(20), 40, "/c19 please"


def _made(make: Callable[[], peers.Round]) -> peers.Round | None:
    try:
        return make()
    except ImportError:
        return None


def _side(one_round: peers.Round, items: int, text: str) -> Side:
    return lambda: one_round(items, text)


def _lines(cpu: dict[str, float]) -> Iterator[Line]:
    def against(metric: str, side: str, peer: str, other: str, goal: Goal) -> Line:
        metric = f"inbound, {metric} ({UNIT})"
        if other not in cpu:
            return missing(metric, cpu[side], peer, goal)
        return Line.of(metric, cpu[side], peer, cpu[other], goal)

    aiogram = f"{peers.AIOGRAM} feed_raw_update"
    yield against("1 handler", "1", aiogram, "aiogram", Goal("<=", 0.4))
    yield against("1 handler", "1", f"{aiogram}, no states", "aiogram, no states", Goal("<=", 0.4))
    yield against("20 handlers", "20", f"{peers.NONEBOT} handle_event, 20 matchers", "nonebot", Goal("<=", 0.02))
    yield against("100 commands", "100", "ours with 1 handler", "1", Goal("<=", 1.3))
    yield against("100 literal texts", "100 texts", "ours with 1 handler", "1", Goal("<=", 1.3))
