"""A help desk's router: what comes in, and who answers it."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Annotated

from convergekit import Contact, Depends, Message, MessageReceived, Router, Skip
from convergekit.router import CallNext, Handling, Reply
from convergekit.router.filters import command, text

desk = Router("desk")


# [basics]
@desk.on_message(command="help")
async def explain() -> str:
    return "Write your question, or /ticket to open a ticket."


@desk.on_message(where=text(re.compile(r"\binvoice\b", re.IGNORECASE)) | command("billing"), automated=False)
async def billing(message: MessageReceived, contact: Contact | None) -> Message:
    name = contact.name if contact else "there"
    return Message(f"Hello {name}, accounting will answer you.", subject=f"Re: {message.subject or 'your invoice'}")


# [basics end]


# [depends]
@dataclass
class Tickets:
    """Stands in for the host's database."""

    opened: list[str] = field(default_factory=list)
    committed: int = 0


TICKETS = Tickets()


async def tickets() -> AsyncGenerator[Tickets]:
    yield TICKETS
    TICKETS.committed += 1  # only when the handler came to its end


@desk.on_message(command="ticket", timeout=10)
async def open_ticket(message: MessageReceived, tickets: Annotated[Tickets, Depends(tickets)]) -> str:
    title = (message.text or "").removeprefix("/ticket").strip()
    if not title:
        raise Skip
    tickets.opened.append(title)
    return f"Ticket {len(tickets.opened)} is open."


# [depends end]


# [compose]
app = Router("app")
app.include(desk, channel="support-*")


@app.middleware
async def polite(handling: Handling, call_next: CallNext) -> Reply:
    reply = await call_next(handling)
    return f"{reply} Thank you!" if isinstance(reply, str) else reply


@app.on_unhandled
async def nobody(handling: Handling) -> None:
    print(f"nobody took {handling!r}")


# [compose end]
