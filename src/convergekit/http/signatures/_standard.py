"""Standard Webhooks: HMAC-SHA256 (`v1`) under a shared secret, or Ed25519 (`v1a`) with a key pair."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import MAX_SIGNATURES, fresh, header_of, optional_id
from ._keyed import Keyed, Leaving, Secrets, decoded_secret, tolerance_of
from ._scheme import Incoming, Verified

__all__ = ["StandardWebhooks"]

_TIME_WITHIN: Final = re.compile(r"\.[0-9]+$|\.[0-9]{9,12}\.")


class _Key(Protocol):
    """What one secret stands for."""

    def sign(self, signed: bytes) -> str | None:
        """One signature of the list; None where this key cannot make any."""
        ...

    def fits(self, signed: bytes, offered: Iterable[bytes]) -> bool:
        """Whether one of *offered* is a signature by this key."""
        ...


class StandardWebhooks(Keyed):
    """The scheme of Standard Webhooks 1.0.0, with rotation and a replay window. An id has no dots.

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
        super().__init__(secrets)
        self._keys = tuple(map(_key_of, self._secrets))
        self._names = (f"{prefix}id", f"{prefix}timestamp", f"{prefix}signature")
        self.tolerance = tolerance_of(tolerance)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        name, timestamp, signature = self._names
        id, seconds, given = optional_id(request, name), header_of(request, timestamp), header_of(request, signature)
        # The dots between the parts are not escaped: were an id to end in ".<digits>", or to have a time between dots,
        # then another message could be cut out of this one, or this one out of another, with the same signature.
        if id is None or _TIME_WITHIN.search(id):
            raise SignatureError(f"the header {name} is missing or malformed")
        at = fresh(seconds, now.timestamp(), self.tolerance)
        return Verified(id, at, self._fitting(b"%b.%b.%b" % (id.encode(), seconds, request.body), given))

    def _signed(self, call: Leaving) -> dict[str, str]:
        if "." in call.id:
            raise ConfigurationError("an id that is signed by Standard Webhooks has no dots")
        signed = f"{call.id}.{call.seconds}.".encode() + call.body
        made = [one for key in self._keys if (one := key.sign(signed)) is not None]
        if not made:
            raise ConfigurationError("there is no secret to sign with: a public key (whpk_) only verifies")
        name, timestamp, signature = self._names
        return {name: call.id, timestamp: call.seconds, signature: " ".join(made)}

    def _fitting(self, signed: bytes, given: bytes) -> int:
        # More than a few are not looked at; a comma stays at the end where a proxy joined two fields.
        offered = [one.rstrip(b",") for one in given.split(b" ", MAX_SIGNATURES)]
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
