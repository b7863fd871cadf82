"""XMPP: one to one and rooms, over an account or as an external component.

Sends: styled text, files by HTTP upload, replies, corrections, retractions, reactions, markers; each is done once the
server has acknowledged it, and what a lost connection leaves open is sent again under the same id. Receives: all of
these, live and out of archives, each once, and the server is told of it once it is stored; `Xmpp.of(event)` says what
XMPP tells beside. Cannot promise: what a server without an archive did not keep, nor that who heeds no ids does not
show a message twice that was on its way when the connection broke. Nothing encrypted is read.

Where it is done:

- `adapter` ties it together; `holder` sees to one session at a time, `session` runs it (`surroundings`, `keepalive`).
- In: `inflow`, a queue with a bound; `stanzas.inbound` reads, `intake` has it stored; `archives` bring what was missed.
- Out: `sending`, with `files` and `identities`; `stanzas.outbound` writes, `window` keeps it until it is acknowledged.
- `rooms`, `roster`: who is where, and what we may do there.
- `stanzas` is pure, XML to values and back. `transport` alone knows slixmpp and asyncio; `stream` is its border.
- `subject` is the far side, a server of our own for the contract.
"""

from __future__ import annotations

from .adapter import XmppAdapter
from .config import RoomConfig, XmppConfig
from .details import Xmpp

__all__ = ["RoomConfig", "Xmpp", "XmppAdapter", "XmppConfig"]
