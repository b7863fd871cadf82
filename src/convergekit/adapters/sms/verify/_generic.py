"""Schemes for gateways that nobody here knows: a profile says what is signed, and how."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from convergekit.errors import SignatureError
from convergekit.http import verify_hmac

from ..profile import pieces_of
from ..references import is_reference
from ._scheme import Call, Check, Scheme, agree, fresh

__all__ = ["SIGNED", "Basic", "Header", "Hmac"]

#: What `signed` may name.
SIGNED: Final = frozenset({"timestamp", "body", "url", "id"})
_NAME: Final = r"^[A-Za-z0-9-]{1,64}$"
_ID: Final = re.compile(rb"[\x21-\x7e]{1,256}")


class Hmac(Scheme):
    """An HMAC (RFC 2104) in a header.

    Args:
        header: Which.
        signed: A template of what is signed: {body}, {url}, {timestamp}, {id}. A brace is written twice.
        digest: Of the HMAC.
        encoding: How the header has it.
        prefix: What stands before it, such as "sha256=".
        timestamp_header: Which has the {timestamp}, in Unix seconds.
        tolerance: Seconds that it may be old.
        id_header: Which has the {id}.
    """

    covers: ClassVar[str] = "what `signed` names"
    header: str = Field(pattern=_NAME)
    signed: str = "{body}"
    digest: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str | None = Field(default=None, pattern=_NAME)
    tolerance: float = Field(default=300.0, gt=0)
    id_header: str | None = Field(default=None, pattern=_NAME)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        parts = self._parts()
        names = [name for _, name in parts if name]
        if unknown := set(names) - SIGNED:
            raise ValueError(f"signed: {', '.join(sorted(unknown))} is none of {', '.join(sorted(SIGNED))}")
        if not {"body", "url"} & set(names):
            raise ValueError("signed: without {body} or {url} it would say nothing about what came")
        for name, header in (("timestamp", self.timestamp_header), ("id", self.id_header)):
            if (name in names) != (header is not None):
                raise ValueError(f"{{{name}}} in `signed` and `{name}_header` go together")
        for (_, name), (between, _) in zip(parts, [*parts[1:], ("", "")], strict=True):
            if name == "id" and not between:
                raise ValueError("signed: {id} needs something behind it, or nobody could tell where it ends")
        return self

    def _parts(self) -> list[tuple[str, str]]:
        """Literals, each with the name behind it, if any."""
        try:
            return [(literal, name or "") for literal, name in pieces_of(self.signed)]
        except ValueError as exc:
            raise ValueError(f"signed: {exc}") from None

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        parts = [(literal.encode(), name) for literal, name in self._parts()]
        names = {name for _, name in parts}
        behind_id = next((after for (_, name), (after, _) in pairwise(parts) if name == "id"), b"")

        def check(call: Call) -> None:
            given = call.header(self.header)
            values = {"": b""}
            if "url" in names:
                values["url"] = call.signed_url.encode("utf-8", "replace")
            # A body that is not signed must not be there; where the URL is not signed, the body is all there is.
            if "body" in names:
                values["body"] = call.request.body if "url" in names else _body(call)
            elif call.request.body:
                raise SignatureError("there is a body, and the signature does not cover it")
            if self.timestamp_header is not None:
                values["timestamp"] = call.header(self.timestamp_header)
                fresh(values["timestamp"], call.now, self.tolerance)
            if self.id_header is not None:
                values["id"] = _told_apart(call.header(self.id_header), behind_id)
            signed = b"".join(literal + values[name] for literal, name in parts)
            verify_hmac(signed, given, secrets, digest=self.digest, encoding=self.encoding, prefix=self.prefix)

        return check


class Basic(Scheme):
    """`Authorization: Basic` (RFC 7617): it proves who calls, and nothing about what is said.

    Args:
        username: That goes with the password.
    """

    covers: ClassVar[str] = "nothing"
    username: str = Field(min_length=1, pattern=r"^[^:]*$")

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        expected = [base64.b64encode(self.username.encode() + b":" + secret) for secret in secrets]

        def check(call: Call) -> None:
            scheme, _, given = call.header("authorization").partition(b" ")
            if scheme.lower() != b"basic":
                raise SignatureError("the header authorization has no user name and password")
            agree(given.strip(b" "), expected)

        return check


class Header(Scheme):
    """A value in a header that only the gateway knows: it proves who calls, and nothing about what is said.

    Args:
        name: Of the header.
        prefix: What stands before it, such as "Bearer ".
    """

    covers: ClassVar[str] = "nothing"
    name: str = Field(pattern=_NAME)
    prefix: str = ""

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        expected = [self.prefix.encode() + secret for secret in secrets]

        def check(call: Call) -> None:
            agree(call.header(self.name), expected)

        return check


def _body(call: Call) -> bytes:
    """The body where the URL is not signed. Beside it may be our own reference, which nobody can guess."""
    return call.body_beside_query if is_reference(call.request.query) else call.body


def _told_apart(id: bytes, behind: bytes) -> bytes:
    """*id*, unless it has what is to part it from what follows: then another message could be cut out of this one."""
    if not _ID.fullmatch(id) or behind in id:
        raise SignatureError("the id is malformed")
    return id
