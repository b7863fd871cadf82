"""The `v1a` of Standard Webhooks: Ed25519 (RFC 8032), with cryptography, which is an extra."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

from convergekit.errors import ConfigurationError

from ._keyed import decoded_secret

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ImportError:
    raise ConfigurationError(
        "keys that begin with whsk_ or whpk_ need `cryptography`: pip install 'convergekit[webhook-ed25519]'"
    ) from None

__all__ = ["KeyPair", "key_pair"]

_LENGTH: Final = 32
_VERSION: Final = b"v1a,"


class KeyPair:
    """A private key, which signs and verifies, or a public one, which verifies.

    Args:
        private: None where only the other side has it.
        public: Of the same pair.
    """

    __slots__ = ("_private", "_public")

    def __init__(self, private: Ed25519PrivateKey | None, public: Ed25519PublicKey) -> None:
        self._private, self._public = private, public

    def sign(self, signed: bytes) -> str | None:
        """One signature of the list; None for a public key."""
        if self._private is None:
            return None
        return (_VERSION + base64.b64encode(self._private.sign(signed))).decode()

    def fits(self, signed: bytes, offered: Iterable[bytes]) -> bool:
        """Whether one of *offered* is a signature by this key."""
        return any(one.startswith(_VERSION) and self._made(signed, one.removeprefix(_VERSION)) for one in offered)

    def _made(self, signed: bytes, signature: bytes) -> bool:
        try:
            self._public.verify(base64.b64decode(signature, validate=True), signed)
        except (ValueError, InvalidSignature):
            return False
        return True


def key_pair(secret: bytes) -> KeyPair:
    """What `whsk_` or `whpk_` and base64 stand for.

    A private key has 32 bytes, or 64, of which the second half is the public one.

    Raises:
        ConfigurationError: It is no key, or the halves are not a pair; the text does not show it.
    """
    raw = decoded_secret(secret[5:])
    if secret.startswith(b"whpk_") and len(raw) == _LENGTH:
        return KeyPair(None, Ed25519PublicKey.from_public_bytes(raw))
    if secret.startswith(b"whsk_") and len(raw) in (_LENGTH, 2 * _LENGTH):
        private = Ed25519PrivateKey.from_private_bytes(raw[:_LENGTH])
        public = private.public_key()
        if raw[_LENGTH:] in (b"", public.public_bytes_raw()):
            return KeyPair(private, public)
    raise ConfigurationError(
        "a key is `whsk_` and the base64 of the private one (32 bytes, or 64 with the public one behind), "
        "or `whpk_` and that of the public one (32 bytes)"
    )
