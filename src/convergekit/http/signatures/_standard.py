"""Standard Webhooks: HMAC-SHA256 (`v1`) under a shared secret, or Ed25519 (`v1a`) with a key pair."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import MAX_SIGNATURES, Secrets, decoded_secret, secrets_of, shown, tolerance_of
from ._scheme import Challenge, Incoming, Verified

__all__ = ["StandardWebhooks"]

_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_TIME_WITHIN: Final = re.compile(r"\.[0-9]+$|\.[0-9]{9,12}\.")
_MAX_HEADER: Final = 8192


class _Key(Protocol):
    """What one secret stands for."""

    def sign(self, signed: bytes) -> str | None:
        """One signature of the list; None where this key cannot make any."""
        ...

    def fits(self, signed: bytes, offered: Iterable[bytes]) -> bool:
        """Whether one of *offered* is a signature by this key."""
        ...


class StandardWebhooks:
    """The scheme of Standard Webhooks 1.0.0, with rotation and a replay window.

    Args:
        secrets: As `whsec_` and base64; or `whsk_` with a private key, `whpk_` with a public one. The current one
            first. All of them sign but for public keys, any of them verifies.
        tolerance: Seconds that a timestamp may lie in the past or in the future.
        prefix: What the three header names begin with: "webhook-", or "svix-" from those who were there before.

    Raises:
        ConfigurationError: A secret is not one, which the text does not show; or there is a key pair, and the extra
            `webhook-ed25519` is not installed.

    Source:
        The Standard Webhooks specification, "Verifying webhook authenticity".
    """

    __slots__ = ("_keys", "_names", "tolerance")

    def __init__(self, secrets: Secrets, *, tolerance: float = 300.0, prefix: str = "webhook-") -> None:
        self._keys = tuple(_key_of(secret) for secret in secrets_of(secrets))
        self._names = (f"{prefix}id", f"{prefix}timestamp", f"{prefix}signature")
        self.tolerance = tolerance_of(tolerance)

    def __repr__(self) -> str:
        return shown(self, len(self._keys))

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
        """The three headers for *body*.

        Args:
            id: Of the message, the same over all attempts: printable ASCII, without blanks and dots.
            at: Time of this attempt; aware.
            body: As it will be sent.
            method: Not signed.
            url: Not signed.
            headers: Not signed.

        Raises:
            ConfigurationError: There is no secret to sign with, or *id* cannot be signed.
        """
        if not _ID.fullmatch(id) or "." in id:
            raise ConfigurationError("a webhook id is printable ASCII without blanks and dots, at most 256 characters")
        seconds = str(int(at.timestamp()))
        signed = f"{id}.{seconds}.".encode() + body
        made = [signature for key in self._keys if (signature := key.sign(signed)) is not None]
        if not made:
            raise ConfigurationError("there is no secret to sign with")
        return dict(zip(self._names, (id, seconds, " ".join(made)), strict=True))

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """Check that the body of *request* comes from somebody who has one of the secrets, and that it is fresh.

        Args:
            request: As it came.
            now: Aware.

        Raises:
            SignatureError: It does not; and nothing else, whatever came.
        """
        headers = request.headers
        try:
            id, seconds, given = [headers[name] for name in self._names]
        except KeyError:
            raise SignatureError("the id, the timestamp or the signature is missing") from None
        # The dots between the parts are not escaped: were an id to end in ".<digits>", or to have a time between dots,
        # then another message could be cut out of this one, or this one out of another, with the same signature.
        ambiguous = "." in id and _TIME_WITHIN.search(id)
        if ambiguous or not _ID.fullmatch(id) or not _TIMESTAMP.fullmatch(seconds):
            raise SignatureError("the id or the timestamp is missing or malformed")
        if abs(now.timestamp() - int(seconds)) > self.tolerance:
            raise SignatureError(f"the timestamp is more than {self.tolerance:g} s away from our clock")
        return Verified(id, int(seconds), self._key_of(f"{id}.{seconds}.".encode() + request.body, given))

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """None: there is none."""
        return None

    def _key_of(self, signed: bytes, given: str) -> int:
        # More than a few are not looked at; a comma stays at the end where a proxy joined two fields.
        if len(given) > _MAX_HEADER:
            raise SignatureError("the signature is longer than it ever is")
        offered = [one.rstrip(b",") for one in given.encode("ascii", "replace").split(b" ", MAX_SIGNATURES)]
        for index, key in enumerate(self._keys):
            if key.fits(signed, offered):
                return index
        raise SignatureError("no signature fits: another secret, or the body was changed on the way")


class _Shared:
    """A shared secret. What came is not decoded: ours is encoded, and the two are compared."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, signed: bytes) -> str:
        return "v1," + base64.b64encode(hmac.digest(self._secret, signed, "sha256")).decode()

    def fits(self, signed: bytes, offered: Iterable[bytes]) -> bool:
        expected = b"v1," + base64.b64encode(hmac.digest(self._secret, signed, "sha256"))
        # Each is compared, so that the time does not tell which.
        return True in [hmac.compare_digest(expected, one) for one in offered]


def _key_of(secret: bytes) -> _Key:
    """The key that *secret* stands for; raises `ConfigurationError`, which does not show it.

    Also taken: the `v1,` that some put before it, no prefix at all, and the URL-safe alphabet (RFC 4648 §5).
    """
    text = secret.strip()
    if text.startswith((b"whsk_", b"whpk_")):
        from ._ed25519 import key_pair  # the extra is needed only here

        return key_pair(text)
    raw = decoded_secret(text.removeprefix(b"v1,").removeprefix(b"whsec_"))
    if not 24 <= len(raw) <= 64:
        raise ConfigurationError(
            "a webhook secret is `whsec_` and the base64 of 24 to 64 random bytes; make one with: "
            "python -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"
        )
    return _Shared(raw)
