"""Mail, both ways: by SMTP out; by IMAP, and by LMTP from a mail server of one's own, in.

Sends: text, HTML beside it, files and inline images, to one recipient a transaction, so that each has an exact result;
reports of what became of it come back as receipts. Receives: whatever comes, however it is built, with the original
kept; `Mail.of(event)` says what mail tells beside its content. Cannot promise: that a mail whose server fell silent
behind the final dot has not gone out (it is unknown then), nor any report on automatic mail, which has no way back.
"""

from __future__ import annotations

from .adapter import EmailAdapter
from .config import EmailConfig
from .details import Mail, MailKind

__all__ = ["EmailAdapter", "EmailConfig", "Mail", "MailKind"]
