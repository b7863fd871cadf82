"""One account's XML stream, over slixmpp; the only part of the channel that knows asyncio."""

from .stream import XmppStream

__all__ = ["XmppStream"]
