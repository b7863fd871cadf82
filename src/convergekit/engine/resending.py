"""What a person decides about a delivery that the engine has given up, or knows nothing of. Pure but for rendering.

Rules kept here:

- What is sent again is a new delivery, which supersedes the old one and has a key of its own for the medium: a person
  has decided that it is to go out, whatever the medium remembers. Of what is not edited, only the missing parts go.
- What a person knows is evidence like any other: the fold and the plan draw their conclusions from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from anyio import to_thread

from convergekit.content import render
from convergekit.errors import ConfigurationError, InvalidInputError, UnsupportedContentError
from convergekit.model import (
    Attempt,
    Degradation,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Failure,
    FailureKind,
    Message,
    Operation,
    Part,
    Receipt,
    Report,
    Status,
)

from .channels import ChannelRuntime
from .ledger import Change
from .outcomes import with_receipt

__all__ = ["decided", "discarded", "in_place", "repeat", "replacement", "sent_again", "with_content"]

_GIVEN_UP = (DeliveryState.DEAD, DeliveryState.UNKNOWN)


def with_content(message: Message, content: str | Message) -> Message:
    """*message* edited: text takes the place of its text alone, a message that of the whole."""
    if isinstance(content, Message):
        return content
    return message.model_copy(update={"text": content, "markdown": None, "html": None})


async def replacement(
    delivery: Delivery,
    identity: str,
    now: datetime,
    *,
    expires_at: datetime | None,
    edited: Message | None,
    channel: ChannelRuntime | None,
) -> Delivery:
    """The delivery that takes the place of *delivery*.

    Args:
        delivery: What was given up.
        identity: Id of the new one.
        now: When it may be sent.
        expires_at: Until when.
        edited: What to say in place of what was said, with its attachments in the store; or None.
        channel: Whose limits what was edited is rendered for.

    Raises:
        InvalidInputError: It has expired, or there is nothing to edit.
        ConfigurationError: Its channel is not there to render for.
        UnsupportedContentError: The channel cannot carry the content.
    """
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError(f"the message expired at {expires_at.isoformat()}; send it with a later `expires_at`")
    parts: Iterable[Part] = [delivery.parts[index] for index in delivery.missing]
    degradations: Iterable[Degradation] = delivery.degradations
    if edited is not None:
        parts, degradations = await _rendered(delivery, edited, channel)
    fresh = {"key": identity, "parts": tuple(parts), "degradations": tuple(degradations), "expires_at": expires_at}
    return _in_place_of(delivery, identity, now, **fresh)


def repeat(delivery: Delivery, identity: str, now: datetime, *, known: bool) -> Delivery:
    """The delivery that says the same once more; of what has failed, the parts that nobody has taken.

    Args:
        delivery: It is not under way.
        identity: Id of the new one.
        now: When it may be sent.
        known: Whether the medium recognises a repeat: then it has the same key, and may say what was taken. Else it
            has a key of its own.
    """
    missing = delivery.missing
    fresh: dict[str, Any] = {"degradations": delivery.degradations, "expires_at": delivery.expires_at, "opened_at": now}
    if not known:
        return _in_place_of(
            delivery, identity, now, key=identity, parts=tuple(delivery.parts[index] for index in missing), **fresh
        )
    # The key of a part is made of its number, so each keeps its place; what was taken before is not sent again.
    taken = [index for index in range(len(delivery.parts)) if index not in missing] if missing else []
    return _in_place_of(
        delivery,
        identity,
        now,
        key=delivery.key,
        parts=delivery.parts,
        report=Report(parts={index: delivery.report.part(index) for index in taken}),
        unknown=delivery.unknown.intersection(missing),
        first_attempt_at=delivery.first_attempt_at,  # of the key: a medium forgets it, a document may name the time
        **fresh,
    )


def _in_place_of(delivery: Delivery, identity: str, now: datetime, **fresh: Any) -> Delivery:
    kept = {name: getattr(delivery, name) for name in _KEPT}
    return Delivery(id=identity, due=now, supersedes=delivery.id, **kept, **fresh)


_KEPT = (
    "dispatch",
    "leg",
    "channel",
    "address",
    "conversation",
    "operation",
    "target",
    "about",
    "importance",
    "order_key",
)


async def _rendered(
    delivery: Delivery, edited: Message, channel: ChannelRuntime | None
) -> tuple[Iterable[Part], Iterable[Degradation]]:
    if delivery.operation not in (Operation.SEND, Operation.EDIT):
        raise InvalidInputError(f"to {delivery.operation.value} has no content that could be edited")
    if channel is None:
        raise ConfigurationError(f"there is no open channel {delivery.channel!r} to write the edited message for")
    limits = channel.capabilities_for(delivery.conversation)
    # In a thread: a large text takes seconds, in which nobody else would be served.
    rendering = await to_thread.run_sync(partial(render, edited, limits, policy=channel.options.degrade))
    if not rendering.parts:
        raise UnsupportedContentError("there is nothing to say", channel=delivery.channel)
    return rendering.parts, rendering.degradations


def sent_again(new: Delivery, message: Message | None) -> Change:
    """The change of a dispatch by which *new* goes out in the place of what it supersedes; with *message*, edited."""

    def change(dispatch: Dispatch) -> Dispatch | None:
        old = dispatch.by_id(new.supersedes or "")
        return in_place(dispatch, new, message) if old.state in _GIVEN_UP else None

    return change


def in_place(dispatch: Dispatch, new: Delivery, message: Message | None) -> Dispatch:
    """*dispatch*, in which *new* goes out and what it supersedes waits for nobody any more; with *message*, edited."""
    old = dispatch.by_id(new.supersedes or "")
    if old.state in _GIVEN_UP:
        old = old.model_copy(update={"state": DeliveryState.CLOSED})
    update: dict[str, Any] = {
        "deliveries": (*dispatch.replaced(old), new),
        "state": DispatchState.PENDING,  # what had reached its goal is satisfied again when the plan is looked at
        "reason": None,
    }
    if message is not None:
        update["message"] = message
    return dispatch.model_copy(update=update)


def decided(delivery: Delivery, sent: bool, now: datetime) -> Delivery | None:
    """A person knows what became of an unknown attempt; None where nothing is unknown."""
    if delivery.state is not DeliveryState.UNKNOWN:
        return None
    said = f"somebody has found out that it was {'sent' if sent else 'not sent'}"
    if sent:
        told = _told(delivery, now, said)
        for part in sorted(delivery.unknown):
            told = with_receipt(told, Receipt(Status.ACCEPTED, part=part, received_at=now))
        return told
    # The same delivery with the same key: it is tried as if for the first time, with all its attempts.
    fresh = {"unknown": frozenset(), "state": DeliveryState.QUEUED, "due": now, "hold_until": None}
    return _told(delivery, now, said).model_copy(update={**fresh, "attempts": 0, "first_attempt_at": None})


def discarded(delivery: Delivery, now: datetime) -> Delivery | None:
    """Nothing more is done about it; None where it was not given up."""
    if delivery.state is DeliveryState.DEAD:
        return delivery.model_copy(update={"state": DeliveryState.CLOSED})
    if delivery.state is not DeliveryState.UNKNOWN:
        return None
    said = "somebody has given it up; it may have gone out"
    told, failure = _told(delivery, now, said), Failure(kind=FailureKind.CANCELLED, text=said)
    for part in sorted(delivery.unknown):
        told = with_receipt(told, Receipt(Status.FAILED, part=part, received_at=now, failure=failure))
    return told.model_copy(update={"failure": failure, "reason": said})


def _told(delivery: Delivery, now: datetime, said: str) -> Delivery:
    tries = {part: sum(attempt.part == part for attempt in delivery.history) for part in delivery.unknown}
    attempts = [
        Attempt(number=number + 1, part=part, at=now, outcome="reconciled", reason=said)
        for part, number in sorted(tries.items())
    ]
    return delivery.model_copy(update={"history": (*delivery.history, *attempts), "reason": said})
