"""Who asks: tokens of OAuth 2.0 (RFC 6749, with PKCE), signatures of OAuth 1.0a (RFC 5849), the app's own token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, unquote

import httpx

from ._answers import Problem, ok
from ._people import Account

if TYPE_CHECKING:
    from ._server import XServer

__all__ = ["SCOPES", "OAuth", "Who"]

#: What the app has been allowed, if nothing else is said.
SCOPES: Final = frozenset(
    {"tweet.read", "tweet.write", "users.read", "dm.read", "dm.write", "media.write", "offline.access"}
)
_LIFETIME: Final = timedelta(hours=2)
_CODE_LIFETIME: Final = timedelta(seconds=30)
#: How far the clock of one who signs may be off.
_SKEW: Final = timedelta(minutes=5)
#: For whom a signature may be made, where the client cannot be told another address.
_HOSTS: Final = ("https://api.x.com", "https://api.twitter.com")


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks.

    Attributes:
        account: Whose token it is; None is the app itself.
        way: `oauth2`, `oauth1`, `app` or `nobody`.
        scopes: What the token allows; OAuth 1.0a allows everything.
    """

    account: Account | None
    way: str
    scopes: frozenset[str] | None = None


@dataclass(slots=True)
class _Token:
    account: Account
    scopes: frozenset[str]
    until: datetime


@dataclass(slots=True)
class _Code:
    account: Account
    scopes: frozenset[str]
    challenge: str
    redirect_uri: str
    until: datetime


class OAuth:
    """Tokens, and what they are worth.

    Attributes:
        refreshed: How many pairs of tokens were given for a refresh token.
        reused: How often a refresh token came that had been used: with it, X ends all that came of the first.
    """

    def __init__(self, server: XServer) -> None:
        self._server = server
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}
        self._used: dict[str, Account] = {}
        self._codes: dict[str, _Code] = {}
        self._nonces: set[tuple[str, ...]] = set()
        self._count = 0
        self.refreshed = 0
        self.reused = 0

    def issue(self, account: Account, scopes: Iterable[str] = SCOPES) -> str:
        """An access token for *account*, good for two hours."""
        token = self._new("access", account)
        self._access[token] = _Token(account, frozenset(scopes), self._server.now() + _LIFETIME)
        return token

    def refresh_token(self, account: Account) -> str:
        """The one that *account* has."""
        for token, kept in self._refresh.items():
            if kept.account is account:
                return token
        token = self._new("refresh", account)
        self._refresh[token] = _Token(account, SCOPES, self._server.now())
        return token

    def authorize(self, account: Account, *, challenge: str, redirect_uri: str, scopes: Iterable[str] = SCOPES) -> str:
        """The code that the app gets when the person has agreed, good for thirty seconds."""
        code = self._new("code", account)
        until = self._server.now() + _CODE_LIFETIME
        self._codes[code] = _Code(account, frozenset(scopes), challenge, redirect_uri, until)
        return code

    def expire(self, account: Account) -> None:
        """No access token of *account* holds any more."""
        self._access = {token: kept for token, kept in self._access.items() if kept.account is not account}

    def forget(self, account: Account) -> None:
        """No token of *account* holds any more."""
        self.expire(account)
        self._refresh = {token: kept for token, kept in self._refresh.items() if kept.account is not account}

    # Requests

    def token(self, request: httpx.Request) -> httpx.Response:
        """`POST /2/oauth2/token`."""
        form = dict(parse_qsl(request.content.decode("ascii", "replace"), keep_blank_values=True))
        if not self._is_app(request, form):
            return ok({"error": "unauthorized_client", "error_description": "Missing valid authorization header"}, 401)
        match form.get("grant_type"):
            case "refresh_token":
                return self._refreshed(form.get("refresh_token", ""))
            case "authorization_code":
                return self._exchanged(form)
            case _:
                return _refused("unsupported_grant_type", "Value passed for the grant type was invalid.")

    def revoke(self, request: httpx.Request) -> httpx.Response:
        """`POST /2/oauth2/revoke` (RFC 7009)."""
        form = dict(parse_qsl(request.content.decode("ascii", "replace")))
        if not self._is_app(request, form):
            return ok({"error": "unauthorized_client"}, 401)
        token = form.get("token", "")
        self._access.pop(token, None)
        self._refresh.pop(token, None)
        return ok({"revoked": True})

    def who(self, request: httpx.Request) -> Who:
        """Who has sent *request*.

        Raises:
            Problem: 401: nobody that we know.
        """
        kind, _, rest = request.headers.get("authorization", "").partition(" ")
        match kind.lower():
            case "oauth":
                return self._signed(request, rest)
            case "bearer" if hmac.compare_digest(rest.encode(), self._server.bearer_token.encode()):
                return Who(None, "app")
            case "bearer" if rest in self._access and self._access[rest].until > self._server.now():
                found = self._access[rest]
                return Who(found.account, "oauth2", found.scopes)
            case _:
                raise Problem(401, "Unauthorized")

    def _refreshed(self, token: str) -> httpx.Response:
        if token in self._used:
            # RFC 9700 §4.14.2: who has the second of two copies is not known, so neither may go on.
            self.reused += 1
            self.forget(self._used[token])
        kept = self._refresh.pop(token, None)
        if kept is None:
            return _refused("invalid_request", "Value passed for the token was invalid.")
        self._used[token] = kept.account
        self.refreshed += 1
        return self._pair(kept.account, kept.scopes)

    def _exchanged(self, form: dict[str, str]) -> httpx.Response:
        code = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode("ascii")).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode("ascii").rstrip("=")
        if (
            code is None
            or code.until <= self._server.now()
            or code.challenge != challenge
            or code.redirect_uri != form.get("redirect_uri")
        ):
            return _refused("invalid_request", "Value passed for the authorization code was invalid.")
        return self._pair(code.account, code.scopes)

    def _pair(self, account: Account, scopes: frozenset[str]) -> httpx.Response:
        body = {
            "token_type": "bearer",
            "expires_in": int(_LIFETIME.total_seconds()),
            "access_token": self.issue(account, scopes),
            "scope": " ".join(sorted(scopes)),
        }
        if "offline.access" in scopes:
            body["refresh_token"] = token = self._new("refresh", account)
            self._refresh[token] = _Token(account, scopes, self._server.now())
        return ok(body)

    def _is_app(self, request: httpx.Request, form: dict[str, str]) -> bool:
        """A confidential client says its secret in the header; a public one has none, and says its id in the form."""
        said = request.headers.get("authorization", "")
        app = self._server
        if said.lower().startswith("basic "):
            try:
                name, _, secret = base64.b64decode(said[6:]).decode("utf-8").partition(":")
            except ValueError:
                return False
            return (unquote(name), unquote(secret)) == (app.client_id, app.client_secret)
        return app.is_public_client and form.get("client_id") == app.client_id

    def _new(self, kind: str, account: Account) -> str:
        self._count += 1
        return f"{kind}-{account.id}-{self._count}-{self._server.random.randbytes(12).hex()}"

    # RFC 5849

    def _signed(self, request: httpx.Request, header: str) -> Who:
        said = dict(_parameters(header))
        account = next((each for each in self._accounts() if each.token == said.get("oauth_token")), None)
        if account is None or said.get("oauth_consumer_key") != self._server.consumer_key:
            raise Problem(401, "Unauthorized")
        once = (account.id, said.get("oauth_timestamp", ""), said.get("oauth_nonce", ""))
        if said.get("oauth_signature_method") != "HMAC-SHA1" or not once[2] or once in self._nonces:
            raise Problem(401, "Unauthorized")
        if self._server.checks_time and not self._is_now(once[1]):
            raise Problem(401, "Timestamp out of bounds.")
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii').lower()}"
        key = f"{_escaped(self._server.consumer_secret)}&{_escaped(account.token_secret)}".encode("ascii")
        parameters = [(name, value) for name, value in said.items() if name not in {"oauth_signature", "realm"}]
        parameters += parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            parameters += parse_qsl(request.content.decode("ascii"), keep_blank_values=True)
        for host in (origin, *_HOSTS):
            base = _base_string(request.method, host + path, parameters)
            made = base64.b64encode(hmac.new(key, base, hashlib.sha1).digest()).decode("ascii")
            if hmac.compare_digest(made.encode(), said.get("oauth_signature", "").encode()):
                self._nonces.add(once)
                return Who(account, "oauth1")
        raise Problem(401, "Unauthorized")

    def _accounts(self) -> list[Account]:
        return [
            each
            for each in self._server.people.values()
            if isinstance(each, Account) and each not in self._server.revoked
        ]

    def _is_now(self, timestamp: str) -> bool:
        return timestamp.isdigit() and abs(self._server.now().timestamp() - int(timestamp)) <= _SKEW.total_seconds()


def _parameters(header: str) -> Iterable[tuple[str, str]]:
    for each in header.split(","):
        name, _, value = each.strip().partition("=")
        yield unquote(name), unquote(value.strip('"'))


def _base_string(method: str, url: str, parameters: Iterable[tuple[str, str]]) -> bytes:
    """RFC 5849 §3.4.1."""
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in parameters)
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join((method.upper(), _escaped(url), _escaped(joined))).encode("ascii")


def _escaped(text: str) -> str:
    """RFC 5849 §3.6."""
    return quote(text, safe="-._~")


def _refused(error: str, description: str) -> httpx.Response:
    return ok({"error": error, "error_description": description}, 400)
