"""What the tests of signatures share: calls, and schemes of every kind with secrets that fit."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from convergekit.http.signatures import SCHEMES, SignatureScheme, scheme_named

NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL: Final = "https://example.org/hooks/alerts"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Call:
    """An `Incoming` that is no `Request`, so that its headers may hold what no server would let in."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    query: str = ""
    path: str = ""
    url: str | None = URL

    def but(self, **headers: str | None) -> Call:
        """The same with other headers, or without those that are None."""
        changed = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return replace(self, headers={name: value for name, value in changed.items() if value is not None})


def _text(number: int) -> str:
    return f"secret-{number:02}-" * 4


def _whsec(number: int) -> str:
    return "whsec_" + base64.b64encode(bytes([number]) * 32).decode()


def _whsk(number: int) -> str:
    return "whsk_" + base64.b64encode(bytes([number]) * 32).decode()


def _p256(number: int) -> str:
    key = ec.derive_private_key(1000 + number, ec.SECP256R1())
    return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def _rfc9421(number: int) -> str:
    return f"key{number}:" + base64.b64encode(bytes([number]) * 32).decode()


@dataclass(frozen=True)
class Case:
    """One scheme.

    Args:
        name: In `SCHEMES`.
        options: Of it.
        secret: Makes the secret of a number.
        body: That is signed.
        headers: That are there beside the signature.
        covers: Whether it covers the body.
        fresh: Whether it has a replay window.
        tolerance: Seconds of it.
        signed: Makes the call; by default it is signed by the scheme itself.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    secret: Callable[[int], str] = _text
    body: bytes = '{"type":"message.created","data":{"text":"ä"}}'.encode()
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    covers: bool = True
    fresh: bool = False
    tolerance: float = 300
    signed: Callable[[SignatureScheme, Case, int, datetime], Call] | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.secret(1)[:5]}"

    def scheme(self, *numbers: int, **options: Any) -> SignatureScheme:
        """It, with secrets of these numbers."""
        return scheme_named(self.name, [self.secret(number) for number in numbers], **{**self.options, **options})

    def call(self, *numbers: int, at: datetime = NOW) -> Call:
        """A call that is signed with secrets of these numbers."""
        scheme = self.scheme(*numbers)
        if self.signed is not None:
            return self.signed(scheme, self, numbers[0], at)
        return Call(self.body, {**self.headers, **scheme.sign("msg_1", at, self.body, url=URL, headers=self.headers)})


def _mailgun(scheme: SignatureScheme, case: Case, number: int, at: datetime) -> Call:
    timestamp, token = str(int(at.timestamp())), "a1b2c3d4e5" * 5
    signature = hmac.digest(case.secret(number).encode(), (timestamp + token).encode(), "sha256").hex()
    said = {"timestamp": timestamp, "token": token, "signature": signature}
    return Call(json.dumps({"signature": said, "event-data": {"event": "delivered"}}).encode(), case.headers)


def _secret_path(scheme: SignatureScheme, case: Case, number: int, at: datetime) -> Call:
    return Call(case.body, {**case.headers, "x-id": "msg_1"}, path="/" + case.secret(number))


CASES: Final[Mapping[str, Case]] = {
    "standard": Case("standard", secret=_whsec, fresh=True),
    "svix": Case("standard", {"prefix": "svix-"}, secret=_whsec, fresh=True),
    "v1a": Case("standard", secret=_whsk, fresh=True),
    "github": Case("github"),
    "meta": Case("meta"),
    "stripe": Case("stripe", fresh=True),
    "slack": Case("slack", fresh=True),
    "shopify": Case("shopify"),
    "twilio": Case(
        "twilio", body=b"From=%2B4915112345678&Body=a+%C3%A4&Body=b&Empty=&z=1", headers={"content-type": FORM}
    ),
    "mailgun": Case("mailgun", covers=False, fresh=True, tolerance=36_000, signed=_mailgun),
    "sendgrid": Case("sendgrid", secret=_p256, fresh=True, tolerance=90_000),
    "x": Case("x"),
    "hmac": Case(
        "hmac",
        {
            "header": "X-Signature",
            "signed": "{id}.{timestamp}.{url}.{body}",
            "digest": "sha512",
            "encoding": "base64",
            "prefix": "v1=",
            "timestamp_header": "X-Time",
            "id_header": "X-Id",
        },
        fresh=True,
    ),
    "basic": Case("basic", {"username": "shop", "id_header": "X-Id"}, covers=False),
    "header": Case("header", {"header": "X-Token", "prefix": "Bearer "}, covers=False),
    "secret-path": Case("secret-path", {"id_header": "X-Id"}, covers=False, signed=_secret_path),
    "rfc9421": Case("rfc9421", secret=_rfc9421, fresh=True),
}
assert {case.name for case in CASES.values()} == set(SCHEMES)
