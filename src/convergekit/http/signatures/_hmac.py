"""An HMAC in a header: how most of them sign. Bytes in, bytes compared in constant time; what came is never decoded."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Literal, TypeAlias

from convergekit.errors import SignatureError

from ._checks import agree

__all__ = ["Encoding", "hmac_signature", "verify_hmac"]

Encoding: TypeAlias = Literal["hex", "base64"]


def hmac_signature(secret: bytes, body: bytes, *, digest: str = "sha256", encoding: Encoding = "hex") -> bytes:
    """HMAC of *body* under *secret* (RFC 2104), as the lower-case hex or base64 (RFC 4648 §4) that headers carry."""
    raw = hmac.digest(secret, body, digest)
    return binascii.hexlify(raw) if encoding == "hex" else base64.b64encode(raw)


def verify_hmac(
    body: bytes,
    given: str | bytes | None,
    secrets: Sequence[bytes],
    *,
    digest: str = "sha256",
    encoding: Encoding = "hex",
    prefix: str = "",
) -> int:
    """Check that *given* is the HMAC of *body* under one of *secrets*.

    Args:
        body: What was signed, as it came.
        given: The header's value; None where it is missing. Any text or bytes at all.
        secrets: All that are valid now: two while one is being replaced.
        digest: "sha256", or what the provider uses; a name of `hashlib`.
        encoding: How *given* is written.
        prefix: What stands before it, such as "sha256=".

    Returns:
        Index of the secret that fits.

    Raises:
        SignatureError: It is none of them, and for nothing else that *given* may be.
    """
    value = _ascii(given)
    if value is None or not value.startswith(prefix.encode()):
        raise SignatureError("the signature is missing, or has another form")
    value = value[len(prefix) :]
    value = value.lower() if encoding == "hex" else value
    return agree(value, [hmac_signature(each, body, digest=digest, encoding=encoding) for each in secrets])


def _ascii(value: str | bytes | None) -> bytes | None:
    """*value* as bytes that can be compared, or None; a surrogate or an umlaut is no signature."""
    if isinstance(value, bytes):
        return value
    return value.encode("ascii") if value is not None and value.isascii() else None
