"""Proof that an inbound call is genuine, and the same proof for our own calls.

A scheme is a value: `verify(request, now)` raises `SignatureError` and nothing else, whatever arrives, and `sign` makes
what `verify` takes. Bytes in, bytes compared, in constant time; the clock is an argument; several secrets are valid at
the same time, so that one can be replaced without a gap.
"""

from __future__ import annotations

from ._hmac import (
    Encoding,
    hmac_signature,
    verify_hmac,
)
from ._scheme import (
    Challenge,
    Incoming,
    SignatureScheme,
    Verified,
)
from ._standard import (
    StandardWebhooks,
)

__all__ = [
    "Challenge",
    "Encoding",
    "Incoming",
    "SignatureScheme",
    "StandardWebhooks",
    "Verified",
    "hmac_signature",
    "verify_hmac",
]
