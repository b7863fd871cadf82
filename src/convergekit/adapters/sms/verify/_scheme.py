"""What every scheme stands on: one call, looked at with bounded work, and refused with one type of error."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, ConfigDict

from convergekit.abc import Request
from convergekit.errors import SignatureError

__all__ = ["FUTURE", "Call", "Check", "Scheme", "agree", "fields", "fresh"]

#: Seconds by which a gateway's clock may be before ours.
FUTURE: Final = 300.0
_MAX_HEADER: Final = 8192
_MAX_FIELDS: Final = 1000
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
#: How a body begins that is JSON, or markup, whatever it says that it is.
_NO_FORM: Final = re.compile(rb"\s*+(?:[\[{<]|\xef\xbb\xbf|.{0,3}\0)", re.DOTALL)
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Call:
    """What came.

    Args:
        request: As it came.
        url: The public URL of it, with the query; None where no setting says it.
        now: Unix seconds.
    """

    request: Request
    url: str | None
    now: float

    def header(self, name: str) -> bytes:
        """The field *name*; raises `SignatureError` where it is missing, empty, or longer than any of them is."""
        value = self.request.headers.get(name, "")
        if not 0 < len(value) <= _MAX_HEADER:
            raise SignatureError(f"the header {name} is missing, or longer than it ever is")
        return value.encode("latin-1", "replace")

    @property
    def signed_url(self) -> str:
        """The public URL; raises `SignatureError` where it is not known."""
        if self.url is None:
            raise SignatureError("the signature covers the URL: set callback_url")
        return self.url

    @property
    def query(self) -> bytes:
        """As it came."""
        return self.request.query.encode("latin-1", "replace")

    @property
    def body(self) -> bytes:
        """As it came, where it is all that is signed.

        Raises `SignatureError` where it proves nothing: there is none, or it is not what is read, since it came with a
        GET or has a query beside it.
        """
        if self.request.query:
            raise SignatureError("there is a query, and the signature does not cover it")
        return self.body_beside_query

    @property
    def body_beside_query(self) -> bytes:
        """The same for whoever has looked at the query."""
        if not self.request.body:
            raise SignatureError("the signature covers the body, and there is none")
        if self.request.method in ("GET", "HEAD"):
            raise SignatureError("the signature covers the body, which is not read of a GET")
        return self.request.body

    @property
    def form(self) -> bytes:
        """The body of a form; raises `SignatureError` where it would be read as something else, JSON above all."""
        if _NO_FORM.match(self.request.body):
            raise SignatureError("the body says that it is a form, and looks like none")
        return self.request.body

    @property
    def media_type(self) -> str:
        """Of the body, in lower case and without parameters."""
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        """Whether the body says that it is a form."""
        return self.media_type == _FORM


#: Raises `SignatureError`, and nothing else.
Check: TypeAlias = Callable[[Call], None]


class Scheme(BaseModel):
    """One way to sign; its fields are its options, as a profile says them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    #: What the signature vouches for, for people.
    covers: ClassVar[str]

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        """The check, with *secrets*, any of which fits; raises `ValueError` for one that can be none."""
        raise NotImplementedError


def agree(given: bytes, expected: Iterable[bytes]) -> None:
    """Raise `SignatureError` unless *given* is one of *expected*; each is compared, in constant time."""
    if True not in [hmac.compare_digest(given, each) for each in expected]:
        raise SignatureError("the signature does not fit: another secret or URL, or something was changed on the way")


def fresh(seconds: bytes, now: float, tolerance: float) -> None:
    """Raise `SignatureError` unless *seconds* is a Unix time at most *tolerance* before *now*, and hardly after it."""
    if not _TIMESTAMP.fullmatch(seconds):
        raise SignatureError("the timestamp is missing or malformed")
    age = now - int(seconds)
    if not -min(tolerance, FUTURE) <= age <= tolerance:
        raise SignatureError(f"the timestamp is more than {tolerance:g} s old, or lies in the future")


def fields(encoded: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of a form or a query, in order, empty ones too; raises `SignatureError` for thousands."""
    pieces = encoded.split(b"&", _MAX_FIELDS)
    if len(pieces) > _MAX_FIELDS:
        raise SignatureError(f"more than {_MAX_FIELDS} fields")
    pairs = [piece.replace(b"+", b" ").partition(b"=") for piece in pieces if piece]
    return [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs]
