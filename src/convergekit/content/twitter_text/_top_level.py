"""Top-level domains: a name that ends in none of these is no URL, and has no link on X.

Source:
    The file `tlds.txt` beside this one.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from ._patterns import pattern

__all__ = ["top_level"]

_ALNUM: Final = pattern("[0-9A-Za-z]++")
_PUNYCODE: Final = pattern("[Xx][Nn]--[-0-9A-Za-z]++")
#: Behind a top-level domain this makes it something else.
_GOES_ON: Final = frozenset("@+-")


def top_level(text: str, start: int) -> int | None:
    """Where the top-level domain ends that begins at *start*; None where there is none."""
    match = _ALNUM.match(text, start)
    end = match.end() if match else start
    behind = text[end : end + 1]
    if behind > "\x7f" and (other := _others().match(text, start)):
        return other.end()
    if behind not in _GOES_ON and text[start:end].lower() in _ascii():
        return end
    encoded = _PUNYCODE.match(text, start) if behind == "-" else None
    return encoded.end() if encoded else None


@cache
def _names() -> frozenset[str]:
    from importlib.resources import files  # slow to import

    lines = files(__name__.rpartition(".")[0]).joinpath("tlds.txt").read_text("utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())


@cache
def _ascii() -> frozenset[str]:
    return frozenset(filter(str.isascii, _names()))


@cache
def _others() -> re.Pattern[str]:
    """All the others; the longest of several that begin alike."""
    names = sorted((name for name in _names() if not name.isascii()), key=len, reverse=True)
    return re.compile(f"(?i:{'|'.join(map(re.escape, names))})(?![0-9A-Za-z@+-])")
