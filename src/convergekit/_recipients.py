"""To whom: what a host may write, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._handles import Conversation
from .model import Address, Contact, ConversationRef
from .router import Recipient

__all__ = ["Several", "To", "as_recipient", "recipients"]

#: To whom: an address, a URI, a contact, a conversation.
To = Address | str | Contact | ConversationRef | Conversation
#: To several. No bare `Sequence`, for a string is one.
Several = (
    list[str] | list[Address] | list[Contact] | list[ConversationRef] | list[Conversation] | list[To] | tuple[To, ...]
)


def recipients(to: To | Several) -> list[Recipient]:
    """Each of them."""
    several: Sequence[Any] = to if isinstance(to, list | tuple) else (to,)
    return [as_recipient(each) for each in several]


def as_recipient(to: object) -> Recipient:
    """As the router takes it.

    Raises:
        InvalidInputError: It is a URI that makes no sense.
        TypeError: It is nobody.
    """
    match to:
        case str():
            return Address.parse(to)
        case Conversation():
            return to.ref
        case Address() | Contact() | ConversationRef():
            return to
    raise TypeError(
        f"a recipient is an address, a URI, a Contact or a conversation, not {type(to).__name__}; "
        "a route goes into via="
    )
