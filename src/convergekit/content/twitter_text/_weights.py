"""What a text weighs on X: most scripts 1 for each character, the others 2; any emoji 2, any URL 23.

Rules kept here:

- What is counted is the text in NFC (UAX #15), as X keeps it. What is told are ranges of the text as it was given; one
  that is not in NFC is divided between grapheme clusters only, which no composition goes across.
- Time is linear in the text.

Source:
    Configuration v3 of twitter-text.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final, NamedTuple
from unicodedata import is_normalized, normalize

from convergekit.content.graphemes import clusters

from . import _emoji, _urls
from ._characters import INVALID
from ._patterns import pattern

__all__ = ["LONGEST", "URL", "Weighted", "parse", "sums", "weighted_length"]

#: What a post may weigh, and what any URL does.
LONGEST: Final = 280
URL: Final = 23
_EMOJI: Final = 2
#: All but U+0000 to U+10FF, U+2000 to U+200D, U+2010 to U+201F, U+2032 to U+2037 weighs 2.
_HEAVY: Final = pattern("[\u1100-\u1fff\u200e\u200f\u2020-\u2031\u2038-\U0010ffff]+")
_INVALID: Final = pattern(f"[{INVALID}]")


class Weighted(NamedTuple):
    """What X makes of a text.

    Args:
        length: What it weighs.
        permillage: The same, in thousandths of what it may weigh.
        valid: Whether it may be posted: it weighs something, not too much, and all of its characters are allowed.
        valid_range: From where to where (code points, the end not among them) it may be posted: always from 0.
        display_range: From where to where it is shown: all of it.
    """

    length: int
    permillage: int
    valid: bool
    valid_range: tuple[int, int]
    display_range: tuple[int, int]


def weighted_length(text: str, *, emoji: bool = True) -> int:
    """What *text* weighs on X, where a post may weigh 280.

    Args:
        text: Plain text; lone surrogates weigh 2.
        emoji: Whether an emoji of several code points weighs 2, or what its code points do (the rules of 2017).
    """
    if not text.isascii() and not is_normalized("NFC", text):
        text = normalize("NFC", text)
    return _plain(text) + sum(weight - _plain(text[start:end]) for start, end, weight in _fixed(text, emoji))


def parse(text: str, *, limit: int = LONGEST, emoji: bool = True) -> Weighted:
    """What *text* weighs, and how much of it may be posted.

    Args:
        text: Plain text.
        limit: What it may weigh: 280, or 25,000 where the account may write long posts.
        emoji: As for `weighted_length`.
    """
    total = sums(text, emoji=emoji)
    invalid = _INVALID.search(text)
    end = min(bisect_right(total, limit) - 1, invalid.start() if invalid else len(text))
    return Weighted(
        length=total[-1],
        permillage=total[-1] * 1000 // limit,
        valid=0 < total[-1] <= limit and invalid is None,
        valid_range=(0, end),
        display_range=(0, len(text)),
    )


def sums(text: str, *, emoji: bool = True) -> list[int]:
    """For each position what weighs the text before it. A URL, or an emoji, weighs all that it does where it begins."""
    if text.isascii() or is_normalized("NFC", text):
        return _sums(text, emoji)
    composed = _sums(normalize("NFC", text), emoji)
    found, at = [0], 0
    for cluster in clusters(text):
        at += len(normalize("NFC", cluster))
        found += [composed[at]] * len(cluster)
    return found


def _sums(text: str, emoji: bool) -> list[int]:
    weights = [1] * len(text)
    for match in _HEAVY.finditer(text):
        weights[match.start() : match.end()] = [2] * (match.end() - match.start())
    for start, end, weight in _fixed(text, emoji):
        weights[start:end] = [weight] + [0] * (end - start - 1)
    return list(accumulate(weights, initial=0))


def _plain(text: str) -> int:
    """What its characters weigh, each for itself."""
    return len(text) if text.isascii() else len(text) + sum(map(len, _HEAVY.findall(text)))


def _fixed(text: str, emoji: bool) -> list[tuple[int, int, int]]:
    """What weighs the same whatever it is made of: from where to where, and how much."""
    urls = _urls.spans(text)
    found = [(start, end, URL) for start, end in urls]
    for start, end in _emoji.sequences(text) if emoji else ():
        before = bisect_right(urls, (start, end)) - 1
        if before < 0 or urls[before][1] <= start:
            found.append((start, end, _EMOJI))
    return found
