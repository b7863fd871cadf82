"""Events for people."""

from __future__ import annotations

from convergekit import Event, MessageReceived
from convergekit.model import ChannelChanged, ConsentChanged, CustomReceived, MessageEdited, ReceiptReceived

__all__ = ["shown"]

_LONGEST = 1000  # characters of what has no event of its own; --json shows all of it


def shown(event: Event) -> str:
    """What came in, in one line that no terminal takes for anything but text."""
    who = f" from {event.sender}" if event.sender is not None else ""
    match event:
        case MessageReceived(text=str() as text) | MessageEdited(text=str() as text) if text:
            said = f": {text!r}"
        case ReceiptReceived():
            said = f": {event.receipt.status.name}"
        case ConsentChanged():
            said = ": they agree" if event.granted else ": they want no more"
        case CustomReceived():
            said = f": {event.name!a}: {event.data!a}"[:_LONGEST]
        case ChannelChanged():
            said = f": {event.state}" + (f", {event.reason!r}" if event.reason else "")
        case _:
            said = ""
    return f"{event.channel}: {event.type}{who}{said}"
