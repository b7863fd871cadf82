"""Bytes as text: in the charset that they are declared to be in, or that they look like. Pure."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

__all__ = ["charset_of", "decoded"]

_CHARSET: Final = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:+-]{1,40})""", re.IGNORECASE)
#: Those of Python's codecs that are charsets and not, say, idna or zip; UTF-7 hides what it says.
_CODECS: Final = re.compile(r"utf-?(8|16|32)(-[bl]e)?|iso8859-\d+|cp\d+|ascii|koi8-\w|gb\w+|big5\w*|shift_\w+|euc_\w+")
_PLAIN: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.:+ "


@lru_cache(maxsize=64)
def charset_of(content_type: str) -> str | None:
    """The charset that *content_type* declares, as it is spelt there; or None."""
    found = _CHARSET.search(content_type)
    return found and found[1]


def decoded(content: bytes, charset: str | None) -> str:
    """*content* as text: in *charset*, where it is one that is known here; else in UTF-8, else in latin-1."""
    codec = _codec(charset) if charset is not None else None
    try:
        return content.decode(codec or "utf-8")
    except UnicodeDecodeError:
        return content.decode(codec or "latin-1", "replace")


@lru_cache(maxsize=64)
def _codec(charset: str) -> str | None:
    """Python's name for *charset*, or None where it is UTF-8 in other words, or nothing that we read."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return None
    if name in ("utf-8", "ascii") or not _CODECS.fullmatch(name):
        return None
    # No signature covers what is declared. Where digits were others than in ASCII, an id would be another one.
    return name if _PLAIN.decode(name, "replace") == _PLAIN.decode() else None
