"""The HTTP client that adapters are lent."""

from __future__ import annotations

from typing import Any

__all__ = ["Http"]


class Http:
    """HTTP for one channel: pooled, bounded in time and size, silent in the log.

    Args:
        channel: Name of the channel, for errors.
        transport: Stands in for the network: an `httpx.AsyncBaseTransport`, or its successor's.
        client: A whole client of the host's instead.
    """

    def __init__(self, *, channel: str = "?", transport: Any = None, client: Any = None) -> None:
        self.channel = channel
        self._transport, self._client = transport, client

    async def aclose(self) -> None:
        """Close every connection."""
