"""What of a body is there only for those who do not know an extension (XEP-0428).

Its sender says which, in code points, and may say anything: places outside of the text, the wrong way round, a thousand
of them over one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..namespaces import NS, tag
from .stanza import Stanza

__all__ = ["without"]

_FALLBACK: Final = tag(NS.FALLBACK, "fallback")
_BODY: Final = tag(NS.FALLBACK, "body")
_MOST: Final = 100
_DIGITS: Final = 9


def without(text: str, stanza: Stanza, *features: str) -> str:
    """*text*, the body of *stanza*, without what stands in for one of *features*."""
    if _FALLBACK not in stanza.children:
        return text
    kept, position = [], 0
    for start, end in sorted(_ranges(stanza, features, len(text))):
        if end > len(text) or start >= end:
            continue  # it speaks of another text
        kept.append(text[position:start])
        position = max(position, end)
    kept.append(text[position:])
    return "".join(kept)


def _ranges(stanza: Stanza, features: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    left = _MOST
    for fallback in stanza.all(_FALLBACK):
        if fallback.get("for") not in features:
            continue
        if not len(fallback):
            yield 0, length
        for body in fallback.iterfind(_BODY):
            if (left := left - 1) < 0:
                return
            start, end = _place(body.get("start", "0")), _place(body.get("end", str(length)))
            if start is not None and end is not None:
                yield start, end


def _place(text: str | None) -> int | None:
    return int(text) if text and len(text) <= _DIGITS and text.isascii() and text.isdigit() else None
