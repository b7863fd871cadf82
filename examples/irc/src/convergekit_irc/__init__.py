"""IRC (RFC 1459, RFC 2812): one account on one network, with its rooms.

Sends: text, a line of it as one message; `/me` as an action; as NOTICE what a program says.
Receives: what people say to us and in our rooms, invitations, who comes and who goes.
Cannot promise: that a person has it. ACCEPTED means that the server has read it and has not refused it.
"""

from __future__ import annotations

from .adapter import IrcAdapter
from .config import IrcConfig

__all__ = ["IrcAdapter", "IrcConfig"]
