"""A conversation: a thread on one channel."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from ._base import Line, Value
from .address import Address

__all__ = ["ConversationKind", "ConversationRef"]


class ConversationKind(StrEnum):
    """Who takes part."""

    DIRECT = "direct"
    """Two sides."""
    GROUP = "group"
    """A room: everybody in it reads."""
    PUBLIC = "public"
    """Everybody reads: posts, mentions, comments."""


class ConversationRef(Value):
    """Which conversation: a value that can be stored, compared and sent to.

    Args:
        channel: Name of the channel. Adapters may leave it empty; admission fills it in.
        address: Where an answer goes: the peer, the room, the account.
        kind: Who takes part.
        thread: The medium's own thread inside that address, or None.
    """

    channel: Line = ""
    address: Address
    kind: ConversationKind = ConversationKind.DIRECT
    thread: Line | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            channel: str = "",
            address: Address | str,
            kind: ConversationKind | str = ConversationKind.DIRECT,
            thread: str | None = None,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _from_address(cls, value: Any) -> Any:
        # A dict first: asking pydantic's metaclass whether it is an `Address` costs as much as all the rest.
        return value if type(value) is dict or not isinstance(value, str | Address) else {"address": value}

    @property
    def key(self) -> str:
        """Names the conversation inside its channel; the default lane."""
        uri = self.address.uri.replace("#", "%23")  # a plugin's own scheme may have one; then "#" still means a thread
        return uri if self.thread is None else f"{uri}#{self.thread}"
