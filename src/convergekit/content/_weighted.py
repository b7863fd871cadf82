"""How much of a text fits into a post on X, and what in it a cut goes around.

Trap: what a piece weighs depends on where it ends and begins. "example.comfoo" is no URL, and weighs 14; cut behind
"com" it begins with one, that weighs 23. So a piece is weighed again, alone, once it is chosen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator

from . import twitter_text
from .measure import Atom, Fitting
from .twitter_text import Cashtag, Hashtag, Mention, weighted_length
from .twitter_text._weights import sums

__all__ = ["fitting"]


def fitting(text: str, limit: int) -> Fitting:
    """What of *text* weighs at most *limit*. What is the same for all pieces is found out here, in linear time."""
    total = sums(text)

    def end(start: int) -> int:
        found = bisect_right(total, total[start] + limit) - 1
        if found > start:
            return found
        # What begins here weighs more than a part holds: something of it, but not all, and `alone` says how much.
        most = min(len(text) - 1, start + limit)
        return most if weighted_length(text[start : start + 1]) <= limit else start

    def alone(start: int, end: int) -> int:
        weight = weighted_length(text[start:end])
        return end if weight <= limit else max(start + 1, start + (end - start) * limit // weight)

    return Fitting(end, _atoms(text), alone)


def _atoms(text: str) -> Callable[[int, int], Iterator[Atom]]:
    entities = twitter_text.entities(text)
    words: list[Mention | Hashtag | Cashtag] = [*entities.mentions, *entities.hashtags, *entities.cashtags]
    found: list[Atom] = []
    found.extend((each.start, each.end, "url") for each in entities.urls)
    found.extend((each.start, each.end, "word") for each in words)
    found.sort()
    starts = [start for start, _, _ in found]

    def atoms(start: int, position: int) -> Iterator[Atom]:
        before = bisect_left(starts, position) - 1  # the only one that can be there
        if before >= 0:
            yield found[before]

    return atoms
