"""SendGrid signs with a key pair of its own: ECDSA, with cryptography, which is an extra."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import fresh, header_of
from ._keyed import Keyed, Leaving, Secrets, decoded_secret, tolerance_of
from ._scheme import Incoming, Verified

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

__all__ = ["SendGrid"]

_SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
_TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"


class SendGrid(Keyed):
    """`X-Twilio-Email-Event-Webhook-Signature`: base64 of ECDSA (P-256, SHA-256, DER) over the timestamp and the body.

    What ends the body, CR and LF, is signed as well. `Verified.id` is None: one call has many events, each with its
    `sg_event_id`.

    Args:
        secrets: Verification keys, as SendGrid shows them: the base64 of a public key. A private one (PKCS #8) signs.
        tolerance: Seconds by which the time may differ from our clock. SendGrid tries for a day, and does not say
            whether it signs anew.

    Raises:
        ConfigurationError: A key is none; or the extra `webhook-ed25519` is not installed.

    Source:
        twilio.com/docs/sendgrid, "Getting started with the event webhook security features".
    """

    __slots__ = ("_keys", "tolerance")

    def __init__(self, secrets: Secrets, *, tolerance: float = 90_000.0) -> None:
        super().__init__(secrets)
        self._keys = [_key_of(secret) for secret in self._secrets]
        self.tolerance = tolerance_of(tolerance)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        signature, timestamp = header_of(request, _SIGNATURE), header_of(request, _TIMESTAMP)
        seconds = fresh(timestamp, now.timestamp(), self.tolerance)
        fits = [_made(key, signature, timestamp + request.body) for _, key in self._keys]
        if True not in fits:
            raise SignatureError("the signature does not fit: another key, or the body was changed on the way")
        return Verified(None, seconds, fits.index(True))

    def _signed(self, call: Leaving) -> dict[str, str]:
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        private = self._keys[0][0]
        if private is None:
            raise ConfigurationError("a public key cannot sign")
        made = private.sign(call.seconds.encode() + call.body, ECDSA(SHA256()))
        return {_SIGNATURE: base64.b64encode(made).decode(), _TIMESTAMP: call.seconds}


def _made(key: EllipticCurvePublicKey, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(base64.b64decode(signature, validate=True), signed, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def _key_of(secret: bytes) -> tuple[EllipticCurvePrivateKey | None, EllipticCurvePublicKey]:
    """The pair that *secret* is, or half of it; raises `ConfigurationError`, which does not show it."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
    except ImportError:
        raise ConfigurationError(
            "SendGrid's keys need `cryptography`: pip install 'convergekit[webhook-ed25519]'"
        ) from None

    def read(load: Any, *more: Any) -> Any:
        try:
            return load(decoded_secret(secret.strip()), *more)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return None

    public, private = read(load_der_public_key), read(load_der_private_key, None)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        public = private.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise ConfigurationError("a verification key is the base64 of a public key on the curve P-256")
    return private, public
