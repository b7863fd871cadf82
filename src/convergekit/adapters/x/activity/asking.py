"""What is asked with the app's own token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convergekit.errors import AuthenticationError, NotSentError

from ..budgets import Priority
from ..session import Session

__all__ = ["App"]


class App:
    """Asks X as the app. A token that is refused here does not take the account down: it still sends, and is polled.

    Args:
        session: The account.
    """

    def __init__(self, session: Session) -> None:
        self._client = session.client.acting(priority=Priority.BACKGROUND, identity="app")
        self._channel = session.context.channel

    async def request(
        self, method: str, route: str, *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> Mapping[str, Any]:
        """See `XClient.request`."""
        try:
            return await self._client.request(method, route, params=params, json=json)
        except AuthenticationError as error:
            raise self.refused(error) from error

    def refused(self, error: AuthenticationError) -> NotSentError:
        """*error* as what it means for the channel."""
        return NotSentError(f"bearer_token is refused: {error.reason}", channel=self._channel, code=error.code)
