"""The header of a mail or of a part: split into fields at once, decoded when somebody asks.

Rules kept here:

- No control character leaves this module, and no value is longer than a `Line`.
- Of fields that may stand there once only, the first counts, for each program reads it like that or refuses the mail.
- Lines that are no fields are passed over if the header goes on behind them; else the body has begun.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from . import charsets, words

__all__ = ["LONGEST", "Block", "Headers", "printable", "split"]

#: Of one header, in octets; what stands behind that is left out.
LONGEST: Final = 256 * 1024
_LINE: Final = 8192  # characters, as of `convergekit.model.Line`
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

#: RFC 5322 §2.2 and §3.6.8, with the white space before the colon of §4.5, up to where its folds end.
_FIELD: Final = re.compile(rb"([!-9;-~]{1,1000}+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_LIKELY: Final = re.compile(
    rb"(?:from|to|cc|bcc|sender|reply-to|subject|date|message-id|in-reply-to|references|received|return-path"
    rb"|mime-version|delivered-to|precedence|importance|auto-submitted|authentication-results"
    rb"|(?:content|x|list|arc|dkim|resent|thread)-[!-9;-~]+):",
    re.IGNORECASE,
)
_BLANK_LINE: Final = re.compile(rb"\r?\n")
_BLANK: Final = re.compile(rb"\n\r?\n")


class Headers:
    """Fields in the order in which they stand there; names in any case.

    Args:
        fields: Name in lower case, and value as it stands there, with its folds.
    """

    __slots__ = ("_fields", "_first")

    def __init__(self, fields: Sequence[tuple[str, bytes]] = ()) -> None:
        self._fields = fields
        self._first = dict(reversed(fields))

    @classmethod
    def parse(cls, block: bytes) -> Headers:
        """The fields that *block* begins with: a header that a report returns, or a group of fields of one."""
        return split(block, 0, len(block)).headers

    def get(self, name: str) -> str | None:
        """The first of that name, or None: unfolded, decoded, one line of at most 8,192 characters."""
        value = self._first.get(name.lower())
        return None if value is None else _one_line(value)

    def all(self, name: str) -> list[str]:
        """Each of that name, as `get` gives the first."""
        return [_one_line(value) for value in self.all_raw(name)]

    def raw(self, name: str) -> bytes | None:
        """The first of that name, or None: unfolded, and not decoded."""
        value = self._first.get(name.lower())
        return None if value is None else _unfolded(value)

    def all_raw(self, name: str) -> list[bytes]:
        """Each of that name, as `raw` gives the first."""
        name = name.lower()
        return [_unfolded(value) for each, value in self._fields if each == name] if name in self._first else []

    def count(self, name: str) -> int:
        """How many there are of that name."""
        return sum(each == name.lower() for each, _ in self._fields) if name.lower() in self._first else 0

    def names(self) -> list[str]:
        """In lower case and in order, as often as they stand there."""
        return [name for name, _ in self._fields]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __len__(self) -> int:
        return len(self._fields)


def _one_line(value: bytes) -> str:
    """A value as one line of text, with its encoded words (RFC 2047) decoded."""
    return printable(words.decode(charsets.guess(_unfolded(value))))


def printable(text: str) -> str:
    """*text* as a `Line`: runs of control characters are one space."""
    return (text if text.isprintable() else _CONTROL.sub(" ", text)).strip()[:_LINE]


def _unfolded(value: bytes) -> bytes:
    return (value.replace(b"\r\n", b"").replace(b"\n", b"") if b"\n" in value else value).strip()


class Block(NamedTuple):
    """A header that was found.

    Args:
        headers: Its fields.
        end: Where the body begins.
        defects: What is wrong with it.
    """

    headers: Headers
    end: int
    defects: tuple[str, ...] = ()


def split(
    raw: bytes, start: int, end: int, *, most: int = 20_000, is_end: Callable[[int], bool] = lambda position: False
) -> Block:
    """Read the header that begins at *start*: *most* fields, and `LONGEST` octets.

    It ends before *end*, and before a line of which *is_end* says so.
    """
    limit = min(end, start + LONGEST)
    fields: list[tuple[str, bytes]] = []
    defects: tuple[str, ...] = ()
    position, lines = start, 0
    while position < limit and lines < most:
        lines += 1
        if field := _FIELD.match(raw, position, limit):
            if raw.startswith(b"--", position) and is_end(position):
                return Block(Headers(fields), position, defects)
            fields.append((field[1].decode("ascii").lower(), field[2]))
            position = field.end()
        elif blank := _BLANK_LINE.match(raw, position, end):
            return Block(Headers(fields), blank.end(), defects)
        else:
            behind = raw.find(b"\n", position, limit) + 1 or limit
            if raw[position] not in b" \t" and not _LIKELY.match(raw, behind, limit):
                missing = () if is_end(position) else ("no blank line stands between header and body",)
                return Block(Headers(fields), position, defects + missing)
            defects = ("a line in the header is no field",)
            position = behind
    if position >= end:
        return Block(Headers(fields), end, defects)
    # Too much of it: what is left of the header is left out, up to the blank line.
    blank = _BLANK.search(raw, position - 1, end)
    return Block(
        Headers(fields), blank.end() if blank else end, (*defects, "the header is too long; its end is left out")
    )
