"""How gateways sign: each scheme of `verify` from the other side, written down anew."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from convergekit.testing.adapter import Call, Cannot

__all__ = ["NONCE", "signature"]

NONCE: Final = "0123456789abcdef"

#: (call, its public URL, when, secret, options) → headers
_Signer = Callable[[Call, str, int, bytes, Mapping[str, str]], Mapping[str, str]]


def signature(
    scheme: str, call: Call, *, url: str, at: datetime, secret: str, options: Mapping[str, str]
) -> Mapping[str, str]:
    """The headers by which *call*, to the public *url*, is proven to be genuine.

    Raises:
        Cannot: Nobody has written down how *scheme* signs.
    """
    signer = _SIGNERS.get(scheme)
    if signer is None:
        raise Cannot(f"nobody has written down how {scheme} signs")
    return signer(call, url, int(at.timestamp()), secret.encode(), options)


def _fields(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(call.body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")


def _mac(secret: bytes, signed: bytes, digest: str = "sha256") -> str:
    return base64.b64encode(hmac.digest(secret, signed, digest)).decode()


def _twilio(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    fields = "".join(name + value for name, value in sorted(set(_fields(call))))
    return {"x-twilio-signature": _mac(secret, url.encode() + fields.encode("latin-1"), "sha1")}


def _plivo(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    plain, _, query = url.partition("?")
    asked = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(query, keep_blank_values=True)))
    fields = "".join(name + value for name, value in sorted(_fields(call)))
    signed = f"{plain}?{asked}{'.' if asked else ''}{fields}" if fields else plain + (f"?{asked}" if asked else "")
    mac = _mac(secret, f"{signed}.{NONCE}".encode("latin-1"))
    return {"x-plivo-signature-v3": mac, "x-plivo-signature-v3-nonce": NONCE}


def _telnyx(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret).digest())
    signed = key.sign(f"{at}|".encode() + call.body)
    return {"telnyx-signature-ed25519": base64.b64encode(signed).decode(), "telnyx-timestamp": str(at)}


def _sinch(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    name = "x-sinch-webhook-signature"
    mac = _mac(secret, b".".join((call.body, NONCE.encode(), str(at).encode())))
    return {name: mac, f"{name}-nonce": NONCE, f"{name}-timestamp": str(at), f"{name}-algorithm": "HmacSHA256"}


def _vonage_jwt(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    digest = hashlib.sha256(call.body).hexdigest()
    return {"authorization": "Bearer " + _token({"iat": at, "jti": NONCE, "payload_hash": digest}, secret)}


def _messagebird_jwt(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    claims: dict[str, Any] = {"iss": "MessageBird", "nbf": at, "exp": at + 60, "jti": NONCE}
    claims["url_hash"] = hashlib.sha256(url.encode()).hexdigest()
    if call.body:
        claims["payload_hash"] = hashlib.sha256(call.body).hexdigest()
    return {"messagebird-signature-jwt": _token(claims, secret)}


def _basic(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    pair = options["username"].encode() + b":" + secret
    return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _header(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    return {options["name"]: options.get("prefix", "") + secret.decode()}


def _hmac(call: Call, url: str, at: int, secret: bytes, options: Mapping[str, str]) -> Mapping[str, str]:
    values = {"{body}": call.body, "{timestamp}": str(at).encode(), "{url}": url.encode(), "{id}": NONCE.encode()}
    signed = options.get("signed", "{body}").encode()
    for name, value in values.items():
        if name != "{body}":
            signed = signed.replace(name.encode(), value)
    signed = signed.replace(b"{body}", call.body)
    mac = hmac.digest(secret, signed, options.get("digest", "sha256"))
    shown = mac.hex() if options.get("encoding", "hex") == "hex" else base64.b64encode(mac).decode()
    headers = {options["header"]: options.get("prefix", "") + shown}
    if "timestamp_header" in options:
        headers[options["timestamp_header"]] = str(at)
    if "id_header" in options:
        headers[options["id_header"]] = NONCE
    return headers


def _token(claims: Mapping[str, Any], secret: bytes) -> str:
    """A JSON web token by HS256 (RFC 7519)."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=")
        for each in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    mac = base64.urlsafe_b64encode(hmac.digest(secret, head + b"." + body, "sha256")).rstrip(b"=")
    return b".".join((head, body, mac)).decode()


_SIGNERS: Final[Mapping[str, _Signer]] = {
    "twilio": _twilio,
    "plivo": _plivo,
    "telnyx": _telnyx,
    "sinch": _sinch,
    "vonage-jwt": _vonage_jwt,
    "messagebird-jwt": _messagebird_jwt,
    "basic": _basic,
    "header": _header,
    "hmac": _hmac,
}
