"""XMPP: one to one and rooms, over an account or as an external component."""

from .adapter import XmppAdapter
from .config import RoomConfig, XmppConfig
from .details import Xmpp

__all__ = ["RoomConfig", "Xmpp", "XmppAdapter", "XmppConfig"]
