"""Who something is from, and where an answer to it goes. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from convergekit.errors import InvalidInputError
from convergekit.model import Address, ConversationRef

from .places import short

__all__ = ["whence"]

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,30}:.{1,500}")
_NAME: Final = 200
_PATH: Final = 3000


@lru_cache(maxsize=1024)
def whence(
    said: str | None, name: str | None, thread: str | None, channel: str, home: str | None
) -> tuple[Address, ConversationRef]:
    """The sender, and the conversation.

    Args:
        said: Who, as the document has it: a URI, or any name, which becomes `webhook:CHANNEL/NAME`; or None.
        name: How they are called.
        thread: In which conversation, as the document has it; where it says none, each sender has one.
        channel: Name of the channel, which stands in for a sender whom nobody named.
        home: Where answers go, and nowhere else, whatever the document says; None where nowhere is.
    """
    own = Address(f"webhook:{channel}")
    shown = short(name)[:_NAME] or None if name else None
    sender = _sender(said, shown, channel) if said else Address(home, display_name=shown) if home else own
    address = own if home is None else Address(home)
    key = short(thread) if thread else short(sender.uri) if said else None
    return sender, ConversationRef(channel=channel, address=address, thread=key or None)


def _sender(said: str, name: str | None, channel: str) -> Address:
    if _URI.fullmatch(said):
        try:
            return Address.parse(said, display_name=name)
        except InvalidInputError:
            pass
    plain = short(said)
    # Where each character takes twelve, what is short enough for a name is too long for an address: its digest is not.
    path = quote(plain, safe="@")
    path = path if len(path) <= _PATH else short(path)
    return Address(f"webhook:{channel}/{path}", display_name=name or plain[:_NAME])
