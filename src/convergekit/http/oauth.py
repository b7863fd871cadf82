"""Access tokens by OAuth 2.0 (RFC 6749 §4.4 and §6), for whoever logs in with them.

Rules kept here:

- One refresh at a time: in this process, and by a lock among all that share the tokens. Whoever comes second gets
  what the first one brought.
- A refresh token that the provider gives in place of the old one is stored before the access token that came with it
  is used, and neither step is cut off: some providers take the old one back at once, and whoever uses it again has
  all that came of it taken back (RFC 9700 §4.14.2). What could not be stored is stored before anything else is asked.
- Where the answer to a refresh is lost, the old token is tried again when the next one is needed: the provider may not
  have got as far. Where it has, the new one is lost with the answer, and a person has to authorise again; the error
  says so.
- No token, secret or answer of the provider is in an error: only the code that RFC 6749 §5.2 knows.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol, TypeGuard
from urllib.parse import quote_plus, urlencode, urlsplit

import anyio

from convergekit.errors import DeliveryError, InvalidInputError, NotSentError

from .answers import OUTCOMES, HttpAnswer, Outcome, outcome_for
from .client import Http, Tells
from .tokens import Ledger, StoredTokens, TokenStore

__all__ = ["OAuthClient", "RefreshingTokens"]

#: Seconds before its end from which a token is not begun to be used, at most; never more than a tenth of its life.
_MARGIN: Final = 120.0
#: Seconds within which a token is not renewed again, though it was refused: another has just asked for this one.
_JUST_NOW: Final = 10.0
#: Seconds for one request, within which it is not cut off: what it has changed at the provider would be lost.
_PATIENCE: Final = 8.0
#: Nobody but a person can change what a 4xx says (RFC 6749 §5.2); otherwise the provider is asked again.
_OUTCOMES: Final = {
    **OUTCOMES,
    "4xx": Outcome.AUTHENTICATION,
    402: Outcome.AUTHENTICATION,
    409: Outcome.NOT_SENT,
    503: Outcome.NOT_SENT,
    "3xx": Outcome.NOT_SENT,
    "5xx": Outcome.NOT_SENT,
}
#: RFC 6749 §5.2 has the first for it; X says the second.
_OF_THE_CLIENT: Final = frozenset({"invalid_client", "unauthorized_client"})
_WORD: Final = re.compile(r"[a-z_]{1,64}")


class _Context(Ledger, Protocol):
    @property
    def clock(self) -> Tells: ...
    @property
    def http(self) -> Http: ...


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """As whom tokens are asked for, and where.

    Args:
        token_url: Where.
        client_id: As the provider registered it.
        client_secret: Where the provider gave one; "" for a public client.
        refresh_token: The first one; "" where the client asks for itself (RFC 6749 §4.4).
        scope: What is asked for, separated by spaces; "" says nothing.
        basic: Whether a client with a secret says who it is by HTTP Basic, else in the body (RFC 6749 §2.3.1).
    """

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    basic: bool = False

    @property
    def key(self) -> str:
        """Under what its tokens are kept: a refresh token that a person has put in begins another line of them."""
        named = "\0".join((self.token_url, self.client_id, self.refresh_token, self.scope))
        return f"oauth:{hashlib.sha256(named.encode()).hexdigest()[:32]}"

    def request(self, refresh_token: str) -> tuple[dict[str, str], bytes]:
        """Headers and body that ask for a token, by *refresh_token* where it is not ""."""
        form = {
            "grant_type": "refresh_token" if refresh_token else "client_credentials",
            "refresh_token": refresh_token,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.scope,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        if self.basic and self.client_secret:
            named = f"{quote_plus(form.pop('client_id'))}:{quote_plus(form.pop('client_secret'))}"
            headers["authorization"] = f"Basic {base64.b64encode(named.encode()).decode()}"
        return headers, urlencode({name: value for name, value in form.items() if value}).encode()


class _Token(NamedTuple):
    """An access token.

    Args:
        value: It.
        since: When it was given, in seconds since the epoch.
        until: Until when it is begun to be used; None where nobody knows.
    """

    value: str
    since: float
    until: float | None


class RefreshingTokens:
    """Tokens by a refresh token where there is one, else by the client's own credentials: a `TokenProvider`.

    Args:
        client: Where, and as whom.
        context: What the engine lends: HTTP and time, and the ledger.
        store: Where tokens are kept; None for the ledger.
    """

    def __init__(self, client: OAuthClient, context: _Context, store: TokenStore | None = None) -> None:
        self._client = client
        self._context = context
        self._store: TokenStore = StoredTokens(context) if store is None else store
        self._token: _Token | None = None
        self._unsaved: dict[str, Any] | None = None
        self._turn = anyio.Lock()
        self._key = client.key
        self._host = urlsplit(client.token_url).hostname or "the provider"

    async def __call__(self, *, fresh: bool = False) -> str:
        """See `TokenProvider`."""
        mine = self._token
        if not fresh and self._is_of_use(mine, None):
            return mine.value
        async with self._turn:
            refused = mine if fresh else None
            if not self._is_of_use(self._token, refused):
                async with self._store.lock(self._key):
                    self._token = await self._shared(refused)
            return self._token.value

    async def _shared(self, refused: _Token | None) -> _Token:
        """The token that all use; a new one where that is none."""
        token: _Token | None = None
        # Not to be cut off: what it changes at the provider has to be kept. Bounded by the request's own time-out.
        with anyio.CancelScope(shield=True):
            if self._unsaved is not None:
                await self._save(self._unsaved)
            kept = await self._store.load(self._key)
            kept = kept if isinstance(kept, Mapping) else {}
            token = _token(kept)
            if not self._is_of_use(token, refused):
                kept = self._to_keep(await self._ask(kept), kept)
                await self._save(kept)
                token = _token(kept)
        assert token is not None
        return token

    async def _save(self, kept: dict[str, Any]) -> None:
        self._unsaved = kept  # it may be all that is left of a refresh token: the old one is worth nothing any more
        await self._store.save(self._key, kept)
        self._unsaved = None

    def _is_of_use(self, token: _Token | None, refused: _Token | None) -> TypeGuard[_Token]:
        if token is None or (token.until is not None and token.until <= self._now):
            return False
        return refused is None or token.value != refused.value or 0 <= self._now - token.since < _JUST_NOW

    @property
    def _now(self) -> float:
        return self._context.clock.now().timestamp()

    async def _ask(self, kept: Mapping[str, Any]) -> Mapping[str, Any]:
        """A new access token, as the provider says it (RFC 6749 §5.1)."""
        refresh_token = _refresh_token(kept) or self._client.refresh_token
        headers, content = self._client.request(refresh_token)
        try:
            answer = await self._context.http.request(
                "POST", self._client.token_url, headers=headers, content=content, expect="anything", timeout=_PATIENCE
            )
        except DeliveryError as error:
            if refresh_token and not isinstance(error, NotSentError):
                await self._save({**kept, "lost": True})
            # No message was to be taken, so nothing is uncertain, and none is rejected.
            raise NotSentError(f"oauth: {self._host} was not asked for a token: {error.reason}") from None
        return self._said(answer, way_out=_way_out(kept) if refresh_token else "")

    def _said(self, answer: HttpAnswer, *, way_out: str) -> Mapping[str, Any]:
        try:
            said = answer.json()
        except InvalidInputError:
            said = None
        if answer.status == 200 and isinstance(said, dict) and _is_token(said.get("access_token")):
            return said
        code = said.get("error") if isinstance(said, dict) else None
        code = code if isinstance(code, str) and _WORD.fullmatch(code) else None
        reason = f"oauth: {self._host} gives no access token: {code or answer.reason}"
        if code in _OF_THE_CLIENT:
            reason += "; client_id and client_secret have to be those of the application there"
        elif outcome_for(answer.status, _OUTCOMES) is Outcome.AUTHENTICATION:
            reason += way_out
        raise answer.error(_OUTCOMES, reason=reason, code=code) or NotSentError(reason)

    def _to_keep(self, said: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """What all need to know: JSON-able."""
        refresh_token = _refresh_token(said) or _refresh_token(kept)
        life = _seconds(said.get("expires_in"))
        until = None if life is None else self._now + life - min(_MARGIN, life / 10)
        return {
            "access_token": said["access_token"],
            "since": self._now,
            "until": until,
            **({"refresh_token": refresh_token} if refresh_token else {}),
        }


def _way_out(kept: Mapping[str, Any]) -> str:
    """What a person has to do where the refresh token is refused, and how it may have come to that."""
    lost = "; the answer to an earlier request was lost, and the next refresh token with it" if "lost" in kept else ""
    return f"{lost}; a person has to authorise again, and put the refresh token that it brings into the settings"


def _token(kept: Mapping[str, Any]) -> _Token | None:
    """The token that was kept; None where there is none, or where it is of a form that was never ours."""
    value, since, until = kept.get("access_token"), kept.get("since"), kept.get("until")
    if not _is_token(value) or not isinstance(since, int | float) or not isinstance(until, int | float | None):
        return None
    return _Token(value, since, until)


def _refresh_token(said: Mapping[str, Any]) -> str | None:
    """The one in *said*, where it is what RFC 6749 §A.17 calls one: what it is not, may be what no ledger keeps."""
    value = said.get("refresh_token")
    return value if isinstance(value, str) and re.fullmatch(r"[ -~]{1,16384}", value) else None


def _is_token(value: Any) -> TypeGuard[str]:
    """Whether it is what RFC 6750 §2.1 calls one: it goes into a line of the wire as it is."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,16384}", value) is not None


def _seconds(value: Any) -> float | None:
    try:
        return float(value) if 0 < float(value) < 1e9 else None
    except (TypeError, ValueError):
        return None
