"""Mail in, by LMTP (RFC 2033): a mail server of one's own hands each mail over, and is told what became of it.

Takes PIPELINING, SIZE, 8BITMIME, SMTPUTF8 and ENHANCEDSTATUSCODES. Knows no login, no TLS and no DSN: reports are what
the mail server in front makes, and it alone should reach the listener.

- A 250 means that the ledger has the mail. Where it cannot be had now, the answer is 451, and the mail server keeps it.
- Only `CR LF . CR LF` ends a mail. A CR or LF that stands alone is a part of it and is kept: what is read here is not
  handed on to another server, which might see an end there.
"""

from .listener import LmtpListener

__all__ = ["LmtpListener"]
