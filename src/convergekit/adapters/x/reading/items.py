"""One item after the other: what cannot be read is told as that, and the others are read. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from convergekit.model import CustomReceived, Event

from .values import digest, is_deeper

__all__ = ["UNREADABLE", "each", "unreadable"]

#: Name of the event for an item that makes no sense.
UNREADABLE: Final = "x.unreadable"
#: So many characters of its JSON are told.
_TOLD: Final = 16_384


def each(items: Iterable[Any], read: Callable[[Any], Sequence[Event]]) -> list[Event]:
    """What *read* makes of *items*, one by one."""
    events: list[Event] = []
    for item in items:
        try:
            events.extend([unreadable(item)] if is_deeper(item) else read(item))
        except ValueError:  # ours, and what a value of the model says
            events.append(unreadable(item))
    return events


def unreadable(item: Any) -> CustomReceived:
    """The event for *item*, which makes no sense: with its beginning, and the same each time that it comes."""
    text = json.dumps(item, sort_keys=True)
    told = item if len(text) <= _TOLD and not is_deeper(item) else {"begins": text[:_TOLD], "characters": len(text)}
    return CustomReceived(key=f"unreadable:{digest(item)}", name=UNREADABLE, data=told)
