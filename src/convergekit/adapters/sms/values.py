"""What single values of a gateway mean: when, in which letters, which part, and what may be an id. Pure.

What makes no sense is no reason to refuse a message: a date that cannot be is None, and a text that is not encoded as
the profile says stays as it came.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from convergekit.content.udh import read_header
from convergekit.errors import InvalidInputError

__all__ = ["Position", "decoded", "digest", "halves", "key", "line", "moment", "position", "position_in_udh"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_LONGEST_ID: Final = 500
_ZONE: Final = re.compile(r"\s+(?=[+-]\d\d:?\d\d$|Z$)")
#: SMS is younger than the one, and nobody has to write after the other.
_AHEAD: Final = timedelta(days=1)
_FIRST, _LAST = datetime(1992, 12, 3, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """Which part of a longer message something is: its set, its number from 1, and how many there are."""

    reference: str
    number: int
    total: int


def line(text: str | None, limit: int = _LONGEST_ID) -> str | None:
    """*text* as one line, or None where nothing is left of it.

    Raises:
        InvalidInputError: It is longer than *limit*.
    """
    if text is None:
        return None
    text = (text if text.isprintable() else _CONTROL.sub(" ", text)).strip()
    if len(text) > limit:
        raise InvalidInputError(f"an id, a name or a word is longer than {limit} characters")
    return text or None


def key(kind: str, *pieces: str) -> str:
    """A key of an event: readable, and within what a key may be."""
    plain = ":".join((kind, *pieces))
    return plain if len(plain) <= _LONGEST_ID else f"{kind}#{digest(*pieces)}"


def digest(*pieces: Any) -> str:
    """The same for the same *pieces*, which are JSON."""
    return hashlib.sha256(json.dumps(pieces, sort_keys=True).encode()).hexdigest()


def moment(text: str | None, form: str, now: datetime | None = None) -> datetime | None:
    """When *text* is: ISO 8601 in any of its usual spellings ("iso"), "unix", "unix_ms", or as `strptime` reads it.

    Returns:
        None where it is no such thing, or before there was SMS, or after this century; with *now*, which is when it
        came, also where that is more than a day later. What is dated later than it was told would stand against all
        that is said after it.
    """
    if text is None or len(text) > 100:
        return None
    try:
        found = _moment(text.strip(), form)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        if not _FIRST <= found < (_LAST if now is None else now + _AHEAD):
            return None
        return found if found.tzinfo is UTC else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _moment(text: str, form: str) -> datetime:
    match form:
        case "iso":
            return datetime.fromisoformat(text if " " not in text else _ZONE.sub("", text))
        case "unix":
            return datetime.fromtimestamp(float(text), UTC)
        case "unix_ms":
            return datetime.fromtimestamp(float(text) / 1000, UTC)
        case _:
            return datetime.strptime(text, form)  # noqa: DTZ007 - it is UTC where it does not say


def decoded(text: str, how: str, raw: bytes | None = None) -> str:
    """*text* as its sender wrote it.

    Args:
        text: As it came.
        how: See `profile.Decoding`.
        raw: The bytes behind *text*, before any charset was applied; or None.
    """
    try:
        match how:
            case "latin1-hex":
                return _clean(bytes.fromhex(text).decode("latin-1"))
            case "base64":
                return _clean(base64.b64decode(text, validate=True).decode())
            case _:  # an emoji of which a handset has cut off one half loses that half, and no more
                return _clean(_utf16be(text, how, raw).decode("utf-16-be", "replace"))
    except (ValueError, binascii.Error):  # a UnicodeError is a ValueError
        return text


def halves(text: str, how: str, raw: bytes | None = None) -> tuple[str, str]:
    """The halves of characters that *text* begins and ends with, where it is a part that was cut inside of them.

    Args:
        text: As it came.
        how: See `profile.Decoding`.
        raw: The bytes behind *text*, or None.

    Returns:
        The low surrogate in front and the high one at the end, as four hexadecimal digits each; "" for none.
    """
    try:
        content = _utf16be(text, how, raw) if how.startswith("utf16be") else b""
    except ValueError:
        return "", ""
    first, last = content[:2], content[-2:]
    return (
        first.hex() if b"\xdc" <= first < b"\xe0" else "",
        last.hex() if b"\xd8" <= last < b"\xdc" else "",
    )


def _utf16be(text: str, how: str, raw: bytes | None) -> bytes:
    match how:
        case "utf16be-percent":  # a + can only be a space there: whoever encodes bytes writes a plus as %2B
            content = unquote_to_bytes(text.replace("+", " ").encode("ascii"))
        case "utf16be-hex":
            content = bytes.fromhex(text)
        case _:
            content = text.encode("latin-1") if raw is None else raw
    if len(content) % 2:
        raise ValueError("half of a code unit is missing")
    return content.removeprefix(b"\xfe\xff")


def _clean(text: str) -> str:
    return text.replace("\0", "")


def position(reference: str | None, number: str | None, total: str | None) -> Position | None:
    """Which part something is by three values; None where it is a message of its own, or where they make no sense."""
    if not reference or number is None or total is None:
        return None
    if not (number.isascii() and number.isdigit() and total.isascii() and total.isdigit() and len(number + total) < 9):
        return None
    return _part(reference, int(number), int(total))


def position_in_udh(raw: bytes) -> Position | None:
    """Which part something is by its user data header, which may be in hexadecimal digits, with or without %.

    Source:
        3GPP TS 23.040 §9.2.3.24.
    """
    header = raw[:1000]
    if not header or header[0] != len(header) - 1:  # the first octet says how many follow
        try:
            header = bytes.fromhex(header.decode("ascii").replace("%", ""))
        except ValueError:
            return None
    found = read_header(header).concatenation
    if found is None:
        return None
    # The same number in 8 and in 16 bits is of different messages.
    return _part(f"{found.reference:0{found.reference_bits // 4}x}", found.number, found.total)


def _part(reference: str, number: int, total: int) -> Position | None:
    return Position(reference, number, total) if 1 <= number <= total <= 255 and total > 1 else None
