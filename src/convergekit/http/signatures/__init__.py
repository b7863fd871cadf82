"""Proof that an inbound call is genuine, and the same proof for our own calls.

A scheme is a value: `verify(request, now)` raises `SignatureError` and nothing else, whatever arrives, and `sign` makes
what `verify` takes. Bytes in, bytes compared, in constant time; the clock is an argument; several secrets are valid at
the same time, so that one can be replaced without a gap.

The functions are what these schemes stand on, and one's own may.
"""

from __future__ import annotations

from ._challenging import (
    Meta,
    Slack,
    X,
)
from ._checks import (
    agree,
    agree_any,
    form_fields,
    fresh,
    header_of,
    is_form,
    optional_id,
    signed_url,
)
from ._generic import (
    BasicAuth,
    HeaderToken,
    Hmac,
    SecretPath,
)
from ._hmac import (
    Encoding,
    hmac_signature,
    verify_hmac,
)
from ._keyed import (
    Secrets,
    secrets_of,
)
from ._named import (
    SCHEMES,
    scheme_named,
)
from ._providers import (
    GitHub,
    Mailgun,
    Shopify,
    Stripe,
)
from ._rfc9421 import (
    MessageSignatures,
)
from ._scheme import (
    Challenge,
    Incoming,
    SignatureScheme,
    Verified,
)
from ._sendgrid import (
    SendGrid,
)
from ._standard import (
    StandardWebhooks,
)
from ._twilio import (
    Twilio,
)

__all__ = [
    "SCHEMES",
    "BasicAuth",
    "Challenge",
    "Encoding",
    "GitHub",
    "HeaderToken",
    "Hmac",
    "Incoming",
    "Mailgun",
    "MessageSignatures",
    "Meta",
    "SecretPath",
    "Secrets",
    "SendGrid",
    "Shopify",
    "SignatureScheme",
    "Slack",
    "StandardWebhooks",
    "Stripe",
    "Twilio",
    "Verified",
    "X",
    "agree",
    "agree_any",
    "form_fields",
    "fresh",
    "header_of",
    "hmac_signature",
    "is_form",
    "optional_id",
    "scheme_named",
    "secrets_of",
    "signed_url",
    "verify_hmac",
]
