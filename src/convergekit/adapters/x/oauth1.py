"""Signatures by OAuth 1.0a (RFC 5849), with HMAC-SHA1: all that X knows of it. Pure."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlsplit

__all__ = ["Signer", "encoded"]

_PORTS: Final = {"http": 80, "https": 443}


def encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names and values as they stand in a URL and are signed: all but letters, digits and -._~ in percent (§3.6)."""
    return [(quote(name, safe=""), quote(value, safe="")) for name, value in pairs]


class Signer:
    """Signs as one account of one app.

    Args:
        consumer_key: Of the app.
        consumer_secret: Of the app.
        token: Of the account.
        token_secret: Of the account.
    """

    def __init__(self, consumer_key: str, consumer_secret: str, token: str, token_secret: str) -> None:
        self._consumer_key, self._token = quote(consumer_key, safe=""), quote(token, safe="")
        self._key = f"{quote(consumer_secret, safe='')}&{quote(token_secret, safe='')}".encode()

    def authorization(
        self, method: str, url: str, query: Iterable[tuple[str, str]] = (), *, nonce: str, timestamp: int
    ) -> str:
        """What the header `Authorization` says of a request (§3.5.1).

        A body in JSON or in several parts is not signed (§3.4.1.3.1), and X takes no other.

        Args:
            method: In upper case.
            url: Percent-encoded; what stands behind "?" is in *query* in its place.
            query: Names and values, `encoded`.
            nonce: A word of letters and digits that is used once.
            timestamp: Seconds since the epoch.
        """
        said = [
            ("oauth_consumer_key", self._consumer_key),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", str(timestamp)),
            ("oauth_token", self._token),
            ("oauth_version", "1.0"),
        ]
        # §3.4.1.3.2: sorted as they are encoded, by name and then by value.
        parameters = "&".join(f"{name}={value}" for name, value in sorted([*said, *query]))
        base = f"{method}&{quote(_base_uri(url), safe='')}&{quote(parameters, safe='')}"
        signature = base64.b64encode(hmac.digest(self._key, base.encode("ascii"), "sha1")).decode("ascii")
        said.append(("oauth_signature", quote(signature, safe="")))
        return "OAuth " + ", ".join(f'{name}="{value}"' for name, value in said)


def _base_uri(url: str) -> str:
    """Scheme, host and path: lower case, and without the usual port (§3.4.1.2)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host.removesuffix(f':{_PORTS.get(parts.scheme)}')}{parts.path or '/'}"
