"""From a public conversation into a private one with the same person: noted where we invite to it, and told with the
first direct message.

One small value for each person who was invited, in the channel's state, until their second direct message: the first
may come twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from convergekit.abc import ChannelContext
from convergekit.errors import UnsupportedContentError
from convergekit.model import ConversationKind, ConversationRef, Event, Message, MessageReceived

from .addresses import is_public, user_id
from .snowflakes import read_id

__all__ = ["handed_over", "invited", "linked"]

_X: Final = "x"
_KEY: Final = "handover:"


def handed_over(conversation: ConversationRef, message: Message) -> tuple[ConversationRef, Message]:
    """The direct conversation with the author of *conversation*, and *message* marked as the invitation to it.

    The link names our own account, which is known where it is sent.

    Raises:
        UnsupportedContentError: *conversation* is private already, or nobody's.
    """
    if not is_public(conversation):
        raise UnsupportedContentError("this conversation is private already")
    if user_id(conversation.address) is None:
        raise UnsupportedContentError(f"{conversation.address} is nobody who could be written to")
    native: dict[str, Any] = dict(message.native.get(_X) or {}) | {"hand_over": True}
    private = ConversationRef(channel=conversation.channel, address=conversation.address)
    return private, message.model_copy(update={"native": {**message.native, _X: native}})


async def invited(context: ChannelContext, user: str, *, post: str, conversation: ConversationRef) -> None:
    """Note that the account *user* was invited to write to us, by our *post* in the public *conversation*."""
    await context.state.put(_KEY + user, {"post": post, "from": conversation.key})


async def linked(context: ChannelContext, events: Iterable[Event]) -> list[Event]:
    """*events*, of which the first direct message after an invitation tells of it in its details."""
    return [await _linked(context, event) if _is_direct(event) else event for event in events]


def _is_direct(event: Event) -> bool:
    where = event.conversation
    return isinstance(event, MessageReceived) and where is not None and where.kind is ConversationKind.DIRECT


async def _linked(context: ChannelContext, event: Event) -> Event:
    user = user_id(event.sender)
    if user is None:
        return event
    value, version = await context.state.get(_KEY + user)
    if not isinstance(value, dict) or not _is_after(event, value.get("post")):
        return event
    first = value.get("first")
    if first not in (None, event.key):
        await context.state.put(_KEY + user, None, version=version)
        return event
    if first is None:
        await context.state.put(_KEY + user, {**value, "first": event.key}, version=version)
    told = {"handed_over": value["post"], "handed_over_from": value.get("from")}
    return event.model_copy(update={"details": {**event.details, **told}})


def _is_after(event: Event, post: Any) -> bool:
    """Whether a message was written after our post: ids of X tell, whatever the clocks say."""
    message, invitation = read_id(getattr(event, "message_id", None)), read_id(post)
    return message is not None and invitation is not None and int(message) > int(invitation)
