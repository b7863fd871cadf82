"""What is there between entering an adapter and leaving it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from convergekit.abc import ChannelContext
from convergekit.errors import NotSentError

from .config import XConfig
from .memory import Memory
from .reading.values import mapping
from .snowflakes import read_id

if TYPE_CHECKING:
    from .budgets import Budgets
    from .client import XClient

__all__ = ["Session", "opened"]

_OWN: Final = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One account, open.

    Args:
        config: Its settings.
        context: What the engine lends.
        client: Asks X.
        budgets: What may be asked, and spent.
        own: The account's id.
        memory: What was heard and written.
    """

    config: XConfig
    context: ChannelContext
    client: XClient
    budgets: Budgets
    own: str
    memory: Memory = field(default_factory=Memory)


@asynccontextmanager
async def opened(config: XConfig, context: ChannelContext) -> AsyncGenerator[Session]:
    """Make the client, and find out whose account it is."""
    # tweepy is loaded here, and not where an adapter is only configured.
    from .budgets import Budgets
    from .client import make

    budgets = Budgets(config, context)
    await budgets.open()
    client = make(config, context, budgets)
    client.own = own = await _own_id(config, context, client)
    yield Session(config=config, context=context, client=client, budgets=budgets, own=own)


async def _own_id(config: XConfig, context: ChannelContext, client: XClient) -> str:
    """The account's id: as configured, as the token says, as X said once, or as it says now."""
    if config.user_id is not None:
        return config.user_id
    if config.oauth2 is None and config.oauth1 is not None:
        # The token of OAuth 1.0a begins with the id of its account.
        prefix, hyphen, _ = config.oauth1.access_token.get_secret_value().partition("-")
        if hyphen and (own := read_id(prefix)) is not None:
            return own
    mark = _mark(config)
    known = mapping((await context.state.get(_OWN))[0])
    if known.get("of") == mark and (own := read_id(known.get("id"))) is not None:
        return own
    answer = await client.request("GET", "/2/users/me", params={})
    if (own := read_id(mapping(answer.get("data")).get("id"))) is None:
        raise NotSentError("X did not say whose account this is; setting user_id says it", channel=context.channel)
    await context.state.put(_OWN, {"of": mark, "id": own})
    return own


def _mark(config: XConfig) -> str:
    """Tells one account's settings from another's, and nothing of what is secret in them."""
    if config.oauth2 is not None:
        said = (config.oauth2.client_id, config.oauth2.refresh_token.get_secret_value())
    else:
        assert config.oauth1 is not None
        said = (config.oauth1.consumer_key, config.oauth1.access_token.get_secret_value())
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
