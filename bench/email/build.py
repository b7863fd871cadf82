"""A message becomes the octets of a mail."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure import Effort, Goal, Line, compare
from .mails import CONTENT, STDLIB, built_by_them, built_by_us, check, repeated

__all__ = ["run"]


async def run(effort: Effort) -> Iterator[Line]:
    """2 KB of text, and an attachment of 1 MB."""
    check()
    small, large = effort.items(600), effort.items(8)
    cpu = await compare(
        {
            "ours": repeated(built_by_us, small),
            "theirs": repeated(built_by_them, small),
            "ours, 1 MB": repeated(lambda: built_by_us(CONTENT), large),
            "theirs, 1 MB": repeated(lambda: built_by_them(CONTENT), large),
        },
        effort.rounds,
    )
    peer, goal = f"{STDLIB}, EmailMessage", Goal("<=", 0.3)
    return iter(
        [
            Line.of("mail of 2 KB built (us CPU)", cpu["ours"], peer, cpu["theirs"], goal),
            Line.of("mail with 1 MB attached built (us CPU)", cpu["ours, 1 MB"], peer, cpu["theirs, 1 MB"], goal),
        ]
    )
