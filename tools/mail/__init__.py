"""Real mail servers of one's own, for tests and measurements: Postfix and Dovecot, private, on loopback.

`python -m tools.mail` starts them, tells where they are, and waits until Ctrl-C.

Postfix's master wants to be started by root. Everything is in one temporary folder, which other users can read, for
the servers' parts run as several of them; it is gone when its user is. Run as a script with a folder, this is the
guard: it waits until its standard input ends, which happens however the process that started it ends, then stops what
runs in the folder and removes it.

| Port | Speaks |
|---|---|
| `mx` | SMTP without AUTH, as the world reaches us; relays for loopback |
| `submission` | SMTP with STARTTLS, then AUTH, both required |
| `smtps` | the same in implicit TLS |
| `stripped` | the same without any TLS: what is left when somebody between has taken STARTTLS out |
| `imap`, `imaps` | IMAP with STARTTLS, and in implicit TLS |
| `lmtp` | Dovecot's LMTP |
| `app_lmtp` | nothing: there Postfix takes mail for *@app.test, so there an LMTP server under test listens |

| Recipient | Becomes of it |
|---|---|
| alice@, bob@, t<number>@example.test, anna@utf8.test, with or without `+tag` | delivered |
| ünï@utf8.test | delivered, SMTPUTF8 needed |
| refused@, later@example.test | 554 and 450 at RCPT on the ports with AUTH |
| *@bounce.test, *@defer.test | taken, then refused for good at once, or again and again until `LIFETIME` |
| *@app.test | goes to `app_lmtp` |
| any other | leaves: see `outside` |
"""

from __future__ import annotations

from .processes import eventually
from .programs import missing, not_installed, program
from .proxies import CutProxy, DelayProxy
from .servers import LIFETIME, Account, MailServers
from .sink import SmtpSink

__all__ = [
    "LIFETIME",
    "Account",
    "CutProxy",
    "DelayProxy",
    "MailServers",
    "SmtpSink",
    "eventually",
    "missing",
    "not_installed",
    "program",
]
