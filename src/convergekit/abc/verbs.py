"""Optional verbs: declared by being implemented.

`edit`, `retract`, `react` and `mark_read` go through the outbox after the message they are about, in its lane,
and have the outcomes of `Adapter.send`. `typing` and `presence` are ephemeral: they may fail, and nobody retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from convergekit.errors import DeliveryError
from convergekit.model import Address, Attachment, ConversationRef, Event, Message, PresenceChanged, Receipt

from .adapter import Outgoing

__all__ = [
    "Reconciliation",
    "SupportsBatch",
    "SupportsEdit",
    "SupportsEndpoints",
    "SupportsHandOver",
    "SupportsHistory",
    "SupportsLookup",
    "SupportsMedia",
    "SupportsPresence",
    "SupportsReactions",
    "SupportsReadMarkers",
    "SupportsReconcile",
    "SupportsRetract",
    "SupportsRooms",
    "SupportsSubscriptions",
    "SupportsTyping",
    "SupportsUpload",
]


@runtime_checkable
class SupportsEdit(Protocol):
    """Messages can be changed after they were sent."""

    async def edit(self, out: Outgoing) -> Receipt:
        """Replace the message `out.target` by `out.part`."""
        ...


@runtime_checkable
class SupportsRetract(Protocol):
    """Messages can be taken back."""

    async def retract(self, out: Outgoing) -> Receipt:
        """Take back the message `out.target`."""
        ...


@runtime_checkable
class SupportsReactions(Protocol):
    """Messages can be reacted to."""

    async def react(self, out: Outgoing) -> Receipt:
        """Set our reactions to the message `out.target` to those in `out.text`, separated by spaces; none is none."""
        ...


@runtime_checkable
class SupportsReadMarkers(Protocol):
    """The other side can be told how far we have read."""

    async def mark_read(self, out: Outgoing) -> Receipt:
        """Mark everything up to `out.target` as read."""
        ...


@runtime_checkable
class SupportsTyping(Protocol):
    """The other side can be shown that we type."""

    async def typing(self, conversation: ConversationRef, typing: bool) -> None:
        """Show, or stop showing."""
        ...


@runtime_checkable
class SupportsPresence(Protocol):
    """We can be seen to be there."""

    async def set_presence(self, presence: str, text: str | None = None) -> None:
        """Show *presence*: "available", "away", "busy" or "offline"."""
        ...


@runtime_checkable
class SupportsSubscriptions(Protocol):
    """Whether somebody is there is seen by those whom they let see it: either side asks, and the other decides.

    Who asks us comes as `SubscriptionRequested`, and is neither accepted nor refused by itself.
    """

    async def presence_of(self, who: Address) -> PresenceChanged:
        """What is known of whether *who* is there; "offline" where nothing is. Asks nobody."""
        ...

    async def subscribe(self, who: Address, text: str | None = None) -> None:
        """Ask *who* to let us see their presence."""
        ...

    async def unsubscribe(self, who: Address) -> None:
        """See it no more."""
        ...

    async def accept_subscription(self, who: Address) -> None:
        """Let *who* see ours."""
        ...

    async def refuse_subscription(self, who: Address) -> None:
        """Do not let *who* see it, or no more."""
        ...


@runtime_checkable
class SupportsRooms(Protocol):
    """There are rooms."""

    async def create_room(self, name: str, **options: Any) -> ConversationRef:
        """Make one."""
        ...

    async def join(self, room: Address, *, nickname: str | None = None) -> ConversationRef:
        """Enter; joining twice is joining once."""
        ...

    async def leave(self, room: Address) -> None:
        """Leave; leaving twice is leaving once."""
        ...

    async def invite(self, room: Address, who: Address, text: str | None = None) -> None:
        """Invite somebody."""
        ...

    async def members(self, room: Address) -> Sequence[Address]:
        """Who is in it, as far as the medium tells."""
        ...


@runtime_checkable
class SupportsUpload(Protocol):
    """Files can be put where the medium serves them."""

    async def upload(self, attachment: Attachment, conversation: ConversationRef) -> str:
        """Store *attachment*; return its URL."""
        ...


@runtime_checkable
class SupportsMedia(Protocol):
    """The medium serves attachments by URLs that need what only the adapter has: credentials, a session."""

    def fetch(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What `attachment.url` serves, in chunks; mostly `context.http.download(...)`. The engine limits the size.

        Raises:
            NotSentError: It is asked for again later.
            AccountError: Likewise.
            RejectedError: It is gone for good.
        """
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """People have names on the medium that may change hands; their addresses stay."""

    async def find(self, name: str) -> Address:
        """Who is called *name* now, the name as display name.

        Raises:
            RejectedError: Nobody is.
            NotSentError: It could not be asked.
            AccountError: The account may not ask.
        """
        ...


@runtime_checkable
class SupportsEndpoints(Protocol):
    """Whoever has an address can say that it is to be written to no more (`EndpointDisabled`)."""

    async def enable(self, address: Address) -> bool:
        """Write to *address* again; tells whether it was disabled."""
        ...


@runtime_checkable
class SupportsHandOver(Protocol):
    """From a conversation that all can read there is a way into a private one with the same person."""

    def hand_over(self, conversation: ConversationRef, message: Message) -> tuple[ConversationRef, Message]:
        """The private conversation, and *message* with what leads there. No I/O.

        Raises:
            UnsupportedContentError: *conversation* is private already, or nobody's.
        """
        ...


@runtime_checkable
class SupportsHistory(Protocol):
    """The medium keeps an archive."""

    async def history(
        self, conversation: ConversationRef, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        """Events before *cursor* (None for the newest), the newest last, and the next cursor (None at the end)."""
        ...


class Reconciliation(StrEnum):
    """What the medium could not confirm."""

    NOT_TAKEN = "not_taken"
    """It has certainly not taken it."""
    DONT_KNOW = "dont_know"
    """It cannot tell."""


@runtime_checkable
class SupportsReconcile(Protocol):
    """The medium can be asked what became of an attempt."""

    async def reconcile(self, out: Outgoing) -> Receipt | Reconciliation:
        """What became of an attempt at *out* that ended unknown. Sends nothing.

        Raises:
            ThrottledError: To be asked again after `retry_after` seconds: the medium may not show it yet.
            DeliveryError: To be asked again after back-off, as after any other exception.
        """
        ...


@runtime_checkable
class SupportsBatch(Protocol):
    """Several parts can be handed over in one call."""

    batch_size: int

    async def send_batch(self, outs: Sequence[Outgoing]) -> Sequence[Receipt | DeliveryError]:
        """One answer for each, in order."""
        ...
