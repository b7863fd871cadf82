"""A message comes in: from the bytes of the socket to an event, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final

from ..measure import Effort, Goal, Line, Side, Timer, compare
from .live import SLIXMPP
from .offline import PLUGINS, Hears, ours, theirs
from .stanzas import Stanza, modern, plain, reads

__all__ = ["run"]

ITEMS: Final = 4_000
TOGETHER: Final = 16
PEER: Final = f"{SLIXMPP}, {len(PLUGINS)} plugins, a handler"
GOAL: Final = Goal("<=", 1.0)
STANZAS: Final = {"of text alone": plain, "that wants a receipt": modern}


async def run(effort: Effort) -> Iterator[Line]:
    """Alone in what is read at once, which is the dearest, and with others, as in a busy room."""
    items = effort.items(ITEMS, at_least=2 * TOGETHER)
    kinds = {(what, each): stanza for what, stanza in STANZAS.items() for each in (1, TOGETHER)}
    sides = {
        f"{side} {what} {each}": _heard(opened, stanza, items, each)
        for (what, each), stanza in kinds.items()
        for side, opened in {"ours": ours, "theirs": theirs}.items()
    }
    cpu = await compare(sides, effort.rounds)
    return iter(
        [
            Line.of(
                f"message {what}, received, {each} a read (us CPU)",
                cpu[f"ours {what} {each}"],
                PEER,
                cpu[f"theirs {what} {each}"],
                GOAL,
            )
            for what, each in kinds
        ]
    )


def _heard(opened: Callable[[int], AbstractAsyncContextManager[Hears]], stanza: Stanza, items: int, each: int) -> Side:
    """The side whose figure is its CPU time a message, once it is warm."""
    warm = reads(stanza, range(items, items + 10 * TOGETHER), each)
    measured = reads(stanza, range(items), each)

    async def one_round() -> float:
        timer = Timer(items)
        async with opened(items + 10 * TOGETHER) as hear:
            for data in warm:
                await hear(data)
            # Whatever is not done yet is done before `opened` ends, and counts.
            timer.__enter__()
            for data in measured:
                await hear(data)
        timer.__exit__()
        return timer.figure

    return one_round
