"""The schemes of single providers that sign with a shared secret. Each names where its provider describes it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import MAX_SIGNATURES, agree_any, fresh, header_of, optional_id
from ._generic import Hmac
from ._hmac import hmac_signature
from ._keyed import Keyed, Leaving, Secrets, tolerance_of
from ._scheme import Incoming, Verified

__all__ = ["GitHub", "Mailgun", "Shopify", "Stripe"]

_TOKEN: Final = re.compile(rb"[A-Za-z0-9]{1,128}")
_MAX_DOCUMENT: Final = 262_144


class GitHub(Hmac):
    """`X-Hub-Signature-256`: hex of HMAC-SHA256 over the body.

    `X-Hub-Signature`, with SHA-1, is not looked at. There is no replay window. `Verified.id` is `X-GitHub-Delivery`,
    which stays the same when GitHub delivers again, and is not signed.

    Args:
        secrets: As entered at GitHub; the first signs.

    Source:
        docs.github.com, "Validating webhook deliveries".
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets, header="x-hub-signature-256", prefix="sha256=", id_header="x-github-delivery")


class Shopify(Hmac):
    """`X-Shopify-Hmac-SHA256`: base64 of HMAC-SHA256 over the body.

    There is no replay window. `Verified.id` is the topic and `X-Shopify-Event-Id`, which two topics may share; neither
    is signed. After a rotation Shopify may sign with the old secret for an hour.

    Args:
        secrets: The client secrets of the app; the first signs.

    Source:
        shopify.dev, "Verify webhook deliveries", "Ignore duplicate webhooks".
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets, header="x-shopify-hmac-sha256", encoding="base64", id_header="x-shopify-event-id")

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        verified, topic = super().verify(request, now), optional_id(request, "x-shopify-topic")
        return verified if not verified.id or not topic else verified._replace(id=f"{topic}:{verified.id}")


class Stripe(Keyed):
    """`Stripe-Signature`: `t=` and several `v1=`, the hex of HMAC-SHA256 over `t.body`.

    `Verified.id` is None: the event's id is `id` in the body. A `v0`, of test events, proves nothing.

    Args:
        secrets: The whole text, with its `whsec_`. All of them sign, any of them verifies.
        tolerance: Seconds by which the time may differ from our clock; Stripe signs each attempt anew.

    Source:
        docs.stripe.com, "Verify webhook signatures manually".
    """

    __slots__ = ("tolerance",)

    def __init__(self, secrets: Secrets, *, tolerance: float = 300.0) -> None:
        super().__init__(secrets)
        self.tolerance = tolerance_of(tolerance)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        items = [item.strip().partition(b"=") for item in header_of(request, "stripe-signature").split(b",")]
        times = [value for name, _, value in items if name == b"t"]
        offered = [value for name, _, value in items if name == b"v1"][:MAX_SIGNATURES]
        if len(times) != 1:
            raise SignatureError("the signature has no time, or several")
        seconds = fresh(times[0], now.timestamp(), self.tolerance)
        return Verified(None, seconds, agree_any(offered, self._over(times[0] + b"." + request.body)))

    def _signed(self, call: Leaving) -> dict[str, str]:
        signed = self._over(call.seconds.encode() + b"." + call.body)
        return {"stripe-signature": ",".join([f"t={call.seconds}", *(f"v1={each.decode()}" for each in signed)])}

    def _over(self, signed: bytes) -> list[bytes]:
        return [hmac_signature(secret, signed) for secret in self._secrets]


class Mailgun(Keyed):
    """`signature` in the JSON body: hex of HMAC-SHA256 over its `timestamp` and `token`.

    The rest of the document is not signed: whoever sees one call can make up others, until the window closes or the
    token, which is `Verified.id`, is known as a repeat. The body is read before it is believed; so it may have 256 KiB.

    Args:
        secrets: The webhook signing key. That of a parent account counts where the call has its signature, too.
        tolerance: Seconds by which the time may differ from our clock. Mailgun tries for eight hours, and does not say
            whether it signs anew.

    Source:
        documentation.mailgun.com, "Securing webhooks".
    """

    __slots__ = ("tolerance",)

    def __init__(self, secrets: Secrets, *, tolerance: float = 36_000.0) -> None:
        super().__init__(secrets)
        self.tolerance = tolerance_of(tolerance)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        said = _signature_in(request.body)
        timestamp, token = _text(said.get("timestamp")), _text(said.get("token"))
        if not _TOKEN.fullmatch(token):
            raise SignatureError("the token is missing or malformed")
        seconds = fresh(timestamp, now.timestamp(), self.tolerance)
        expected = [hmac_signature(secret, timestamp + token) for secret in self._secrets]
        offered = [_text(said.get("signature")), _text(said.get("parent-signature"))]
        return Verified(token.decode(), seconds, agree_any(offered, expected))

    def _signed(self, call: Leaving) -> dict[str, str]:
        raise ConfigurationError("Mailgun signs inside the document: there is no header to send")


def _signature_in(body: bytes) -> dict[str, Any]:
    if len(body) > _MAX_DOCUMENT:
        raise SignatureError(f"the document is larger than {_MAX_DOCUMENT} bytes")
    try:
        document = from_json(body)
    except ValueError:
        document = None
    said = document.get("signature") if isinstance(document, dict) else None
    if not isinstance(said, dict):
        raise SignatureError("the document has no signature")
    return said


def _text(value: Any) -> bytes:
    """A string, or a number that may be a time, as it was written; b"" for everything else."""
    if type(value) is int and 0 <= value < 10**12:
        return str(value).encode()
    return value.encode("ascii", "replace") if isinstance(value, str) else b""
