"""Who signs a request: the account by OAuth 2.0 or OAuth 1.0a, or the app by itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Literal, Self, TypeAlias

from pydantic import SecretStr

from convergekit.abc import ChannelContext
from convergekit.errors import AuthenticationError
from convergekit.http import OAuthClient, RefreshingTokens, token_of

from .config import OAuth1Config, OAuth2Config, XConfig
from .oauth1 import Signer

__all__ = ["Auth", "Identity"]

Identity: TypeAlias = Literal["user", "app"]
"""As whom something is asked: as the account, or as the app that it is used through."""

_TOKEN: str = "/2/oauth2/token"


class Auth:
    """Signs requests.

    Args:
        config: The account.
        context: What the engine lends. Its `parts` may have `token_store`: where the host keeps OAuth 2.0's tokens.
        nonce: Makes words that are used once; for tests.
    """

    def __init__(
        self, config: XConfig, context: ChannelContext, nonce: Callable[[], str] = lambda: secrets.token_hex(16)
    ) -> None:
        self._bearer = config.bearer_token
        self._clock = context.clock
        self._nonce = nonce
        self._tokens: RefreshingTokens | None = None
        self._signer: Signer | None = None
        if config.oauth2 is not None:
            client = _client(config.api, config.oauth2)
            self._tokens = RefreshingTokens(client, context, context.parts.get("token_store"))
        elif config.oauth1 is not None:
            self._signer = _signer(config.oauth1)

    @classmethod
    def by_oauth1(cls, config: XConfig, context: ChannelContext) -> Self | None:
        """Signs by OAuth 1.0a, whatever signs usually; None where the settings do not have that."""
        if config.oauth1 is None:
            return None
        return cls(config.model_copy(update={"oauth2": None}), context)

    def can_renew(self, identity: Identity) -> bool:
        """Whether a refusal of what signs may be mended by signing anew, with a fresh token."""
        return identity == "user" and self._tokens is not None

    def way_out(self, identity: Identity) -> str:
        """What a person does where what signs is refused."""
        if identity == "app":
            return "bearer_token is not the app's any more: X' developer console makes another"
        if self._tokens is not None:
            return "a person has to authorise the app again, and put the refresh token that it brings into oauth2"
        return "oauth1 has to have the keys in X' developer console, which makes others; or our clock is wrong"

    async def authorization(
        self, method: str, url: str, query: Iterable[tuple[str, str]] = (), *, identity: Identity, fresh: bool = False
    ) -> str:
        """What the header `Authorization` says of a request.

        Args:
            method: In upper case.
            url: Percent-encoded, without "?" and what stands behind it.
            query: That, as names and values, `oauth1.encoded`.
            identity: As whom.
            fresh: The last token was refused.

        Raises:
            AuthenticationError: There is no token, and only a person can change that.
            NotSentError: It could not be had now.
        """
        if identity == "app":
            return f"Bearer {self._app_token()}"
        if self._tokens is not None:
            return f"Bearer {await token_of(self._tokens, fresh=fresh)}"
        assert self._signer is not None  # the settings have one or the other
        timestamp = int(self._clock.now().timestamp())
        return self._signer.authorization(method, url, query, nonce=self._nonce(), timestamp=timestamp)

    def _app_token(self) -> str:
        if self._bearer is None:
            raise AuthenticationError("bearer_token is not set: X is asked this as the app, with the app's own token")
        return self._bearer.get_secret_value()


def _client(api: str, config: OAuth2Config) -> OAuthClient:
    return OAuthClient(
        token_url=api + _TOKEN,
        client_id=config.client_id,
        client_secret=_secret(config.client_secret),
        refresh_token=_secret(config.refresh_token),
        basic=True,  # RFC 6749 §2.3.1, and X takes nothing else of a confidential client
    )


def _signer(config: OAuth1Config) -> Signer:
    return Signer(
        config.consumer_key,
        _secret(config.consumer_secret),
        _secret(config.access_token),
        _secret(config.access_token_secret),
    )


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()
