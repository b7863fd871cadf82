"""Mail in, from a mailbox (RFC 9051, RFC 3501, RFC 2177)."""

from __future__ import annotations

from .mailbox import Mailbox

__all__ = ["Mailbox"]
