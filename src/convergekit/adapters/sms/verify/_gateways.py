"""The schemes of single gateways. Each names where its provider describes it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http import signatures
from convergekit.http.signatures import agree, agree_any, form_fields, hmac_signature, is_form, verify_hmac

from ._scheme import Call, Check, Scheme, by, fresh

__all__ = ["Plivo", "Sinch", "Telnyx", "Twilio", "VonageSig"]

#: Without the dot, which parts the nonce from what stands before it: else the end of a body could pass for a nonce.
_NONCE: Final = re.compile(rb"[\x21-\x2d\x2f-\x7e]{1,256}")
_MAX_SIGNATURES: Final = 16


class Twilio(Scheme):
    """`X-Twilio-Signature`: base64 of HMAC-SHA1 over the full URL and the sorted fields of a form.

    A name that comes several times counts once per different value. A body that is no form is covered by its digest,
    `bodySHA256` in the query. Twilio is not of one mind about the port, so the URL is tried with and without. A call
    that is signed with a shared key says so, and HMAC-SHA256, in `X-Twilio-Webhooks-Signature-Settings`.
    """

    covers: ClassVar[str] = "URL and body"

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        check = by(lambda: signatures.Twilio(secrets))

        def with_url(call: Call) -> None:
            _ = call.signed_url  # where it is missing, the setting is named
            check(call)

        return with_url


class VonageSig(Scheme):
    """The field `sig` of Vonage's SMS API: over all other fields, sorted, as `&name=value`.

    `&` and `=` in values become `_`. Fields are those of the query and of the body, a form or a JSON object of text.
    `md5hash` is plain MD5 with the secret at the end, which an account has until another is chosen, and the weakest.

    Args:
        method: As the account has it.
        tolerance: Seconds; Vonage tries for a day.
    """

    covers: ClassVar[str] = "query and body"
    method: Literal["md5hash", "md5hmac", "sha1hmac", "sha256hmac", "sha512hmac"]
    tolerance: float = Field(default=90_000.0, gt=0)

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        def check(call: Call) -> None:
            given = _vonage_fields(call)
            signature = given.pop(b"sig", b"").lower()
            fresh(given.get(b"timestamp", b""), call.now, self.tolerance)
            values = ((name, value.translate(_UNDERSCORED)) for name, value in sorted(given.items()))
            signed = b"".join(b"&%b=%b" % each for each in values)
            agree(signature, [self._signature(secret, signed) for secret in secrets])

        return check

    def _signature(self, secret: bytes, signed: bytes) -> bytes:
        if self.method == "md5hash":
            return hashlib.md5(signed + secret, usedforsecurity=False).hexdigest().encode()
        return hmac_signature(secret, signed, digest=self.method.removesuffix("hmac"))


class Plivo(Scheme):
    """`X-Plivo-Signature-V3`, or V2: base64 of HMAC-SHA256 over the URL, the sorted fields and a nonce.

    V2 covers neither the query nor the body, so it is taken only where the profile says it. V3 may be a list, and
    comes as `...-Ma-V3` too, signed with the token of the main account.

    Args:
        version: Of the signature.
    """

    covers: ClassVar[str] = "URL and body (v3), URL without query (v2)"
    version: Literal["v2", "v3"] = "v3"

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        def v2(call: Call) -> None:
            signed = call.signed_url.partition("?")[0].encode("utf-8", "replace")
            signed += call.header("x-plivo-signature-v2-nonce")
            agree(call.header("x-plivo-signature-v2"), [_base64_hmac(each, signed) for each in secrets])

        def v3(call: Call) -> None:
            offered = _plivo_signatures(call)
            signed = _plivo_signed(call) + b"." + _nonce(call.header("x-plivo-signature-v3-nonce"))
            agree_any(offered, [_base64_hmac(secret, signed) for secret in secrets])

        return v2 if self.version == "v2" else v3


class Telnyx(Scheme):
    """`telnyx-signature-ed25519`: Ed25519 (RFC 8032) over `timestamp|body`.

    Args:
        tolerance: Seconds, as Telnyx' own library has it.
    """

    covers: ClassVar[str] = "body"
    tolerance: float = Field(default=300.0, gt=0)

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        keys = [_public_key(secret) for secret in secrets]
        from cryptography.exceptions import InvalidSignature

        def fits(key: Any, signature: bytes, signed: bytes) -> bool:
            try:
                key.verify(signature, signed)
            except InvalidSignature:
                return False
            return True

        def check(call: Call) -> None:
            signature = _decoded(call.header("telnyx-signature-ed25519"))
            timestamp = call.header("telnyx-timestamp")
            fresh(timestamp, call.now, self.tolerance)
            signed = timestamp + b"|" + call.body
            if not any(fits(key, signature, signed) for key in keys):
                raise SignatureError("the signature does not fit: another key, or the body was changed on the way")

        return check


class Sinch(Scheme):
    """`x-sinch-webhook-signature`: base64 of HMAC-SHA256 over `body.nonce.timestamp`.

    Args:
        tolerance: Seconds; Sinch tries for two days, and takes a 4xx for the end of it.
    """

    covers: ClassVar[str] = "body"
    tolerance: float = Field(default=172_800.0, gt=0)

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        def check(call: Call) -> None:
            given = call.header("x-sinch-webhook-signature")
            nonce = call.header("x-sinch-webhook-signature-nonce")
            timestamp = call.header("x-sinch-webhook-signature-timestamp")
            fresh(timestamp, call.now, self.tolerance)
            verify_hmac(b".".join((call.body, _nonce(nonce), timestamp)), given, secrets, encoding="base64")

        return check


_UNDERSCORED: Final = bytes.maketrans(b"&=", b"__")


def _nonce(nonce: bytes) -> bytes:
    if not _NONCE.fullmatch(nonce):
        raise SignatureError("the nonce is malformed")
    return nonce


def _base64_hmac(secret: bytes, signed: bytes, digest: str = "sha256") -> bytes:
    return hmac_signature(secret, signed, digest=digest, encoding="base64")


def _vonage_fields(call: Call) -> dict[bytes, bytes]:
    """All fields of query and body; raises `SignatureError` where a name comes twice, or the body has other things."""
    pairs = form_fields(call.query)
    if is_form(call.request):
        pairs += form_fields(call.request.body)
    elif call.request.body:
        pairs += _json_fields(call.request.body)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SignatureError("a field comes twice")
    if any(b"&" in name or b"=" in name for name in found):
        raise SignatureError("the name of a field could be that of two")
    return found


def _json_fields(body: bytes) -> list[tuple[bytes, bytes]]:
    try:
        pairs = json.loads(body, object_pairs_hook=tuple)
        # Integers are signed as they are written; how Vonage would write anything else, nobody says.
        if isinstance(pairs, tuple) and all(type(value) in (str, int) for _, value in pairs):
            return [(name.encode(), str(value).encode()) for name, value in pairs]
    except (ValueError, RecursionError):
        pass
    raise SignatureError("the body is neither a form nor a JSON object of text and whole numbers")


def _plivo_signatures(call: Call) -> list[bytes]:
    """What is offered, of both headers, with the blanks that joining leaves taken off."""
    names = [name for name in ("x-plivo-signature-v3", "x-plivo-signature-ma-v3") if name in call.request.headers]
    offered = [one for name in names for one in call.header(name).split(b",", _MAX_SIGNATURES)[:_MAX_SIGNATURES]]
    if not offered:
        raise SignatureError("the header x-plivo-signature-v3 is missing")
    return [one.strip() for one in offered]


def _plivo_signed(call: Call) -> bytes:
    """URL and fields as V3 has them."""
    if call.request.body and (call.request.method == "GET" or not is_form(call.request)):
        raise SignatureError("the body is no form")
    url = call.signed_url.partition("?")[0].encode("utf-8", "replace")
    query = b"&".join(b"%b=%b" % pair for pair in sorted(form_fields(call.query)))
    if posted := sorted(form_fields(call.request.body)):
        return b"%b?%b%b%b" % (url, query, b"." if query else b"", b"".join(map(b"".join, posted)))
    return url + b"?" + query if query else url


def _decoded(signature: bytes) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except ValueError:
        raise SignatureError("the signature is not base64") from None


def _public_key(secret: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ConfigurationError(
            "Telnyx signs with Ed25519, which needs `cryptography`: pip install 'convergekit[sms-ed25519]'"
        ) from None
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(secret, validate=True))
    except ValueError:
        raise ValueError("must be the public key as the portal shows it: the base64 of 32 bytes") from None
