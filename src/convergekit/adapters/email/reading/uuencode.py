"""Files in the form of uuencode, as the encoding of a part or in the middle of a text: what there was before MIME."""

from __future__ import annotations

import binascii
import re
from typing import Final

__all__ = ["decode", "split"]

#: POSIX.1 uuencode. No line of it holds a small letter, so that "begin" and "end" cannot be meant otherwise.
_FILE: Final = re.compile(
    r"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n((?:[!-_][ -`]{0,90}\r?\n)*+)(?:[ `]?\r?\n)?end[ \t]*+\r?(?:\n|\Z)", re.M
)
_MOST: Final = 1000


def decode(body: bytes) -> bytes | None:
    """The first file in *body*; None where there is none, or a damaged one."""
    found = _FILE.search(str(body, "latin-1"))
    return _content(found[2]) if found else None


def split(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """*text* without the first thousand files in it, and those: name and content. What is damaged stays in it."""
    files: list[tuple[str, bytes]] = []
    if "begin " not in text:
        return text, files

    def take(found: re.Match[str]) -> str:
        content = _content(found[2])
        if content is None:
            return found[0]
        files.append((found[1], content))
        return ""

    return _FILE.sub(take, text, _MOST), files


def _content(lines: str) -> bytes | None:
    try:
        return b"".join(binascii.a2b_uu(_without_rest(line)) for line in lines.splitlines())
    except binascii.Error:
        return None


def _without_rest(line: str) -> str:
    """As many characters as the line's length, its first, asks for: some programs write more behind them."""
    return line[: 1 + ((ord(line[0]) - 32 & 63) * 4 + 2) // 3]
