"""Twilio signs the URL that it calls, and the fields of a form."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from convergekit.errors import ConfigurationError, SignatureError

from ._checks import agree, form_fields, header_of, is_form, optional_id, signed_url
from ._hmac import hmac_signature
from ._keyed import Keyed, Leaving
from ._scheme import Incoming, Verified

__all__ = ["Twilio"]

_AUTHORITY: Final = re.compile(
    r"(https?)://((?:[^/?#@]*@)?(?:\[[^]/?#]*\]|[^][/?#:@]*))(?::([0-9]*))?(.*)", re.I | re.S
)
_LONGEST_FORM: Final = 262_144
_DIGESTS: Final = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}


class Twilio(Keyed):
    """`X-Twilio-Signature`: base64 of HMAC-SHA1 over the full URL and the sorted fields of a form.

    A name that comes several times counts once per different value. A body that is no form is covered by its digest,
    `bodySHA256` in the query. Twilio is not of one mind about the port, so the URL is tried with and without. A call
    that is signed with a shared key says so, and HMAC-SHA256, in `X-Twilio-Webhooks-Signature-Settings`.

    There is no replay window. `Verified.id` is `I-Twilio-Idempotency-Token`, which is not signed.

    Args:
        secrets: Auth tokens, or shared keys; the first signs, with HMAC-SHA1.

    Source:
        twilio.com/docs, "Webhooks security".
    """

    __slots__ = ()

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`; `Incoming.url` has to be the public one."""
        given, digest, rest = header_of(request, "x-twilio-signature"), _digest(request), _rest(request)
        urls = [url.encode("utf-8", "replace") + rest for url in _with_and_without_port(signed_url(request))]
        expected = [_over(signed, secret, digest) for secret in self._secrets for signed in urls]
        return Verified(optional_id(request, "i-twilio-idempotency-token"), None, agree(given, expected) // len(urls))

    def _signed(self, call: Leaving) -> dict[str, str]:
        try:
            rest = _rest(call)
        except SignatureError as exc:
            raise ConfigurationError(f"Twilio's scheme cannot sign this: {exc}") from None
        signature = _over(call.url.encode("utf-8", "replace") + rest, self._secrets[0], "sha1").decode()
        return {"x-twilio-signature": signature, "i-twilio-idempotency-token": call.id}


def _over(signed: bytes, secret: bytes, digest: str) -> bytes:
    return hmac_signature(secret, signed, digest=digest, encoding="base64")


def _digest(request: Incoming) -> str:
    """What the call says that it is signed with; SHA-1 where it says nothing."""
    settings = request.headers.get("x-twilio-webhooks-signature-settings", "")[:1000].split(",")
    words = (each.partition("=") for each in settings)
    said = [value.strip() for name, _, value in words if name.strip() == "algorithm" and value.strip()]
    digest = _DIGESTS.get(said[0].upper() if said else "HMAC_SHA1")
    if digest is None:
        raise SignatureError("it is signed with an algorithm that is not known here")
    return digest


def _rest(request: Incoming) -> bytes:
    """What is signed behind the URL; raises `SignatureError` where the body is no form and not what was digested."""
    if is_form(request):
        if len(request.body) > _LONGEST_FORM:  # to decode it takes a hundred times as long as to digest it
            raise SignatureError(f"the form is larger than {_LONGEST_FORM} bytes")
        return b"".join(name + value for name, value in sorted(set(form_fields(request.body))))
    query = form_fields(request.query.encode("latin-1", "replace"))
    said = next((value for name, value in query if name == b"bodySHA256"), None)
    if said is not None:
        agree(said, [hashlib.sha256(request.body).hexdigest().encode()])
    elif request.body:
        raise SignatureError("the body is no form, and bodySHA256 is missing from the query")
    return b""


def _with_and_without_port(url: str) -> Iterator[str]:
    parts = _AUTHORITY.fullmatch(url)
    if parts is None:
        raise SignatureError("the public URL is no http or https URL")
    scheme, host, port, rest = parts.groups()
    yield f"{scheme}://{host}{rest}"
    yield f"{scheme}://{host}:{port or (443 if scheme.lower() == 'https' else 80)}{rest}"
