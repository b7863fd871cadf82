"""Access tokens for XOAUTH2, by OAuth 2.0 (RFC 6749 §4.4 and §6).

Rules kept here:

- One refresh at a time: in this process, and by a lock of the ledger among all that share it. Whoever comes second gets
  what the first one brought.
- A refresh token that the provider gives in place of the old one is in the ledger before the access token that came
  with it is used: some providers take the old one back at once, and then a crash must not lose the only one that works.
- No token, secret or answer of the provider is in an error: only the code that RFC 6749 §5.2 knows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeGuard
from urllib.parse import urlencode, urlsplit

import anyio
from pydantic import SecretStr

from convergekit.abc import ChannelContext
from convergekit.errors import ConvergeError, DeliveryError, InvalidInputError, NotSentError
from convergekit.http import OUTCOMES, HttpAnswer, Outcome

from .config import OAuthConfig

__all__ = ["RefreshingTokens", "TokenProvider", "to_provider", "token_of"]

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
_WORD: Final = re.compile(r"[a-z_]{1,64}")


class TokenProvider(Protocol):
    """Gives access tokens."""

    async def __call__(self, *, fresh: bool = False) -> str:
        """A token that is good now; with *fresh* the last one was refused.

        Raises:
            AuthenticationError: The provider does not give any more.
            NotSentError: It could not be asked.
        """
        ...


def to_provider(
    config: OAuthConfig | None, context: ChannelContext, given: TokenProvider | None = None
) -> TokenProvider | None:
    """What the host has *given*, or what the settings say; None where tokens are not used."""
    if given is not None or config is None:
        return given
    return RefreshingTokens(config, context)


async def token_of(tokens: TokenProvider, *, fresh: bool = False) -> str:
    """A token of *tokens*, which may be the host's own.

    Raises:
        ConvergeError: As it came from there.
        NotSentError: Anything else did, of which only the kind is told: its text may have the token in it.
    """
    try:
        return await tokens(fresh=True) if fresh else await tokens()
    except ConvergeError:
        raise
    except Exception as exc:
        raise NotSentError(f"there is no access token to log in with: {type(exc).__name__}") from exc


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
    """Tokens by a refresh token where there is one, else by the client's own credentials.

    Args:
        config: Where, and as whom.
        context: What the engine lends: HTTP, state and a lock.
    """

    def __init__(self, config: OAuthConfig, context: ChannelContext) -> None:
        self._config = config
        self._context = context
        self._token: _Token | None = None
        self._turn = anyio.Lock()
        # Another account, or a refresh token that a person has put in, begins another line of tokens.
        named = "\0".join((config.token_url, config.client_id, _secret(config.refresh_token), config.scope or ""))
        self._key = f"oauth:{hashlib.sha256(named.encode()).hexdigest()[:32]}"

    async def __call__(self, *, fresh: bool = False) -> str:
        """See `TokenProvider`."""
        mine = self._token
        if not fresh and self._is_of_use(mine, None):
            return mine.value
        async with self._turn:
            refused = mine if fresh else None
            if not self._is_of_use(self._token, refused):
                async with self._context.lock(self._key):
                    self._token = await self._shared(refused)
            return self._token.value

    async def _shared(self, refused: _Token | None) -> _Token:
        """The token that all use; a new one where that is none."""
        kept, _ = await self._context.state.get(self._key)
        kept = kept if isinstance(kept, dict) else {}
        token = _token(kept)
        if self._is_of_use(token, refused):
            return token
        # Not to be cut off: what it changes at the provider has to come into the ledger. Bounded by its own time-outs.
        with anyio.CancelScope(shield=True):
            answer = await self._ask(kept.get("refresh_token") or _secret(self._config.refresh_token))
            kept = self._to_keep(answer, kept)
            await self._context.state.put(self._key, kept)
        token = _token(kept)
        assert token is not None
        return token

    def _is_of_use(self, token: _Token | None, refused: _Token | None) -> TypeGuard[_Token]:
        if token is None or (token.until is not None and token.until <= self._now):
            return False
        return refused is None or token.value != refused.value or self._now - token.since < _JUST_NOW

    @property
    def _now(self) -> float:
        return self._context.clock.now().timestamp()

    async def _ask(self, refresh_token: str) -> Mapping[str, Any]:
        """A new access token, as the provider says it (RFC 6749 §5.1)."""
        config = self._config
        form = {
            "grant_type": "refresh_token" if refresh_token else "client_credentials",
            "refresh_token": refresh_token,
            "client_id": config.client_id,
            "client_secret": _secret(config.client_secret),
            "scope": config.scope or "",
        }
        content = urlencode({name: value for name, value in form.items() if value}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        try:
            answer = await self._context.http.request(
                "POST", config.token_url, headers=headers, content=content, expect="anything", timeout=_PATIENCE
            )
        except DeliveryError as error:
            # No message was to be taken, so nothing is uncertain, and none is rejected.
            raise NotSentError(f"oauth: {self._host} was not asked for a token: {error.reason}") from None
        return self._said(answer)

    def _said(self, answer: HttpAnswer) -> Mapping[str, Any]:
        try:
            said = answer.json()
        except InvalidInputError:
            said = None
        if answer.status == 200 and isinstance(said, dict) and _is_token(said.get("access_token")):
            return said
        code = said.get("error") if isinstance(said, dict) else None
        code = code if isinstance(code, str) and _WORD.fullmatch(code) else None
        reason = f"oauth: {self._host} gives no access token: {code or answer.reason}"
        raise answer.error(_OUTCOMES, reason=reason, code=code) or NotSentError(reason)

    def _to_keep(self, said: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
        """What all need to know: JSON-able."""
        new = said.get("refresh_token")
        refresh_token = new if isinstance(new, str) and new else kept.get("refresh_token")
        life = _seconds(said.get("expires_in"))
        until = None if life is None else self._now + life - min(_MARGIN, life / 10)
        return {
            "access_token": said["access_token"],
            "since": self._now,
            "until": until,
            **({"refresh_token": refresh_token} if refresh_token else {}),
        }

    @property
    def _host(self) -> str:
        return urlsplit(self._config.token_url).hostname or "the provider"


def _token(kept: Mapping[str, Any]) -> _Token | None:
    value = kept.get("access_token")
    return _Token(value, kept["since"], kept["until"]) if isinstance(value, str) else None


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _is_token(value: Any) -> bool:
    """Whether it is what RFC 6750 §2.1 calls one: it goes into a line of the wire as it is."""
    return isinstance(value, str) and re.fullmatch(r"[!-~]{1,16384}", value) is not None


def _seconds(value: Any) -> float | None:
    try:
        return float(value) if 0 < float(value) < 1e9 else None
    except (TypeError, ValueError):
        return None
