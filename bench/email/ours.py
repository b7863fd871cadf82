"""Our side of sending: the adapter in a context whose clock goes, and what it is given to send."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from convergekit.abc import Outgoing
from convergekit.adapters.email import EmailAdapter, EmailConfig
from convergekit.adapters.email.config import SmtpConfig
from convergekit.engine.clock import SystemClock
from convergekit.engine.context import EngineContext
from convergekit.engine.intake import Intake
from convergekit.model import Address, ConversationRef, Message, Part
from convergekit.stores import MemoryStore

from .drive import Send
from .mails import FROM, SUBJECT, TEXT, TO

__all__ = ["sends"]

_ADDRESS = Address(f"mailto:{TO}")
_CONVERSATION = ConversationRef(address=_ADDRESS)


@asynccontextmanager
async def sends(port: int, **smtp: Any) -> AsyncGenerator[Send]:
    """`EmailAdapter.send`, with its settings as they are by default but for *smtp*."""
    config = EmailConfig(
        address=FROM,
        display_name="Support Desk",
        smtp=SmtpConfig(host="127.0.0.1", port=port, security="none", **smtp),
    )
    clock = SystemClock()
    store = MemoryStore()
    async with store.opened(clock):
        context = EngineContext("bench", store, clock, Intake(store, admitted=_nobody, noticed=_nobody), {})
        async with EmailAdapter(config, context) as adapter:
            yield lambda number: adapter.send(_letter(number))


def _letter(number: int) -> Outgoing:
    """What the engine would hand over: 2 KB of text that is the *number*th."""
    return Outgoing(
        to=_ADDRESS,
        part=Part(text=TEXT, subject=SUBJECT),
        key=f"bench/{number}",
        delivery=f"{0x19C9F000000 + number:012x}{number:020x}",
        message=Message(TEXT, subject=SUBJECT),
        conversation=_CONVERSATION,
    )


def _nobody() -> None:
    """Nothing comes in."""


logging.getLogger("convergekit").setLevel(logging.WARNING)
