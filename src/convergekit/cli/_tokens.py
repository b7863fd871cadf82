"""Where a command that works beside the ledger keeps tokens: in the ledger all the same.

Many providers give another refresh token with each access token, and take the old one no more. A command that forgot
it at its end would lock the account out, so what `check` and `listen` are given is kept for the worker. The ledger is
opened while a token is renewed, and not otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from convergekit.abc import Clock
from convergekit.config import Settings, StoreSettings
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.http import StoredTokens, TokenStore
from convergekit.stores.named import MEMORY

__all__ = ["LedgerTokens", "parts_of"]


def parts_of(settings: Settings) -> dict[str, dict[str, TokenStore]]:
    """What each channel of a file gets beside its settings; nothing where the ledger ends with its process anyway."""
    if settings.store.url == MEMORY:
        return {}
    return {name: {"token_store": LedgerTokens(name, settings.store, SystemClock())} for name in settings.channels}


class LedgerTokens:
    """The `TokenStore` of a channel that is not open on the ledger itself.

    Args:
        channel: Its name.
        ledger: Where the ledger is; it is made if there is none.
        clock: Time.
    """

    def __init__(self, channel: str, ledger: StoreSettings, clock: Clock) -> None:
        self._channel, self._ledger, self._clock = channel, ledger, clock
        self._open: dict[str, TokenStore] = {}

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None]:
        """See `TokenStore.lock`; inside, `load` and `save` of the same key may be called."""
        store = self._ledger.make()
        async with store.opened(self._clock):
            intake = Intake(store, admitted=lambda: None, noticed=lambda: None)
            tokens = StoredTokens(EngineContext(self._channel, store, self._clock, intake, {}))
            async with tokens.lock(key):
                self._open[key] = tokens
                try:
                    yield
                finally:
                    del self._open[key]

    async def load(self, key: str) -> Any:
        """See `TokenStore.load`."""
        return await self._open[key].load(key)

    async def save(self, key: str, tokens: Mapping[str, Any]) -> None:
        """See `TokenStore.save`."""
        await self._open[key].save(key, tokens)
