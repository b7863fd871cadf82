"""What becomes of events before they are admitted, whichever way they came: by a poll, the webhook or the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from convergekit.model import Event, ReceiptReceived, Status

from .handovers import linked
from .session import Session

__all__ = ["Arrivals"]

#: By how the keys of events begin, what the price list calls them.
_CHARGED: Final = {"post": "activity.post", "dm": "activity.dm", "chat": "activity.dm"}


class Arrivals:
    """Notes what came, and completes it by what is known here.

    Args:
        session: The account.
    """

    def __init__(self, session: Session) -> None:
        self._context, self._memory, self._budgets = session.context, session.memory, session.budgets

    async def told(self, events: Iterable[Event]) -> list[Event]:
        """As `taken`, of what X told by itself, which it charges for."""
        events = list(events)
        named = (event.key.partition(":") for event in events)
        await self._budgets.received([(_CHARGED[kind], id) for kind, _, id in named if kind in _CHARGED])
        return await self.taken(events)

    async def taken(self, events: Iterable[Event]) -> list[Event]:
        """What of *events* is to be admitted; the ephemeral ones are passed on here."""
        events = list(events)
        self._memory.heard(events)
        durable: list[Event] = []
        for event in events:
            if not event.key:
                self._context.notify(event)
            elif isinstance(event, ReceiptReceived) and event.receipt.status is Status.READ:
                durable += self._read_up_to(event)
            else:
                durable.append(event)
        return await linked(self._context, durable)

    def _read_up_to(self, event: ReceiptReceived) -> Iterator[Event]:
        """A receipt for each message that was read: X names the last one, and means all before it."""
        yield event
        place = "" if event.conversation is None else event.conversation.address.uri
        for last in event.receipt.ids:
            for id in self._memory.written(place, up_to=last):
                if id != last:
                    receipt = event.receipt.model_copy(update={"ids": (id,)})
                    yield event.model_copy(update={"key": f"{event.key}:{id}", "receipt": receipt})
