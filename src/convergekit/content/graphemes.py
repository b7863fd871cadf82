r"""Grapheme clusters (UAX #29): what a reader takes for one character. Everything in convergekit asks here.

The rules and the tables are those of `regex`'s `\X`; why, and how it was checked: docs/decisions/0002.

Trap: `\X` alone is quadratic on a run of regional indicators (it counts the run again for each flag), so a message
made of flags would hang. Read from left to right, a flag is just two of them: our pattern says so first.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

__all__ = ["boundary_before", "clusters", "joined"]

#: Scripts that are written without joining: between two of these there is a boundary (GB999), and no table is asked.
_APART: Final = re.compile(
    "[\t\n -~\u00a0-\u00a8\u00aa-\u00ac\u00af-\u02ff\u0370-\u0377\u037a-\u037f\u0384-\u038a\u0391-\u03a1\u03a3-\u0482"
    "\u048a-\u052f\u05d0-\u05ea\u0620-\u064a\u2010-\u2027\u2030-\u2038\u3001-\u3003\u3005-\u3020\u3041-\u3096"
    "\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff5e]*"
)

_CLOSE_BY: Final = 32

_CLUSTER: Final = (
    r"[\U0001F1E6-\U0001F1FF]{2}+"
    r"[\p{Grapheme_Cluster_Break=Extend}\p{Grapheme_Cluster_Break=ZWJ}\p{Grapheme_Cluster_Break=SpacingMark}]*+"
    r"|\X"
)


@cache
def _pattern() -> Any:  # regex ships no types; nothing of it leaves this module
    import regex  # type: ignore[import-untyped, unused-ignore]  # here, since most text is ASCII and needs none of it

    return regex.compile(_CLUSTER)


def clusters(text: str) -> list[str]:
    """The grapheme clusters of *text*, in order; joined together they are *text* again."""
    if _every_character_is_one(text):
        return list(text)
    found: list[str] = _pattern().findall(text)
    return found


def boundary_before(text: str, start: int, position: int) -> int:
    """The last cluster boundary at or before *position*.

    Args:
        text: Any string.
        start: A boundary; what lies before it is not looked at.
        position: At least *start*; all three are indices of code points.

    Returns:
        *start* itself, where the cluster that begins there goes beyond *position*.
    """
    if position >= len(text) or position <= start:
        return min(position, len(text))
    if _every_character_is_one(text[start : position + 1]):
        return position
    # GB4, GB5: nothing joins across a line feed, but for CR LF, which lies before it.
    boundary = max(start, text.rfind("\n", start, position) + 1)
    # Nor between two of a kind that is never joined: mostly there are such close by, and there the look can begin.
    for near in range(position, max(boundary, position - _CLOSE_BY), -1):
        if _APART.fullmatch(text, near - 1, near + 1):
            boundary = near
            break
    # Whether there is a break depends on one code point behind it and no more; a cluster may go on for megabytes.
    for match in _pattern().finditer(text, boundary, position + 1):
        if match.end() > position:
            break
        boundary = match.end()
    return boundary


def joined(before: str, after: str) -> bool:
    """Whether two neighbouring code points belong to one cluster. At least one of them is white space."""
    if not before or not after or _every_character_is_one(before + after):
        return False
    return len(clusters(before + after)) == 1


def _every_character_is_one(text: str) -> bool:
    """Whether nothing in *text* can be joined with anything else in it."""
    if text.isascii():
        return "\r" not in text  # CR and LF are one (GB3)
    return _APART.fullmatch(text) is not None
