"""Whom an address means, and where something goes. Pure.

A person's address is `x:<user id>`, which stays; the handle may change hands and is only shown. `x:dm-<id>` is a group
of direct messages, `x:public` is everybody. A send never changes between public and private by itself: what a
conversation says it is, it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from convergekit.abc import Outgoing
from convergekit.errors import RejectedError, UnsupportedContentError
from convergekit.model import Address, ConversationKind, ConversationRef, FailureKind

from .snowflakes import read_id

__all__ = [
    "PUBLIC",
    "Destination",
    "DestinationKind",
    "destination",
    "group",
    "group_id",
    "handle_of",
    "is_public",
    "peer_in",
    "refuse_name",
    "user",
    "user_id",
]

#: Everybody: what is sent there is a post that answers none.
PUBLIC: Final = Address("x:public")
_GROUP: Final = "x:dm-"


class DestinationKind(Enum):
    """Among whom something is said."""

    POST = "post"
    """In public."""
    DIRECT = "direct"
    """To one person."""
    GROUP = "group"
    """To a group of direct messages."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where something goes.

    Args:
        kind: Among whom.
        id: Of the person (for a post: whom it answers, or None), or of the group's conversation.
        parent: Of a post, the post that it answers, or None.
        thread: Of a post, the root of the conversation that it belongs to, or None. Where it has a thread and no
            parent, whoever sends it chooses the newest post of that thread that is known, or else the root.
    """

    kind: DestinationKind
    id: str | None = None
    parent: str | None = None
    thread: str | None = None


@lru_cache(maxsize=4096)
def user(id: str, shown: str | None = None) -> Address:
    """The address of the account *id*; *shown* is what it is called: "@handle", or its name."""
    return Address(f"x:{id}", display_name=shown)


def user_id(address: Address | None) -> str | None:
    """The account that *address* means by its id, or None."""
    return None if address is None or address.scheme != "x" else read_id(address.value)


def handle_of(address: Address) -> str | None:
    """The handle that *address* means somebody by, without the @, in lower case; or None."""
    return address.value[1:] if address.scheme == "x" and address.value.startswith("@") else None


@lru_cache(maxsize=4096)
def group(conversation_id: str) -> Address:
    """The address of the group with that *conversation_id*."""
    return Address(_GROUP + conversation_id)


def group_id(address: Address) -> str | None:
    """The conversation that *address* means as a group, or None."""
    return address.uri.removeprefix(_GROUP) if address.uri.startswith(_GROUP) else None


def peer_in(conversation_id: str, own: str) -> str | None:
    """With whom the account *own* talks in the conversation of two that is called so; None where it is no such."""
    first, dash, second = conversation_id.partition("-")
    if not dash or read_id(first) is None or read_id(second) is None or own not in (first, second):
        return None
    return second if own == first else first


def is_public(conversation: ConversationRef) -> bool:
    """Whether everybody reads what is said there: only then it is a post."""
    return conversation.kind is ConversationKind.PUBLIC or conversation.address == PUBLIC


def refuse_name(to: Address) -> None:
    """Raise `RejectedError` where *to* says a handle: whose it is changes."""
    if (handle := handle_of(to)) is not None:
        way_out = f'`await hub.channel(...).find("@{handle}")` tells the address'
        raise _nowhere(f"x:@{handle} is a name, which may change hands: {way_out}")


def destination(out: Outgoing) -> Destination:
    """Where *out* goes.

    Raises:
        RejectedError: Its address and its conversation mean nobody, or do not fit together.
        UnsupportedContentError: It answers something that is no post.
    """
    to, conversation = out.to, out.conversation
    refuse_name(to)
    if to == PUBLIC or conversation.kind is ConversationKind.PUBLIC:
        return _post(out, conversation)
    if (id := group_id(to)) is not None:
        return Destination(DestinationKind.GROUP, id)
    if conversation.kind is ConversationKind.GROUP:
        raise _nowhere(f"{to} is one person, and the conversation a group: a group's address is x:dm-<id>")
    if (id := user_id(to)) is None:
        raise _nowhere(f"{to} is nobody at X")
    return Destination(DestinationKind.DIRECT, id)


def _post(out: Outgoing, conversation: ConversationRef) -> Destination:
    if group_id(out.to) is not None:
        raise _nowhere(f"{out.to} is a group of direct messages, and the conversation public")
    # What a person sends again begins with what was missing, and goes on where the first attempt ended.
    answered = out.earlier[0] if out.earlier else out.message.reply_to
    parent, thread = _post_id(answered), _post_id(conversation.thread or out.message.thread)
    return Destination(DestinationKind.POST, user_id(out.to), parent, thread)


def _post_id(said: str | None) -> str | None:
    if said is None:
        return None
    if (id := read_id(said)) is None:
        raise UnsupportedContentError(f"{said[:40]!a} is no post: what is answered at X is named by its id")
    return id


def _nowhere(why: str) -> RejectedError:
    return RejectedError(why, kind=FailureKind.INVALID_ADDRESS)
