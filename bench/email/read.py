"""The octets of a mail become an event."""

from __future__ import annotations

from collections.abc import Iterator

from ..measure import Effort, Goal, Line, compare
from .mails import CONTENT, STDLIB, built_by_them, check, read_by_them, read_by_us, repeated

__all__ = ["run"]


async def run(effort: Effort) -> Iterator[Line]:
    """2 KB of text, and an attachment of 1 MB, as Python's library builds them."""
    check()
    plain, attached = built_by_them(), built_by_them(CONTENT)
    # What a program writes is looked through for what did not arrive.
    automatic, bill = (b"Auto-Submitted: auto-generated\r\n" + each for each in (plain, attached))
    small, large = effort.items(400), effort.items(8)
    cpu = await compare(
        {
            "ours": repeated(lambda: read_by_us(plain), small),
            "theirs": repeated(lambda: read_by_them(plain), small),
            "ours, automatic": repeated(lambda: read_by_us(automatic), small),
            "ours, 1 MB": repeated(lambda: read_by_us(attached), large),
            "ours, automatic, 1 MB": repeated(lambda: read_by_us(bill), large),
            "theirs, 1 MB": repeated(lambda: read_by_them(attached), large),
        },
        effort.rounds,
    )
    peer = f"{STDLIB}, policy.default: fields, text, files"
    metric, small_goal, large_goal = "mail {} read into an event (us CPU)", Goal("<=", 0.25), Goal("<=", 0.35)
    of_program = "of a program, with 1 MB,"
    return iter(
        [
            Line.of(metric.format("of 2 KB"), cpu["ours"], peer, cpu["theirs"], small_goal),
            Line.of(metric.format("of 2 KB, of a program,"), cpu["ours, automatic"], peer, cpu["theirs"], small_goal),
            Line.of(metric.format("with 1 MB"), cpu["ours, 1 MB"], peer, cpu["theirs, 1 MB"], large_goal),
            Line.of(metric.format(of_program), cpu["ours, automatic, 1 MB"], peer, cpu["theirs, 1 MB"], large_goal),
        ]
    )
