"""The far side of an XMPP channel, for the contract and `convergekit verify`: a server on loopback."""

from __future__ import annotations

from .subject import XmppSubject

__all__ = ["XmppSubject"]
