"""Media types by which a mail in a mail is known, and a report on one; "global" ones are of RFC 6532 and RFC 6533."""

from __future__ import annotations

from typing import Final

__all__ = ["DELIVERY", "DISPOSITION", "FEEDBACK", "HEADERS", "MESSAGES"]

#: A whole mail (RFC 2046 §5.2.1).
MESSAGES: Final = frozenset({"message/rfc822", "message/global"})
#: Only its header (RFC 6522 §4).
HEADERS: Final = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
#: What became of it (RFC 3464).
DELIVERY: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
#: What its reader did (RFC 8098).
DISPOSITION: Final = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
#: What somebody says against it (RFC 5965).
FEEDBACK: Final = frozenset({"message/feedback-report"})
