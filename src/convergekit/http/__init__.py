"""The one HTTP seam: pooled clients, answers classified into the four outcomes, access tokens, signatures.

What speaks HTTP is loaded when the first request is made, not when this package is imported; httpx only for a host that
hands in a transport or a client of its kind.
"""

from __future__ import annotations

from .answers import (
    OUTCOMES,
    Fault,
    HttpAnswer,
    Outcome,
    Outcomes,
    error_for,
    keys_for,
    outcome_for,
)
from .client import (
    Http,
    Started,
    Tells,
)
from .guard import (
    AddressGuard,
)
from .oauth import (
    OAuthClient,
    RefreshingTokens,
)
from .retry_after import (
    parse_http_date,
    parse_retry_after,
)
from .signatures import (
    Challenge,
    Incoming,
    MessageSignatures,
    SignatureScheme,
    StandardWebhooks,
    Verified,
    hmac_signature,
    verify_hmac,
)
from .syntax import (
    is_header,
    is_this_machine,
    leads_to,
    origin_at,
    origin_of,
    url_behind,
)
from .tokens import (
    StoredTokens,
    TokenProvider,
    TokenStore,
    token_of,
)

__all__ = [
    "OUTCOMES",
    "AddressGuard",
    "Challenge",
    "Fault",
    "Http",
    "HttpAnswer",
    "Incoming",
    "MessageSignatures",
    "OAuthClient",
    "Outcome",
    "Outcomes",
    "RefreshingTokens",
    "SignatureScheme",
    "StandardWebhooks",
    "Started",
    "StoredTokens",
    "Tells",
    "TokenProvider",
    "TokenStore",
    "Verified",
    "error_for",
    "hmac_signature",
    "is_header",
    "is_this_machine",
    "keys_for",
    "leads_to",
    "origin_at",
    "origin_of",
    "outcome_for",
    "parse_http_date",
    "parse_retry_after",
    "token_of",
    "url_behind",
    "verify_hmac",
]
