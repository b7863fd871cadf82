"""From a public conversation into a private one with the same person. Pure."""

from __future__ import annotations

from typing import Any, Final

from convergekit.errors import UnsupportedContentError
from convergekit.model import ConversationRef, Message

from ..addresses import user_id
from ..capabilities import is_public

__all__ = ["handed_over"]

_X: Final = "x"


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
