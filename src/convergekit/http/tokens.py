"""Who gives access tokens, and where they are kept: what a host can put in place of ours."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from convergekit.errors import ConvergeError, NotSentError

__all__ = ["Ledger", "StoredTokens", "TokenProvider", "TokenStore", "token_of"]


class TokenProvider(Protocol):
    """Gives access tokens."""

    async def __call__(self, *, fresh: bool = False) -> str:
        """A token that is good now; with *fresh* the last one was refused.

        Raises:
            AuthenticationError: The provider does not give any more.
            NotSentError: It could not be asked.
        """
        ...


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


class TokenStore(Protocol):
    """Where tokens are kept, for all processes that use them. What is kept is secret."""

    async def load(self, key: str) -> Any:
        """What was saved last under *key*; None where there is nothing."""
        ...

    async def save(self, key: str, tokens: Mapping[str, Any]) -> None:
        """Keep *tokens*, which are JSON-able, under *key*; return when a crash cannot lose them any more."""
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Mutual exclusion among all who use *key*, for as long as the block lasts: a minute at most."""
        ...


class _State(Protocol):
    async def get(self, key: str) -> tuple[Any, int]: ...
    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool: ...


class Ledger(Protocol):
    """The `ChannelContext`, as far as tokens need it."""

    @property
    def state(self) -> _State:
        """See `ChannelContext.state`."""
        ...

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """See `ChannelContext.lock`."""
        ...


class StoredTokens:
    """The `TokenStore` of a channel that was given no other: the ledger.

    Args:
        ledger: The channel's context.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def load(self, key: str) -> Any:
        """See `TokenStore.load`."""
        return (await self._ledger.state.get(key))[0]

    async def save(self, key: str, tokens: Mapping[str, Any]) -> None:
        """See `TokenStore.save`."""
        await self._ledger.state.put(key, dict(tokens))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """See `TokenStore.lock`."""
        return self._ledger.lock(key)
