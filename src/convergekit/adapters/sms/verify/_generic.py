"""Schemes for gateways that nobody here knows: a profile says what is signed, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from convergekit.errors import ConfigurationError
from convergekit.http import signatures
from convergekit.http.bodies import names_in

from ..references import is_reference
from ._scheme import Call, Check, Scheme, by

__all__ = ["SIGNED", "Basic", "Header", "Hmac"]

#: What `signed` may name.
SIGNED: Final = frozenset({"timestamp", "body", "url", "id"})
_NAME: Final = r"^[A-Za-z0-9-]{1,64}$"


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
        try:
            self._made(())
        except ConfigurationError as exc:
            raise ValueError(str(exc)) from None
        if self.id_header is not None and "id" not in self._signed:
            raise ValueError("{id} in `signed` and `id_header` go together")
        return self

    @property
    def _signed(self) -> frozenset[str]:
        return frozenset(names_in(self.signed))

    def _made(self, secrets: Sequence[bytes]) -> signatures.Hmac:
        return signatures.Hmac(secrets, **self.model_dump())

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        check, covers_url = by(lambda: self._made(secrets)), "url" in self._signed

        def covering(call: Call) -> None:
            if covers_url:
                _ = call.signed_url  # where it is missing, the setting is named
            elif not is_reference(call.request.query):  # our own, which nobody can guess, may be beside the body
                _ = call.body
            else:
                _ = call.body_beside_query
            check(call)

        return covering


class Basic(Scheme):
    """`Authorization: Basic` (RFC 7617): it proves who calls, and nothing about what is said.

    Args:
        username: That goes with the password.
    """

    covers: ClassVar[str] = "nothing"
    username: str = Field(min_length=1, pattern=r"^[^:]*$")

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        return by(lambda: signatures.BasicAuth(secrets, username=self.username))


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
        return by(lambda: signatures.HeaderToken(secrets, header=self.name, prefix=self.prefix))
