"""What others wrote, as it can be kept: ids, lines, names of languages. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["identifier", "language", "line"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}")  # BCP 47
_LONGEST_ID: Final = 1024
_LONGEST_LINE: Final = 8192  # that a `Line` of the model holds


def identifier(text: str | None) -> str | None:
    """*text*, if it can be kept as an id: not empty, of some length, without control characters."""
    if not text or len(text) > _LONGEST_ID:
        return None
    return text if text.isprintable() or not _CONTROL.search(text) else None


def line(text: str | None, longest: int = _LONGEST_LINE) -> str | None:
    """*text* on one line: what parts lines is a space. None where nothing is left."""
    if not text:
        return None
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    return text.strip()[:longest] or None


def language(text: str | None) -> str | None:
    """*text*, if it names a language."""
    return text if text and _LANGUAGE.fullmatch(text) else None
