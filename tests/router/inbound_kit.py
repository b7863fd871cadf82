"""What the tests of the inbound router share: events, and an engine's side that is lent to handlers."""

from __future__ import annotations

from typing import Any, ClassVar

from convergekit.model import Contact, Event, MessageReceived
from convergekit.router import Handled, Handling, Router

ANN = Contact(id="ann", addresses=("mailto:ann@example.org",), name="Ann")


class Hub:
    """Stands in for the hub."""

    __convergekit_inject__: ClassVar[str] = "hub"


class Channel:
    """Stands in for the hub's handle on a channel."""

    __convergekit_inject__: ClassVar[str] = "channel"

    def __init__(self, name: str) -> None:
        self.name = name


class Conversation:
    """Stands in for the hub's handle on a conversation."""

    __convergekit_inject__: ClassVar[str] = "conversation"

    def __init__(self, uri: str) -> None:
        self.uri = uri


class FakeScope:
    """The engine's side; counts what it is asked for."""

    def __init__(self, contact: Contact | None = ANN) -> None:
        self.hub = Hub()
        self.asked: list[str] = []
        self._contact = contact

    def conversation(self, event: Event) -> Any:
        self.asked.append("conversation")
        return None if event.conversation is None else Conversation(event.conversation.address.uri)

    def channel(self, event: Event) -> Any:
        return Channel(event.channel) if event.channel else None

    async def contact(self, event: Event) -> Contact | None:
        self.asked.append("contact")
        return self._contact


def message(text: str | None = "hello", **fields: Any) -> MessageReceived:
    fields = {"sender": "mailto:ann@example.org", "conversation": "mailto:ann@example.org", **fields}
    return MessageReceived(key="k1", text=text, **{"channel": "support-mail", **fields})


async def dispatch(router: Router, event: Event | None = None, scope: FakeScope | None = None) -> Handled:
    return await router.compiled().dispatch(Handling(message() if event is None else event, scope or FakeScope()))
