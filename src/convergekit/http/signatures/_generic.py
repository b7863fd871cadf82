"""Schemes that need no code of their own: what is signed, and how, is said by options."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

from convergekit.errors import ConfigurationError, SignatureError

from .._templates import pieces_of
from ..syntax import is_token
from ._checks import agree, fresh, header_of, optional_id, signed_url
from ._hmac import Encoding, hmac_signature, verify_hmac
from ._keyed import Keyed, Leaving, Secrets, tolerance_of
from ._scheme import Incoming, Verified

__all__ = ["BasicAuth", "HeaderToken", "Hmac", "SecretPath"]

_SIGNED: Final = frozenset({"timestamp", "body", "url", "id"})
_ON_ONE_LINE: Final = re.compile(rb"[\x20-\x7e]{1,8192}")
_SHORTEST_PATH: Final = 16


class Hmac(Keyed):
    """An HMAC (RFC 2104) in a header.

    Args:
        secrets: Text, used as its bytes; the first signs.
        header: Which.
        signed: A template of what is signed: {body}, {url}, {timestamp}, {id}. A brace is written twice.
        digest: Of the HMAC.
        encoding: How the header has it.
        prefix: What stands before it, such as "sha256=".
        timestamp_header: Which has the {timestamp}, in Unix seconds.
        tolerance: Seconds by which that may differ from our clock.
        id_header: Which has the id. Where {id} is not in `signed`, `Verified.id` is whatever the header says.

    Raises:
        ConfigurationError: These do not go together.
    """

    __slots__ = (
        "_behind_id",
        "_digest",
        "_encoding",
        "_header",
        "_id",
        "_names",
        "_parts",
        "_prefix",
        "_timestamp",
        "tolerance",
    )

    def __init__(
        self,
        secrets: Secrets,
        *,
        header: str,
        signed: str = "{body}",
        digest: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256",
        encoding: Encoding = "hex",
        prefix: str = "",
        timestamp_header: str | None = None,
        tolerance: float = 300.0,
        id_header: str | None = None,
    ) -> None:
        super().__init__(secrets)
        self._parts = _parts_of(signed)
        self._header, self._timestamp, self._id = _name(header), _if_any(timestamp_header), _if_any(id_header)
        self._digest, self._prefix = digest, prefix
        self._encoding: Encoding = encoding
        self.tolerance = tolerance_of(tolerance)
        self._names = names = frozenset(name for _, name in self._parts)
        if ("timestamp" in names) != (timestamp_header is not None):
            raise ConfigurationError("{timestamp} in `signed` and `timestamp_header` go together")
        if "id" in names and id_header is None:
            raise ConfigurationError("{id} in `signed` needs `id_header`")
        #: What parts an id that is signed from what follows; None where none is signed.
        self._behind_id = next((after for (_, name), (after, _) in pairwise(self._parts) if name == "id"), None)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        given, names = header_of(request, self._header), self._names
        values, timestamp, id = {"body": request.body}, None, None
        if "url" in names:
            values["url"] = signed_url(request).encode("utf-8", "replace")
        if "body" not in names and request.body:
            raise SignatureError("there is a body, and the signature does not cover it")
        if self._timestamp is not None:
            values["timestamp"] = header_of(request, self._timestamp)
            timestamp = fresh(values["timestamp"], now.timestamp(), self.tolerance)
        if self._id is not None:
            id = optional_id(request, self._id)
        if "id" in names:
            values["id"] = self._told_apart(id, SignatureError)
        signed = self._filled(values)
        key = verify_hmac(
            signed, given, self._secrets, digest=self._digest, encoding=self._encoding, prefix=self._prefix
        )
        return Verified(id, timestamp, key)

    def _signed(self, call: Leaving) -> dict[str, str]:
        id = self._told_apart(call.id, ConfigurationError)
        values = {
            "timestamp": call.seconds.encode(),
            "id": id,
            "body": call.body,
            "url": call.url.encode("utf-8", "replace"),
        }
        signature = hmac_signature(
            self._secrets[0], self._filled(values), digest=self._digest, encoding=self._encoding
        ).decode()
        said = {self._timestamp: call.seconds, self._id: call.id, self._header: self._prefix + signature}
        return {name: value for name, value in said.items() if name is not None}

    def _filled(self, values: Mapping[str, bytes]) -> bytes:
        return b"".join(literal + (values[name] if name else b"") for literal, name in self._parts)

    def _told_apart(self, id: str | None, error: type[ConfigurationError | SignatureError]) -> bytes:
        """*id*, unless it has what is to part it from what follows: another message could be cut out of this one."""
        if id is None or (self._behind_id is not None and self._behind_id in id.encode()):
            raise error("the id is missing or malformed")
        return id.encode()


class _Shown(Keyed):
    """Something that only the other side can show: it proves who calls, and nothing about what is said.

    Args:
        secrets: The first is sent.
        expected: What stands for a secret where it is shown.
        header: Where; None where it is the path.
        id_header: Which has an id, if any; nobody vouches for it.
    """

    __slots__ = ("_expected", "_header", "_id")

    def __init__(
        self, secrets: Secrets, expected: Callable[[bytes], bytes], *, header: str | None, id_header: str | None
    ) -> None:
        super().__init__(secrets)
        self._header, self._id = _if_any(header), _if_any(id_header)
        self._expected = [expected(secret) for secret in self._secrets]

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        key = agree(self._given(request), self._expected)
        return Verified(None if self._id is None else optional_id(request, self._id), None, key)

    def _signed(self, call: Leaving) -> dict[str, str]:
        if not _ON_ONE_LINE.fullmatch(self._expected[0]):
            raise ConfigurationError("what is sent in a header is printable ASCII on one line")
        said = {self._header: self._expected[0].decode(), self._id: call.id}
        return {name: value for name, value in said.items() if name is not None}

    def _given(self, request: Incoming) -> bytes:
        return header_of(request, self._header or "")


class HeaderToken(_Shown):
    """A value in a header that only the other side knows: it proves who calls, and nothing about what is said.

    Args:
        secrets: The value; the first is sent.
        header: Which.
        prefix: What stands before it, such as "Bearer ".
        id_header: Which has an id, if any; nobody vouches for it.

    Raises:
        ConfigurationError: A secret is empty, or *header* is the name of none.
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets, *, header: str, prefix: str = "", id_header: str | None = None) -> None:
        super().__init__(secrets, lambda secret: prefix.encode() + secret, header=header, id_header=id_header)


class BasicAuth(_Shown):
    """`Authorization: Basic` (RFC 7617): it proves who calls, and nothing about what is said.

    Args:
        secrets: The password; the first is sent.
        username: That goes with it.
        id_header: Which has an id, if any; nobody vouches for it.

    Raises:
        ConfigurationError: There is no user name, or it has a colon.
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets, *, username: str, id_header: str | None = None) -> None:
        if not username or ":" in username:
            raise ConfigurationError("username has at least one character, and no colon among them")
        super().__init__(
            secrets,
            lambda secret: b"Basic " + base64.b64encode(username.encode() + b":" + secret),
            header="authorization",
            id_header=id_header,
        )

    def _given(self, request: Incoming) -> bytes:
        scheme, _, given = super()._given(request).partition(b" ")
        return scheme.title() + b" " + given.strip(b" ")


class SecretPath(_Shown):
    """A URL that nobody else knows: it proves who calls, and nothing about what is said; and URLs end up in logs.

    Args:
        secrets: What the path behind the channel is, without its first slash.
        id_header: Which has an id, if any; nobody vouches for it.

    Raises:
        ConfigurationError: A secret has fewer than 16 characters, and would be found.
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets, *, id_header: str | None = None) -> None:
        super().__init__(secrets, lambda secret: b"/" + secret, header=None, id_header=id_header)
        if any(len(secret) < _SHORTEST_PATH for secret in self._secrets):
            raise ConfigurationError(f"a secret path has at least {_SHORTEST_PATH} characters")

    def _given(self, request: Incoming) -> bytes:
        return request.path.encode("utf-8", "replace")


def _name(header: str) -> str:
    if not is_token(header):
        raise ConfigurationError(f"{header[:80]!a} is not the name of a header")
    return header.lower()


def _if_any(header: str | None) -> str | None:
    return None if header is None else _name(header)


def _parts_of(template: str) -> tuple[tuple[bytes, str], ...]:
    """Literals, each with the name behind it, if any."""
    try:
        parts = tuple((literal.encode(), name or "") for literal, name in pieces_of(template))
    except ValueError as exc:
        raise ConfigurationError(f"signed: {exc}") from None
    names = {name for _, name in parts if name}
    if unknown := names - _SIGNED:
        raise ConfigurationError(f"signed: {', '.join(sorted(unknown))} is none of {', '.join(sorted(_SIGNED))}")
    if not {"body", "url"} & names:
        raise ConfigurationError("signed: without {body} or {url} it would say nothing about what came")
    for (_, name), (between, _) in pairwise([*parts, (b"", "")]):
        if name == "id" and not between:
            raise ConfigurationError("signed: {id} needs something behind it, or nobody could tell where it ends")
    return parts
