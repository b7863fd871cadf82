"""Standard Webhooks. A signature is never decoded: ours is encoded, and compared with what came."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from convergekit.errors import ConfigurationError, SignatureError

from ._scheme import Challenge, Incoming, Verified

__all__ = ["StandardWebhooks"]

#: Signatures looked at in one header: rotation needs two, and nobody has to be patient with a thousand.
_MAX_SIGNATURES: Final = 16
_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


class StandardWebhooks:
    """The scheme of Standard Webhooks 1.0.0: HMAC-SHA256 (`v1`), with rotation and a replay window.

    Args:
        secrets: As `whsec_` and base64; the current one first. All of them sign, any of them verifies.
        tolerance: Seconds that a timestamp may lie in the past or in the future.
        prefix: What the three header names begin with: "webhook-", or "svix-" from those who were there before.

    Raises:
        ConfigurationError: A secret is not one; the text does not show it.

    Source:
        The Standard Webhooks specification, "Verifying webhook authenticity".
    """

    __slots__ = ("_keys", "_names", "tolerance")

    def __init__(
        self, secrets: Iterable[SecretStr | str], *, tolerance: float = 300.0, prefix: str = "webhook-"
    ) -> None:
        self._keys = tuple(_parsed_secret(secret) for secret in secrets)
        self._names = (f"{prefix}id", f"{prefix}timestamp", f"{prefix}signature")
        self.tolerance = tolerance

    def __repr__(self) -> str:
        return f"StandardWebhooks({len(self._keys)} secrets, tolerance={self.tolerance})"

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
        if not self._keys:
            raise ConfigurationError("there is no secret to sign with")
        if not _ID.fullmatch(id) or "." in id:
            raise ConfigurationError("a webhook id is printable ASCII without blanks and dots, at most 256 characters")
        seconds = str(int(at.timestamp()))
        signed = f"{id}.{seconds}.".encode() + body
        digests = [hmac.digest(key, signed, "sha256") for key in self._keys]
        signatures = " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)
        return dict(zip(self._names, (id, seconds, signatures), strict=True))

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
        # The dots between the parts are not escaped: were an id to end in ".<digits>", then another message could
        # be cut out of this one, with the same signature.
        ambiguous = "." in id and id.rpartition(".")[2].isdigit()
        if ambiguous or not _ID.fullmatch(id) or not _TIMESTAMP.fullmatch(seconds):
            raise SignatureError("the id or the timestamp is missing or malformed")
        if abs(now.timestamp() - int(seconds)) > self.tolerance:
            raise SignatureError(f"the timestamp is more than {self.tolerance:g} s away from our clock")
        return Verified(id, int(seconds), self._key_of(f"{id}.{seconds}.".encode() + request.body, given))

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """None: there is none."""
        return None

    def _key_of(self, signed: bytes, given: str) -> int:
        # Without decoding: ours is encoded, and compared with what came. More than a few are not looked at.
        offered = given.encode("ascii", "replace").split(b" ", _MAX_SIGNATURES)
        for index, key in enumerate(self._keys):
            expected = b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256"))
            # Each is compared, so that the time does not tell which; a comma stays where a proxy joined two fields.
            if True in [hmac.compare_digest(expected, one.rstrip(b",")) for one in offered]:
                return index
        raise SignatureError("no v1 signature fits: another secret, or the body was changed on the way")


def _parsed_secret(secret: SecretStr | str) -> bytes:
    """The key that a `whsec_...` secret stands for; raises `ConfigurationError`, which does not show it.

    Also taken: the `v1,` that some put before it, no prefix at all, and the URL-safe alphabet (RFC 4648 §5).
    """
    plain = secret if isinstance(secret, str) else secret.get_secret_value()
    text = plain.strip().removeprefix("v1,").removeprefix("whsec_").rstrip("=")
    text = text.replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:  # binascii.Error is one; its text is harmless, but the traceback would show the secret
        key = b""
    if not 24 <= len(key) <= 64:
        raise ConfigurationError(
            "a webhook secret is `whsec_` and the base64 of 24 to 64 random bytes; make one with: "
            "python -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"
        )
    return key
