"""Real XMPP servers of one's own, for tests and measurements: Prosody and ejabberd, private, on loopback."""

from __future__ import annotations

from tools.mail.processes import eventually
from tools.mail.proxies import CutProxy, DelayProxy

from .peer import Peer, StreamError, body
from .servers import Account, Ejabberd, Prosody, XmppServer

__all__ = [
    "Account",
    "CutProxy",
    "DelayProxy",
    "Ejabberd",
    "Peer",
    "Prosody",
    "StreamError",
    "XmppServer",
    "body",
    "eventually",
]
