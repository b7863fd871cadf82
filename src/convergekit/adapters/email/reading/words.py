"""Encoded words (RFC 2047): how a header of ASCII holds any text."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final, NamedTuple

from . import charsets, transfer

__all__ = ["decode"]

# One way to match, and its end within reach: a header full of "=?" takes linear time.
_WORD: Final = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*+)\?=")


def decode(text: str) -> str:
    """*text* with its encoded words decoded, also where they stand without the space that they need around them."""
    if "=?" not in text:
        return text
    pieces: list[str] = []
    words: list[_Word] = []  # neighbours
    behind = 0
    for match in _WORD.finditer(text):
        between = text[behind : match.start()]
        if between.strip() or not words:  # RFC 2047 §6.2: white space between two words is none
            pieces += (*_decoded(words), between)
            words = []
        charset = match[1].partition("*")[0].lower()  # RFC 2231 §5: a language may follow
        words.append(_Word(charset, match[2].lower(), match[3]))
        behind = match.end()
    return "".join((*pieces, *_decoded(words), text[behind:]))


class _Word(NamedTuple):
    charset: str
    encoding: str
    text: str


def _decoded(words: list[_Word]) -> Iterator[str]:
    """Neighbours of one kind are decoded as one: many programs cut characters in two, and base64 anywhere."""
    for (charset, encoding), group in groupby(words, lambda word: word[:2]):
        data = "".join(word.text for word in group).encode("utf-8", "replace")
        content = binascii.a2b_qp(data, header=True) if encoding == "q" else transfer.base64(data)
        yield charsets.decode(content, charset)[0]
