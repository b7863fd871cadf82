"""That a public conversation goes on in private: noted where we invite, and told with the first direct message.

One small value for each person who was invited, in the channel's state, until their second direct message: the first
may come twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from convergekit.abc import ChannelContext
from convergekit.model import ConversationKind, ConversationRef, Event, MessageReceived

from .addresses import user_id
from .snowflakes import read_id

__all__ = ["invited", "linked"]

_KEY: Final = "handover:"


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
