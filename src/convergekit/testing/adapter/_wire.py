"""What the far side got, read in every form that media have for text and for files."""

from __future__ import annotations

import base64
import binascii
import html
import json
import quopri
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from convergekit.content.measure import fitting
from convergekit.model import TextLimit

__all__ = ["LETTERS", "Wire", "filled"]

#: Outside of ASCII: one that has two forms, one of three bytes, one of four, and a pair that belongs together.
LETTERS: Final = "é漢😀👩‍💻"

_ESCAPES: Final = re.compile(rb'(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]))+')
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}(?:\r?\n[A-Za-z0-9+/_-]+)*")
_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")
_DEEP: Final = 2


class Wire:
    """Bytes that went out, and what stands in them: in JSON, percent-encoded, in base64, in hexadecimal ...

    Args:
        received: The messages, as `Subject.received` has them.
    """

    def __init__(self, *received: bytes) -> None:
        self.received = received
        self._readings = _readings(received)
        self._known: list[bytes] = []

    def holds(self, what: str | bytes) -> bool:
        """Whether all of *what* is there, in one piece and one reading."""
        wanted = what.encode() if isinstance(what, str) else what
        return any(wanted in each for each in self._all())

    def lacks(self, words: Sequence[str]) -> list[str]:
        """Those of *words* that are not there."""
        return [word for word in words if not self.holds(word)]

    def _all(self) -> Iterator[bytes]:
        yield from self._known
        for reading in self._readings:
            self._known.append(reading)
            yield reading


def _readings(received: Sequence[bytes]) -> Iterator[bytes]:
    """*received*, then each once decoded in every way, then twice: base64 in JSON, percent signs in a form."""
    layer, seen = list(received), set(received)
    yield from received
    for _ in range(_DEEP):
        below: list[bytes] = []
        for each in layer:
            for decode in _DECODERS:
                decoded = decode(each)
                if decoded and decoded not in seen:
                    seen.add(decoded)
                    below.append(decoded)
                    yield decoded
        layer = below


def _json(data: bytes) -> bytes:
    return _ESCAPES.sub(_unescaped, data)


def _unescaped(match: re.Match[bytes]) -> bytes:
    text: str = json.loads(b'"' + match[0] + b'"')
    return text.encode("utf-8", "replace")


def _base64(data: bytes) -> bytes:
    return b"\n".join(_decoded(run.translate(None, b"\r\n")) for run in _BASE64.findall(data))


def _decoded(run: bytes) -> bytes:
    standard = run.translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(standard + b"=" * (-len(standard) % 4))
    except binascii.Error:
        return b""


def _hex(data: bytes) -> bytes:
    """Mostly of SMS gateways: UCS-2, else bytes as they are."""
    runs = [bytes.fromhex(run.decode()) for run in _HEX.findall(data)]
    return b"\n".join([*runs, *(run.decode("utf-16-be", "ignore").encode("utf-8", "ignore") for run in runs)])


def _entities(data: bytes) -> bytes:
    return html.unescape(data.decode("utf-8", "replace")).encode() if b"&" in data else b""


_DECODERS: Final[Sequence[Callable[[bytes], bytes]]] = (
    _json,
    _base64,
    unquote_to_bytes,
    lambda data: unquote_to_bytes(data.replace(b"+", b" ")),
    _entities,
    quopri.decodestring,
    _hex,
)


def filled(limit: TextLimit, letters: str = "") -> str:
    """A text of words, no two of them alike, as long as *limit* allows: each with *letters* in it."""
    words = " ".join(f"w{number:06d}{letters}" for number in range(limit.max // 8 + 2))
    text = words[: fitting(words, limit.max, limit.unit)(0)]
    return f"{text[:-1]}x" if text.endswith(" ") else text
