"""Events: what came in, or changed.

Each event has a `key` that stays the same when the medium delivers it again; (channel, key) is what is recognised.
Subclasses name their wire `type` by a default; `event_type` finds the class of a name, plugins' included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from convergekit.errors import ConfigurationError

from ._base import Line, Moment, Native, Text, Value
from .address import Address
from .conversation import ConversationRef
from .message import Attachment, Content, Message
from .receipt import Receipt, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .message import Importance

__all__ = [
    "AuthorisationRevoked",
    "ChannelChanged",
    "ComplaintReceived",
    "ConsentChanged",
    "CustomReceived",
    "DeadLettered",
    "DeliveryChanged",
    "EndpointDisabled",
    "Event",
    "GapDetected",
    "InvitationReceived",
    "MediaFetched",
    "MediaOffered",
    "MembershipChanged",
    "MessageEdited",
    "MessageReceived",
    "MessageRetracted",
    "PresenceChanged",
    "ReactionChanged",
    "ReceiptReceived",
    "SubscriptionRequested",
    "TypingChanged",
    "UnknownEvent",
    "event_type",
]

_TYPES: dict[str, type[Event]] = {}


class Event(Value):
    """Something that came in or changed.

    Args:
        key: The same when the medium delivers it again; different for anything else on this channel.
            Scoped by the sender where peers choose ids. Empty for ephemeral events, which are never stored.
        channel: Name of the channel; filled in by admission.
        conversation: Where; a direct one with `sender` unless told otherwise.
        sender: By whom, or None.
        at: When it happened, where the medium says so.
        automated: Whether a program sent it (RFC 3834).
        lane: Orders it among other events of the channel; the conversation unless told otherwise.
        details: What only this medium knows, in its translator's words: small, and JSON-able. The adapter's page tells
            them, and its own model reads them (`Mail.of` for email).
        native: The untouched original: JSON-able, or bytes. Above 64 KiB a `ClaimCheck` stands here once the event
            is admitted, and `Hub.native` gives what it stands for.
    """

    type: ClassVar[str] = "event"

    key: Line = ""
    channel: Line = ""
    conversation: ConversationRef | None = None
    sender: Address | None = None
    at: Moment | None = None
    automated: bool = False
    lane: Line | None = None
    details: dict[Line, Any] = Field(default_factory=dict, repr=False)
    native: Native = Field(default=None, repr=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if taken := cls.model_fields.keys() & {"type", "v"}:
            raise ConfigurationError(
                f"{cls.__qualname__} has a field {min(taken)!r}, which the JSON form needs for itself; "
                "give the field another name, and the event its type by `type: ClassVar[str] = ...`"
            )
        name = cls.__dict__.get("type")
        if name is None:
            return  # a refinement of an event, which travels as that event
        known = _TYPES.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ConfigurationError(
                f"two event classes have the type {name!r}: {known.__qualname__} of "
                f"{known.__module__} and {cls.__qualname__} of {cls.__module__}"
            )
        _TYPES[name] = cls


_TYPES[Event.type] = Event


def event_type(name: str) -> type[Event] | None:
    """The class whose wire type is *name*, or None."""
    return _TYPES.get(name)


class MessageReceived(Event, Content):
    """Somebody wrote to us.

    Args:
        message_id: The medium's id of the message; what a reply, an edit or a reaction refers to.
        visible_text: What was written anew: `text` without what it quotes and without a signature. None where that is
            all of `text`, or where the medium cannot tell.
        to: Who is shown as its recipients, where the medium says so; us among them, and `cc` not.
    """

    type: ClassVar[str] = "message.received"

    message_id: Line | None = None
    visible_text: Text | None = None
    to: tuple[Address, ...] = ()

    if TYPE_CHECKING:  # what a translator may give, which is more than what is read back

        def __init__(
            self,
            *,
            key: str = ...,
            channel: str = ...,
            conversation: ConversationRef | Address | str | None = ...,
            sender: Address | str | None = ...,
            at: datetime | str | None = ...,
            automated: bool = ...,
            lane: str | None = ...,
            details: dict[str, Any] = ...,
            native: Any = ...,
            text: str | None = ...,
            markdown: str | None = ...,
            html: str | None = ...,
            subject: str | None = ...,
            cc: Sequence[Address | str] = ...,
            attachments: Sequence[Attachment] = ...,
            reply_to: str | None = ...,
            thread: str | None = ...,
            references: Sequence[str] = ...,
            importance: Importance | str = ...,
            language: str | None = ...,
            headers: dict[str, str] = ...,
            message_id: str | None = ...,
            visible_text: str | None = ...,
            to: Sequence[Address | str] = ...,
        ) -> None: ...

    def to_message(self) -> Message:
        """Its content as a `Message`, to send on."""
        return Message(**{name: getattr(self, name) for name in Content.model_fields})


class MessageEdited(Event, Content):
    """Somebody changed what they wrote; the content is the new one.

    Args:
        target: The medium's id of the message that was changed.
    """

    type: ClassVar[str] = "message.edited"

    target: Line


class MessageRetracted(Event):
    """Somebody took back what they wrote.

    Args:
        target: The medium's id of the message.
    """

    type: ClassVar[str] = "message.retracted"

    target: Line


class ReactionChanged(Event):
    """The reactions of one sender to one message.

    Args:
        target: The medium's id of the message.
        reactions: All that the sender has on it now (as XEP-0444 has it); empty when they took the last one back.
    """

    type: ClassVar[str] = "reaction.changed"

    target: Line
    reactions: tuple[Line, ...] = ()


class ReceiptReceived(Event):
    """A report about a delivery; the engine matches it, and handlers see `DeliveryChanged`.

    Args:
        receipt: The evidence; matched by its `ids`, its `delivery` or its `address`.
    """

    type: ClassVar[str] = "receipt.received"

    receipt: Receipt


class DeliveryChanged(Event):
    """The status of one of our deliveries changed.

    Args:
        delivery: Its id.
        dispatch: Id of its dispatch.
        status: The new one.
        previous: The one before.
        reason: Why, or None.
        disputed: Whether both a failure and a delivery were reported.
    """

    type: ClassVar[str] = "delivery.changed"

    delivery: Line
    dispatch: Line
    status: Status
    previous: Status
    reason: Text | None = None
    disputed: bool = False


class PresenceChanged(Event):
    """Ephemeral: somebody is there, or is not.

    Args:
        presence: What they show.
        text: What they say about it.
    """

    type: ClassVar[str] = "presence.changed"

    presence: Literal["available", "away", "busy", "offline"]
    text: Text | None = None


class TypingChanged(Event):
    """Ephemeral: somebody began or stopped to type.

    Args:
        typing: Whether they type now.
    """

    type: ClassVar[str] = "typing.changed"

    typing: bool


class MembershipChanged(Event):
    """Somebody's place in a group changed.

    Args:
        member: Who.
        membership: What they are now.
        role: The medium's own word for their rights, or None.
    """

    type: ClassVar[str] = "membership.changed"

    member: Address
    membership: Literal["joined", "left", "invited", "removed", "banned"]
    role: Line | None = None


class SubscriptionRequested(Event):
    """Somebody asks to see our presence, or to follow us."""

    type: ClassVar[str] = "subscription.requested"

    text: Text | None = None


class InvitationReceived(Event):
    """Somebody invites us.

    Args:
        room: Where to.
        text: What they say about it.
    """

    type: ClassVar[str] = "invitation.received"

    room: Address
    text: Text | None = None


class ConsentChanged(Event):
    """Somebody agreed, or no longer agrees, to be written to.

    Args:
        address: Whose consent.
        granted: Whether they agree.
        category: To what; None is everything.
        evidence: The words or the mechanism ("STOP", "List-Unsubscribe").
    """

    type: ClassVar[str] = "consent.changed"

    address: Address
    granted: bool
    category: Line | None = None
    evidence: Line | None = None


class ComplaintReceived(Event):
    """Somebody reported a message of ours as abuse.

    Args:
        address: Who.
        kind: The medium's word for it ("abuse", "fraud"; RFC 5965).
        target: Provider id of the message, or None.
    """

    type: ClassVar[str] = "complaint.received"

    address: Address | None = None
    kind: Line = "abuse"
    target: Line | None = None


class ChannelChanged(Event):
    """A channel of ours came up, or went down.

    Args:
        state: What it is now ("up", "degraded", "down", "closed").
        reason: Why, or None.
    """

    type: ClassVar[str] = "channel.changed"

    state: Line
    reason: Text | None = None


class GapDetected(Event):
    """The medium may have withheld events from us.

    Args:
        feed: Where.
        since: The last thing that we are sure of.
        until: The first thing after the gap.
        reason: In words.
    """

    type: ClassVar[str] = "gap.detected"

    feed: Line = ""
    since: Moment | None = None
    until: Moment | None = None
    reason: Text | None = None


class AuthorisationRevoked(Event):
    """A user, or the medium, took back what our account was allowed to do.

    Args:
        account: Which, in the medium's own word for it.
        reason: In words, or None.
    """

    type: ClassVar[str] = "authorisation.revoked"

    account: Line = ""
    reason: Text | None = None


class EndpointDisabled(Event):
    """An address is to be written to no more: HTTP 410, a hard bounce, a closed account.

    Args:
        address: Which.
        reason: In words.
    """

    type: ClassVar[str] = "endpoint.disabled"

    address: Address
    reason: Text | None = None


class DeadLettered(Event):
    """Something was put into the dead letters, where it waits for a person.

    Args:
        direction: Whether it came in or goes out.
        id: Of the inbox entry or the delivery.
        reason: Why.
    """

    type: ClassVar[str] = "dead.lettered"

    direction: Literal["in", "out"]
    id: Line
    reason: Text


class MediaOffered(Event):
    """The engine's own note that an attachment is still to be fetched; handlers never get it.

    Args:
        target: Key of the event that has the attachment.
        attachment: As it came, with its `url`.
    """

    type: ClassVar[str] = "media.offered"

    target: Line
    attachment: Attachment


class MediaFetched(Event):
    """An attachment that came as a URL is in the store now.

    Args:
        target: Key of the event that has the attachment.
        attachment: The same with a `claim` in place of its `url`.
    """

    type: ClassVar[str] = "media.fetched"

    target: Line
    attachment: Attachment


class CustomReceived(Event):
    """Something that has no event of its own.

    Args:
        name: The medium's word for it.
        data: JSON-able, or bytes.
    """

    type: ClassVar[str] = "custom.received"

    name: Line
    data: Native = Field(default=None, repr=False)


class UnknownEvent(Event):
    """An event of a type that this version does not know; written back exactly as it was read.

    Args:
        original: All of it, as JSON had it.
    """

    type: ClassVar[str] = "unknown"

    original: dict[str, Any] = Field(repr=False)

    @field_validator("original")
    @classmethod
    def _has_type(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(value.get("type"), str):
            raise ValueError("must have the type that it was read with")
        return value
