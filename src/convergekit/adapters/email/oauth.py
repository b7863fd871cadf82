"""Access tokens for XOAUTH2: the host's own, or those that the settings lead to."""

from __future__ import annotations

from pydantic import SecretStr

from convergekit.abc import ChannelContext
from convergekit.http import OAuthClient, RefreshingTokens, TokenProvider

from .config import OAuthConfig

__all__ = ["to_provider"]


def to_provider(
    config: OAuthConfig | None, context: ChannelContext, given: TokenProvider | None = None
) -> TokenProvider | None:
    """What the host has *given*, or what the settings say; None where tokens are not used.

    They are kept in `context.parts["token_store"]`, or in the ledger.
    """
    if given is not None or config is None:
        return given
    client = OAuthClient(
        config.token_url,
        config.client_id,
        _secret(config.client_secret),
        _secret(config.refresh_token),
        config.scope or "",
    )
    return RefreshingTokens(client, context, context.parts.get("token_store"))


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""
