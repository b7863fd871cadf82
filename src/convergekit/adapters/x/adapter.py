"""The X channel: lifetime and wiring."""

from __future__ import annotations

from typing import ClassVar

from convergekit.abc import Adapter, Outgoing
from convergekit.errors import NotSentError
from convergekit.model import Receipt

from .config import XConfig

__all__ = ["XAdapter"]


class XAdapter(Adapter[XConfig]):
    """Posts, answers and writes to people at X, and hears them.

    Args:
        config: The account.
        context: What the engine lends.
    """

    name = "x"
    schemes = frozenset({"x"})
    Config = XConfig
    calls_started = True
    send_timeout: ClassVar[float] = 180.0

    async def send(self, out: Outgoing) -> Receipt:
        """Post, answer or write."""
        raise NotSentError("not there yet")
