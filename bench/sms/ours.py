"""Our side of sending: the adapter in a context whose clock goes, and what it is given to send."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from convergekit.abc import Outgoing
from convergekit.adapters.sms import SmsAdapter, SmsConfig
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.model import Address, ConversationRef, Message, Part
from convergekit.stores import MemoryStore

from ..email.drive import Send

__all__ = ["TEXT", "message", "sends", "settings"]

TEXT = "Your parcel is on its way. It will be with you between 9 and 12 on Tuesday: https://example.org/p/4711"
_ADDRESS = Address("sms:+4915112345678")
_CONVERSATION = ConversationRef(address=_ADDRESS)


def settings(port: int) -> SmsConfig:
    """A channel at a gateway on this machine, which speaks as Telnyx does."""
    return SmsConfig.model_validate(
        {
            "gateway": "telnyx",
            "account": {"api_key": "KEY0123456789", "url": f"http://127.0.0.1:{port}/v2"},
            "sender": "+15005550006",
            "callback_url": "https://example.org/hooks/alerts",
        }
    )


@asynccontextmanager
async def sends(config: SmsConfig, items: int, text: str = TEXT) -> AsyncGenerator[Send]:
    """`SmsAdapter.send`, of *items* that are there already."""
    ready = [message(number, text) for number in range(items)]
    clock = SystemClock()
    store = MemoryStore()
    async with store.opened(clock):
        context = EngineContext("bench", store, clock, Intake(store, admitted=_nobody, noticed=_nobody), {})
        async with SmsAdapter(config, context) as adapter:
            yield lambda number: adapter.send(ready[number])
        await context.aclose()


def message(number: int, text: str = TEXT) -> Outgoing:
    """What the engine would hand over: the *number*th."""
    return Outgoing(
        to=_ADDRESS,
        part=Part(text=f"{number}: {text}"),
        key=f"bench/{number}",
        delivery=f"{0x19C9F000000 + number:012x}{number:020x}",
        message=Message(text),
        conversation=_CONVERSATION,
    )


def _nobody() -> None:
    """Nothing comes in."""


logging.getLogger("convergekit").setLevel(logging.WARNING)
