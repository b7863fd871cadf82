"""Proof that a call is X' own, and the answer to its challenges. Pure.

The challenge (CRC) is an HMAC of a token that the caller chooses, under the same key and in the same form as the
signature of an event. Whoever may have anything signed may forge events. So a token is signed only where it can be no
body that is read as an event: 16 to 128 characters of base64 or base64url, in which no JSON object can be written; and
nothing is signed for a request that is not just that challenge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from convergekit.abc import Request, Response
from convergekit.errors import SignatureError
from convergekit.http import hmac_signature, verify_hmac

__all__ = ["SIGNATURE", "challenge", "verify"]

#: The header in which X signs what it sends.
SIGNATURE: Final = "x-twitter-webhooks-signature"

_PREFIX: Final = "sha256="
_PARAMETER: Final = "crc_token="
_TOKEN: Final = re.compile(rb"[A-Za-z0-9+/_=-]{16,128}")
#: Before it is decoded: a token of 128 characters, each of them percent-encoded.
_LONGEST: Final = len(_PARAMETER) + 3 * 128
_REFUSED: Final = Response(400, b"this is no challenge of X'")
_JSON: Final = {"content-type": "application/json"}


def challenge(request: Request, secrets: Sequence[str]) -> Response | None:
    """The answer to *request* where it asks whether we know the secret.

    Args:
        request: As it came.
        secrets: What X signs with; a challenge is answered by the first.

    Returns:
        The token's signature; or a 400, which signs nothing, for any other GET; None where it is no GET.
    """
    if request.method != "GET":
        return None
    token = None if request.body else _token(request.query)
    if token is None or not secrets:
        return _REFUSED
    signed = hmac_signature(secrets[0].encode(), token, encoding="base64").decode()
    return Response(200, json.dumps({"response_token": _PREFIX + signed}).encode(), _JSON)


def verify(request: Request, secrets: Sequence[str]) -> None:
    """Check that *request* was signed with one of *secrets*, over its raw bytes and in constant time.

    Raises:
        SignatureError: It was not; and nothing else, whatever came.
    """
    if request.method != "POST":
        raise SignatureError("X calls by POST")
    if not secrets:
        raise SignatureError("nobody knows which calls are X' own: set consumer_secrets")
    keys = [secret.encode() for secret in secrets]
    verify_hmac(request.body, request.headers.get(SIGNATURE), keys, encoding="base64", prefix=_PREFIX)


def _token(query: str) -> bytes | None:
    """What is to be signed, where *query* is one token and nothing else.

    A "+" stands for itself: it is of the alphabet, and a blank is not.
    """
    if not query.startswith(_PARAMETER) or len(query) > _LONGEST or not query.isascii():
        return None
    token = unquote_to_bytes(query.removeprefix(_PARAMETER))
    return token if _TOKEN.fullmatch(token) else None
