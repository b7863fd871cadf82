"""What schemes with shared secrets have in common: how these are given, and how a call of ours is signed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from pydantic import SecretStr

from convergekit.errors import ConfigurationError

from ._checks import ID
from ._scheme import Challenge, Incoming

__all__ = ["Keyed", "Leaving", "Secrets", "decoded_secret", "secrets_of", "tolerance_of"]

#: One secret, or several of which the current one comes first.
Secrets: TypeAlias = SecretStr | str | bytes | Iterable[SecretStr | str | bytes]

_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


class Leaving(NamedTuple):
    """A call of our own that is to be signed: see `SignatureScheme.sign`. It looks like one that came in, too."""

    id: str
    seconds: str
    body: bytes
    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """Nobody knows where the other side begins."""
        return ""

    @property
    def query(self) -> str:
        """Of the URL."""
        return self.url.partition("?")[2]


class Keyed:
    """What schemes with shared secrets have in common.

    Args:
        secrets: One, or several of which the current one comes first: it signs, and any of them verifies.

    Raises:
        ConfigurationError: One of them is empty.
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets_of(secrets)

    def __repr__(self) -> str:
        count = len(self._secrets)
        return f"{type(self).__name__}({count} secret{'' if count == 1 else 's'})"

    def sign(
        self,
        id: str,
        at: datetime,
        body: bytes,
        *,
        method: str = "POST",
        url: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """See `SignatureScheme.sign`."""
        if not self._secrets:
            raise ConfigurationError("there is no secret to sign with")
        if not ID.fullmatch(id):
            raise ConfigurationError("a webhook's id is printable ASCII without blanks, at most 256 characters")
        return self._signed(Leaving(id, str(int(at.timestamp())), body, method, url, headers or {}))

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """None: there is none."""
        return None

    def _signed(self, call: Leaving) -> dict[str, str]:
        raise NotImplementedError


def secrets_of(secrets: Secrets) -> tuple[bytes, ...]:
    """The bytes of *secrets*; raises `ConfigurationError` for one that is empty, with which anybody could sign."""
    several = (secrets,) if isinstance(secrets, SecretStr | str | bytes) else tuple(secrets)
    plain = [each.get_secret_value() if isinstance(each, SecretStr) else each for each in several]
    try:
        # As environments have them that are not UTF-8 (PEP 383).
        found = tuple(each.encode("utf-8", "surrogateescape") if isinstance(each, str) else each for each in plain)
    except UnicodeEncodeError:  # it holds the secret
        raise ConfigurationError("a secret is no text that could be written down") from None
    if b"" in found:
        raise ConfigurationError("a secret is empty: everybody knows that one")
    return found


def decoded_secret(text: bytes) -> bytes:
    """What *text* is the base64 of, in either alphabet and with or without padding; b"" where it is none.

    Nothing is raised: the traceback would show the secret.
    """
    text = text.rstrip(b"=").translate(_URL_SAFE)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:  # binascii.Error is one
        return b""


def tolerance_of(seconds: float) -> float:
    """*seconds*, which make a replay window; raises `ConfigurationError` for what makes none."""
    if not 0 < seconds < float("inf"):
        raise ConfigurationError("tolerance is a number of seconds above 0")
    return seconds
