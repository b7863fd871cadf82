"""What schemes stand on: a call looked at with bounded work, and refused with one type of error.

A value that came is compared as bytes, in constant time, and is decoded only where nothing else will do.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from convergekit.errors import SignatureError

from ._scheme import Incoming

__all__ = [
    "ID",
    "MAX_SIGNATURES",
    "agree",
    "agree_any",
    "form_fields",
    "fresh",
    "header_of",
    "is_form",
    "optional_id",
    "signed_url",
]

#: What an id of a message is made of.
ID: Final = re.compile(r"[\x21-\x7e]{1,256}")
#: Signatures looked at in one header: rotation needs two, and nobody has to be patient with a thousand.
MAX_SIGNATURES: Final = 16
_MAX_HEADER: Final = 8192
_MAX_FIELDS: Final = 1000
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
_FORM: Final = "application/x-www-form-urlencoded"
#: How a body begins that is JSON, or markup, whatever it says that it is.
_NO_FORM: Final = re.compile(rb"\s*+(?:[\[{<]|\xef\xbb\xbf|.{0,3}\0)", re.DOTALL)


def header_of(request: Incoming, name: str) -> bytes:
    """The header *name*; raises `SignatureError` where it is missing, empty, or longer than 8 KiB."""
    value = request.headers.get(name, "")
    if not 0 < len(value) <= _MAX_HEADER:
        raise SignatureError(f"the header {name} is missing, or longer than it ever is")
    return value.encode("latin-1", "replace")


def optional_id(request: Incoming, name: str) -> str | None:
    """The id in the header *name*; None where there is none, or what is there is none."""
    value = request.headers.get(name, "")
    return value if ID.fullmatch(value) else None


def agree(given: bytes, expected: Iterable[bytes]) -> int:
    """The index of *given* among *expected*; see `agree_any`."""
    return agree_any([given], expected)


def agree_any(offered: Iterable[bytes], expected: Iterable[bytes]) -> int:
    """The index of the first of *expected* that is among *offered*; each pair is compared, in constant time.

    Raises:
        SignatureError: None of them is.
    """
    offered = list(offered)
    fits = [True in [hmac.compare_digest(one, each) for one in offered] for each in expected]
    if True not in fits:
        raise SignatureError("the signature does not fit: another secret or URL, or something was changed on the way")
    return fits.index(True)


def fresh(seconds: bytes, now: float, tolerance: float, future: float | None = None) -> int:
    """The Unix time that *seconds* is.

    Args:
        seconds: As they came.
        now: In Unix seconds.
        tolerance: Seconds by which it may lie in the past.
        future: And in the future, where that is another number.

    Raises:
        SignatureError: It is none, or is too far from *now*.
    """
    if not _TIMESTAMP.fullmatch(seconds):
        raise SignatureError("the timestamp is missing or malformed")
    found = int(seconds)
    if not -(tolerance if future is None else future) <= now - found <= tolerance:
        raise SignatureError(f"the timestamp is more than {tolerance:g} s away from our clock")
    return found


def signed_url(request: Incoming) -> str:
    """The public URL; raises `SignatureError` where it is not known."""
    if request.url is None:
        raise SignatureError("the signature covers the URL, and nobody said how we are called from outside")
    return request.url


def is_form(request: Incoming) -> bool:
    """Whether the body says that it is a form; raises `SignatureError` for one that would be read as JSON."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
    if said and _NO_FORM.match(request.body):
        raise SignatureError("the body says that it is a form, and looks like none")
    return said


def form_fields(encoded: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of a form or a query, in order, empty ones too; raises `SignatureError` for thousands."""
    pieces = encoded.split(b"&", _MAX_FIELDS)
    if len(pieces) > _MAX_FIELDS:
        raise SignatureError(f"more than {_MAX_FIELDS} fields")
    pairs = [piece.replace(b"+", b" ").partition(b"=") for piece in pieces if piece]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]
