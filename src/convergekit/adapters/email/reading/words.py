"""Encoded words (RFC 2047): how a header of ASCII holds any text."""

from __future__ import annotations

import binascii
import re
from itertools import groupby
from typing import Final

from . import charsets, transfer

__all__ = ["decode"]

# One way to match, and its end within reach: a header full of "=?" takes linear time.
_WORD: Final = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*+)\?=")


def decode(text: str) -> str:
    """*text* with its encoded words decoded, also where they stand without the space that they need around them."""
    if "=?" not in text:
        return text
    pieces: list[str] = []
    words: list[tuple[str, bytes]] = []  # neighbours
    behind = 0
    for match in _WORD.finditer(text):
        between = text[behind : match.start()]
        if between.strip() or not words:  # RFC 2047 §6.2: white space between two words is none
            pieces += (*_joined(words), between)
            words = []
        charset = match[1].partition("*")[0].lower()  # RFC 2231 §5: a language may follow
        words.append((charset, _bytes(match[2], match[3])))
        behind = match.end()
    return "".join((*pieces, *_joined(words), text[behind:]))


def _bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return binascii.a2b_qp(data, header=True) if encoding in "qQ" else transfer.base64(data)


def _joined(words: list[tuple[str, bytes]]) -> list[str]:
    """As text. Neighbours in one charset are decoded as one: many programs cut characters in two."""
    return [
        charsets.decode(b"".join(data for _, data in group), charset)[0]
        for charset, group in groupby(words, lambda word: word[0])
    ]
