"""The schemes of providers that ask, before they call, whether we are who we should be."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Final
from urllib.parse import unquote_to_bytes

from pydantic_core import from_json

from convergekit.errors import SignatureError

from ._checks import agree, form_fields
from ._generic import Hmac
from ._hmac import hmac_signature
from ._keyed import Secrets, secrets_of
from ._scheme import Challenge, Incoming, Verified

__all__ = ["Meta", "Slack", "X"]

_PLAIN: Final = {"content-type": "text/plain; charset=utf-8"}
_JSON: Final = {"content-type": "application/json"}
#: What is given back as it came.
_ECHO: Final = re.compile(rb"[\x21-\x7e]{1,512}")

_PREFIX: Final = "sha256="
_CRC: Final = "crc_token="
_CRC_TOKEN: Final = re.compile(rb"[A-Za-z0-9+/_=-]{16,128}")
#: Before it is decoded: a token of 128 characters, each of them percent-encoded.
_LONGEST_CRC: Final = len(_CRC) + 3 * 128


class Meta(Hmac):
    """`X-Hub-Signature-256`, as Facebook, Instagram and WhatsApp have it: hex of HMAC-SHA256 over the body.

    There is no replay window and no id. The challenge is a GET with `hub.challenge`, which is given back where
    `hub.verify_token` is ours.

    Args:
        secrets: The app secrets; the first signs.
        verify_token: What was entered beside the URL; None, and no challenge is answered.

    Source:
        developers.facebook.com, "Getting started with webhooks".
    """

    __slots__ = ("_verify_tokens",)

    def __init__(self, secrets: Secrets, *, verify_token: Secrets | None = None) -> None:
        super().__init__(secrets, header="x-hub-signature-256", prefix=_PREFIX)
        self._verify_tokens = () if verify_token is None else secrets_of(verify_token)

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """The answer to a GET; None where it is none, or no `verify_token` is known."""
        if request.method != "GET" or not self._verify_tokens:
            return None
        try:
            return Challenge(200, self._echoed(request.query), _PLAIN)
        except SignatureError:
            return Challenge(403, b"this is no challenge of Meta's, or has another verify_token", _PLAIN)

    def _echoed(self, query: str) -> bytes:
        said = dict(form_fields(query.encode("latin-1", "replace")))
        agree(said.get(b"hub.verify_token", b""), self._verify_tokens)
        echo = said.get(b"hub.challenge", b"")
        if said.get(b"hub.mode") != b"subscribe" or not _ECHO.fullmatch(echo):
            raise SignatureError("this is no challenge")
        return echo


class Slack(Hmac):
    """`X-Slack-Signature`: `v0=` and the hex of HMAC-SHA256 over `v0:timestamp:body`.

    `Verified.id` is None: the event's id is `event_id` in the body. The challenge, `url_verification`, is signed as
    everything is, and answered only then.

    Args:
        secrets: The signing secrets of the app; the first signs.
        tolerance: Seconds by which the time may differ from our clock.

    Source:
        docs.slack.dev, "Verifying requests from Slack".
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets, *, tolerance: float = 300.0) -> None:
        super().__init__(
            secrets,
            header="x-slack-signature",
            signed="v0:{timestamp}:{body}",
            prefix="v0=",
            timestamp_header="x-slack-request-timestamp",
            tolerance=tolerance,
        )

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """The answer to a `url_verification` that is signed; None for everything else, forged ones included."""
        if b'"url_verification"' not in request.body:
            return None
        try:
            self.verify(request, now)
            said = from_json(request.body)
        except (SignatureError, ValueError):
            return None
        asked = said.get("challenge") if isinstance(said, dict) and said.get("type") == "url_verification" else None
        echo = asked.encode() if isinstance(asked, str) else b""
        return Challenge(200, echo, _PLAIN) if _ECHO.fullmatch(echo) else None


class X(Hmac):
    """`X-Twitter-Webhooks-Signature`: `sha256=` and the base64 of HMAC-SHA256 over the body.

    There is no replay window and no id.

    The challenge (CRC) is an HMAC of a token that the caller chooses, under the same key and in the same form as the
    signature of an event. Whoever may have anything signed may forge events. So a token is signed only where it can be
    no body that is read as an event: 16 to 128 characters of base64 or base64url, in which no JSON object can be
    written; a body that could be such a token proves nothing; and nothing is signed for a request that is not just
    that challenge.

    Args:
        secrets: The consumer secrets of the app; the first signs, and answers challenges.

    Source:
        docs.x.com, "Securing webhooks".
    """

    __slots__ = ()

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets, header="x-twitter-webhooks-signature", encoding="base64", prefix=_PREFIX)

    def verify(self, request: Incoming, now: datetime) -> Verified:
        """See `SignatureScheme.verify`."""
        if request.method != "POST":
            raise SignatureError("X calls by POST")
        if _CRC_TOKEN.fullmatch(request.body):
            raise SignatureError("that may be the answer to a challenge, and is no event")
        return super().verify(request, now)

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        """The token's signature; or a 400, which signs nothing, for any other GET; None where it is no GET."""
        if request.method != "GET":
            return None
        token = None if request.body else _crc_token(request.query)
        if token is None or not self._secrets:
            return Challenge(400, b"this is no challenge of X'", _PLAIN)
        signed = hmac_signature(self._secrets[0], token, encoding="base64").decode()
        return Challenge(200, json.dumps({"response_token": _PREFIX + signed}).encode(), _JSON)


def _crc_token(query: str) -> bytes | None:
    """What is to be signed, where *query* is one token and nothing else.

    A "+" stands for itself: it is of the alphabet, and a blank is not.
    """
    if not query.startswith(_CRC) or len(query) > _LONGEST_CRC or not query.isascii():
        return None
    token = unquote_to_bytes(query.removeprefix(_CRC))
    return token if _CRC_TOKEN.fullmatch(token) else None
