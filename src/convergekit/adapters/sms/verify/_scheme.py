"""What every scheme stands on: one call, and what of it proves anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypeAlias

from pydantic import BaseModel, ConfigDict

from convergekit.abc import Request
from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http import signatures
from convergekit.http.signatures import SignatureScheme, header_of

__all__ = ["FUTURE", "Call", "Check", "Scheme", "by", "fresh"]

#: Seconds by which a gateway's clock may be before ours.
FUTURE: Final = 300.0


@dataclass(frozen=True, slots=True)
class Call:
    """What came.

    Args:
        request: As it came, with the public URL of it; None where no setting says that.
        at: When; aware.
    """

    request: Request
    at: datetime

    @property
    def now(self) -> float:
        """When, in Unix seconds."""
        return self.at.timestamp()

    def header(self, name: str) -> bytes:
        """The field *name*; raises `SignatureError` where it is missing, empty, or longer than any of them is."""
        return header_of(self.request, name)

    @property
    def signed_url(self) -> str:
        """The public URL; raises `SignatureError` where it is not known."""
        if self.request.url is None:
            raise SignatureError("the signature covers the URL: set callback_url")
        return self.request.url

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


def by(make: Callable[[], SignatureScheme]) -> Check:
    """The check of a scheme that others sign by, too; raises `ValueError` where its secrets can be none."""
    try:
        scheme = make()
    except ConfigurationError as exc:
        raise ValueError(str(exc)) from None

    def check(call: Call) -> None:
        scheme.verify(call.request, call.at)

    return check


def fresh(seconds: bytes, now: float, tolerance: float) -> None:
    """Raise `SignatureError` unless *seconds* is a Unix time at most *tolerance* before *now*, and hardly after it."""
    signatures.fresh(seconds, now, tolerance, min(tolerance, FUTURE))
