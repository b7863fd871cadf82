"""The xmpp channel: lifetime and wiring."""

from __future__ import annotations

from typing import ClassVar

from convergekit.abc import Adapter, Outgoing, RetryPolicy
from convergekit.errors import NotSentError
from convergekit.model import Capabilities, Receipt

from .config import XmppConfig

__all__ = ["XmppAdapter"]


class XmppAdapter(Adapter[XmppConfig]):
    """Sends and hears over one XML stream; after a loss it goes on where it stood."""

    name = "xmpp"
    schemes = frozenset({"xmpp"})
    backends = frozenset({"asyncio"})
    Config = XmppConfig
    capabilities = Capabilities()
    retry: ClassVar[RetryPolicy] = RetryPolicy(base=1.0, cap=60.0, attempts=2000)
    hold: ClassVar[float] = 3600.0
    exclusive: ClassVar[bool] = True
    calls_started: ClassVar[bool] = True

    async def send(self, out: Outgoing) -> Receipt:
        """Hand *out* to the server; return once it has acknowledged it."""
        raise NotSentError("not connected", channel=self.context.channel)
