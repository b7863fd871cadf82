"""JSON Web Tokens (RFC 7519) that are signed with a shared secret: what both providers that use them have in common.

Nothing of a token is decoded before its signature fits, and the algorithm is one of those that the provider uses:
what the token says about itself has to agree with that, and never decides anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from math import isfinite
from typing import Any, ClassVar, Final

from pydantic import Field

from convergekit.errors import SignatureError

from ._scheme import Call, Check, Scheme

__all__ = ["MessagebirdJwt", "VonageJwt"]

_DIGESTS: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


class VonageJwt(Scheme):
    """Vonage's Messages API: `Authorization: Bearer` with a token (HS256) that has the digest of the body.

    Args:
        tolerance: Seconds; Vonage tries for a day.
        leeway: Seconds by which its clock may be before ours.
    """

    covers: ClassVar[str] = "body"
    tolerance: float = Field(default=90_000.0, gt=0)
    leeway: float = Field(default=0.0, ge=0)

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        def check(call: Call) -> None:
            scheme, _, token = call.header("authorization").partition(b" ")
            if scheme.lower() != b"bearer":
                raise SignatureError("the header authorization has no bearer token")
            claims = _claims(token.strip(b" "), secrets, ("HS256",))
            _is_current(claims, call.now, self.leeway, ("iat",))
            issued = _time(claims, "iat")
            if issued > call.now + self.leeway or issued < call.now - self.tolerance:
                raise SignatureError(f"the token is more than {self.tolerance:g} s old, or from the future")
            _is_digest(claims, "payload_hash", call.body)

        return check


class MessagebirdJwt(Scheme):
    """`MessageBird-Signature-JWT`: a token (HS256, HS384, HS512) with the digests of the URL and of the body.

    Args:
        leeway: Seconds by which the clocks may differ.
    """

    covers: ClassVar[str] = "URL and body"
    leeway: float = Field(default=1.0, ge=0)

    def prepared(self, secrets: Sequence[bytes]) -> Check:
        def check(call: Call) -> None:
            claims = _claims(call.header("messagebird-signature-jwt"), secrets, tuple(_DIGESTS))
            _is_current(claims, call.now, self.leeway, ("nbf", "exp"))
            if claims.get("iss") != "MessageBird":
                raise SignatureError("the token is not from MessageBird")
            _is_digest(claims, "url_hash", call.signed_url.encode("utf-8", "replace"))
            if call.request.body:
                _is_digest(claims, "payload_hash", call.request.body)
            elif claims.get("payload_hash"):
                raise SignatureError("the token is about a body, and there is none")

        return check


def _claims(token: bytes, secrets: Sequence[bytes], algorithms: Sequence[str]) -> dict[str, Any]:
    """What *token* says; raises `SignatureError` unless it is signed with one of *secrets* by one of *algorithms*."""
    signed, _, signature = token.rpartition(b".")
    fits = [
        name
        for name in algorithms
        for secret in secrets
        if hmac.compare_digest(signature, _base64url(hmac.digest(secret, signed, _DIGESTS[name])))
    ]
    if not fits or signed.count(b".") != 1:
        raise SignatureError("the token's signature does not fit: another secret, or it was changed on the way")
    header, claims = (_object(part) for part in signed.split(b"."))
    # RFC 7515 §4.1.11: what is critical and not understood, invalidates.
    if header.get("alg") != fits[0] or "crit" in header or header.get("b64", True) is not True:
        raise SignatureError("the token's header does not fit its signature")
    if claims.get("aud") or not all(isinstance(claims.get(name, ""), str) for name in ("jti", "sub")):
        raise SignatureError("the token is for somebody else, or malformed")
    if not isinstance(header.get("kid", ""), str):
        raise SignatureError("the token's header is malformed")
    return claims


def _is_current(claims: dict[str, Any], now: float, leeway: float, needed: Sequence[str]) -> None:
    """Raise `SignatureError` unless *now* is within `nbf` and `exp`, and all of *needed* is there."""
    for name in needed:
        _time(claims, name)
    if "nbf" in claims and _time(claims, "nbf") > now + leeway:
        raise SignatureError("the token is not valid yet")
    if "exp" in claims and _time(claims, "exp") <= now - leeway:
        raise SignatureError("the token has expired")


def _time(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is int or (type(value) is float and isfinite(value)):
        return int(value)
    raise SignatureError(f"the token's {name} is missing or malformed")


def _is_digest(claims: dict[str, Any], name: str, content: bytes) -> None:
    value = claims.get(name)
    expected = hashlib.sha256(content).hexdigest()
    if not isinstance(value, str) or not hmac.compare_digest(value.encode("utf-8", "replace"), expected.encode()):
        raise SignatureError(f"the token's {name} does not fit: another URL, or the body was changed on the way")


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _object(part: bytes) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)), parse_constant=_refused)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise SignatureError("the token is no JSON object")
    return value


def _refused(constant: str) -> None:
    raise ValueError(constant)
