"""Reports about mail of ours: delivery reports (RFC 3464), read receipts (RFC 8098), complaints (RFC 5965), bounces in
words. Pure; no bytes make it raise.

Only what names a mail of ours, by a token that we signed, is believed to be about one. Which mail it is, is looked for
in this order: the ENVID that came back, the reverse path that carried the delivery (VERP), the Message-ID of what was
returned. Of copies that share their Message-ID the recipient whom the report names tells which one it is.
"""

from __future__ import annotations

from .events import events_in

__all__ = ["events_in"]
