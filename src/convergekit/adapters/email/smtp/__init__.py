"""Mail out: SMTP to a submission server (RFC 5321, RFC 6409), one recipient a transaction, with an exact outcome.

- `Pool`: the connections of one account.
- `SmtpEnvelope`: from whom, to whom, which reports. `Extensions`: what the server can carry. `Accepted`: its word.
"""

from __future__ import annotations

from .envelope import SmtpEnvelope
from .extensions import Extensions
from .pool import Pool
from .replies import Accepted
from .transaction import Content

__all__ = ["Accepted", "Content", "Extensions", "Pool", "SmtpEnvelope"]
