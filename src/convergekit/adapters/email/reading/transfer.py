"""Transfer encodings (RFC 2045 §6), undone as far as that goes: nothing raises, and no byte that may matter is lost."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from typing import Final

from . import uuencode

__all__ = ["base64", "decode", "parse"]

_WHITE: Final = b" \t\r\n"
_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_BASE64_LINES: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4,}+={0,2}+[ \t]*+\r?+(?:\n|\Z))*+")
_PIECES: Final = 1000
_MENDED: Final = 10_000
#: An equals sign that encodes nothing. At the end of all it is a line break that was cut off.
_STRAY: Final = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n|\r?\Z)")
_SOFT_BREAK: Final = re.compile(rb"=[ \t]++(?=\r?\n|\r?\Z)")


def parse(value: str | None) -> tuple[str, str | None]:
    """What a Content-Transfer-Encoding means: a key of `decode`, "" for none, and what is wrong with it, or None."""
    if value is None:
        return "", None
    name = value.partition(";")[0].partition("(")[0].strip().lower().replace(" ", "-").replace("_", "-")
    if name in _NAMES:
        return _NAMES[name], None
    return "", "the transfer encoding is not known, and taken for none"


def decode(encoding: str, raw: bytes, start: int, end: int) -> tuple[bytes, str | None]:
    """The content of what stands in *raw* from *start* to *end*, and what is wrong with its encoding, or None."""
    return _DECODERS[encoding](raw, start, end)


def base64(data: bytes) -> bytes:
    """The bytes that *data* stands for, as far as it goes."""
    return _base64(data, 0, len(data))[0]


def _identity(raw: bytes, start: int, end: int) -> tuple[bytes, str | None]:
    return raw[start:end], None


def _base64(raw: bytes, start: int, end: int) -> tuple[bytes, str | None]:
    try:
        data = binascii.a2b_base64(memoryview(raw)[start:end])
    except binascii.Error:
        return _mended(raw[start:end])
    return (data, None) if _is_all(len(data), raw, start, end) else _mended(raw[start:end])


def _is_all(size: int, raw: bytes, start: int, end: int) -> bool:
    """Whether so many bytes stand there: the decoder passes over what it does not know, and stops behind an "="."""
    while end > start and raw[end - 1] in _WHITE:
        end -= 1
    line_end = raw.find(b"\n", start, end)
    width = 2 if line_end > start and raw[line_end - 1] == 13 else 1
    letters = end - start - width * raw.count(b"\n", start, end)
    return letters % 4 == 0 and size == letters // 4 * 3 - raw.count(b"=", max(start, end - 2), end)


def _mended(body: bytes) -> tuple[bytes, str | None]:
    lines = _BASE64_LINES.match(body)
    rest = body[lines.end() :] if lines else body
    length = len(rest.translate(None, b"\r\n"))
    if (length - len(rest.translate(None, _NOT_BASE64))) * 12 > length:
        # Words and spaces were never encoded: a mailing list wrote below, or somebody only said that it is base64.
        return _pieces(
            body[: len(body) - len(rest)].translate(None, _NOT_BASE64)
        ) + rest, "plain text stands where base64 should"
    clean = body.translate(None, _NOT_BASE64)
    is_whole = (
        len(clean) == len(body.translate(None, _WHITE)) and len(clean) % 4 == 0 and b"=" not in clean.rstrip(b"=")
    )
    return _pieces(clean), None if is_whole else "the base64 is damaged"


def _pieces(clean: bytes) -> bytes:
    """Decode what stands between the padding: some programs encode bit by bit and join that."""
    pieces = clean.split(b"=", _PIECES)
    pieces[-1] = pieces[-1].replace(b"=", b"")
    return b"".join(_padded(piece) for piece in pieces if piece)


def _padded(piece: bytes) -> bytes:
    if len(piece) % 4 == 1:
        piece = piece[:-1]  # six bits are no byte
    return binascii.a2b_base64(piece + b"=" * (-len(piece) % 4))


def _quoted_printable(raw: bytes, start: int, end: int) -> tuple[bytes, str | None]:
    if _STRAY.search(raw, start, end) is None:
        return binascii.a2b_qp(memoryview(raw)[start:end]), None
    # The decoder keeps a stray sign as it is, but loses one of two and what follows one at the end of a line. Those are
    # mended as long as there are no more than a writer might have made: each takes memory.
    body = _STRAY.sub(b"=3D", _SOFT_BREAK.sub(b"=", raw[start:end], _MENDED), _MENDED)
    return binascii.a2b_qp(body), "the quoted-printable is damaged"


def _uuencode(raw: bytes, start: int, end: int) -> tuple[bytes, str | None]:
    body = raw[start:end]
    data = uuencode.decode(body)
    return (body, "the uuencode is damaged") if data is None else (data, None)


_DECODERS: Final[Mapping[str, Callable[[bytes, int, int], tuple[bytes, str | None]]]] = {
    "": _identity,
    "base64": _base64,
    "quoted-printable": _quoted_printable,
    "uuencode": _uuencode,
}
_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("", "7bit", "8bit", "binary", "7-bit", "8-bit"), ""),
    **dict.fromkeys(("base64", "base-64"), "base64"),
    **dict.fromkeys(("quoted-printable", "quotedprintable"), "quoted-printable"),
    **dict.fromkeys(("x-uuencode", "uuencode", "x-uue", "uue"), "uuencode"),
}
