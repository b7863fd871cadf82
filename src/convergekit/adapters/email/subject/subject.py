"""The far side of an email channel, for the contract and `convergekit verify`: a submission server and a mailbox."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from convergekit.errors import NotSentError
from convergekit.model import Status
from convergekit.testing.adapter import Ending, Fault, Subject

from ..adapter import EmailAdapter
from .servers import MailboxServer, SubmissionServer

__all__ = ["EmailSubject"]

_US: Final = "support@example.org"
_PASSWORD: Final = "the-password-of-support"


class EmailSubject(Subject):
    """Plays a mail server that is written to by SMTP and read by IMAP."""

    adapter = EmailAdapter
    to = "mailto:ann@example.net"
    senders = ("mailto:ann@example.net", "mailto:bob@example.net")
    statuses: Mapping[str, Status | None] = {
        "delivered": Status.DELIVERED,
        "relayed": Status.RELAYED,
        "failed": Status.FAILED,
        "delayed": None,
        "expanded": None,
        "displayed": Status.READ,
        "deleted": None,
    }
    native: Mapping[str, Any] | None = {"read_receipt": True}

    def __init__(self) -> None:
        self.submission = SubmissionServer()
        self.mailbox = MailboxServer()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Both servers are there."""
        async with AsyncExitStack() as stack:
            for server in (self.submission.server, self.mailbox.server):
                await stack.enter_async_context(server.serving())
            self.settings = self._settings()
            self.dsn = f"smtp+none://support:{_PASSWORD}@127.0.0.1:{self.submission.server.port}/?address={_US}"
            yield

    def _settings(self) -> dict[str, Any]:
        login = {"username": "support", "password": _PASSWORD, "security": "none"}
        return {
            "address": _US,
            "display_name": "Support",
            "smtp": {"host": "127.0.0.1", "port": self.submission.server.port, **login},
            "imap": {"host": "127.0.0.1", "port": self.mailbox.server.port, **login},
            "identifier_key": "the-key-of-our-identifiers",
        }

    # What goes out

    def fault(self, fault: Fault) -> None:
        """Do *fault* with the next mail."""
        if not self.submission.fault(fault):
            super().fault(fault)

    def attempted(self) -> None:
        """Be there again."""
        self.submission.server.come_back()

    def received(self) -> Sequence[bytes]:
        """The mails that came to their end."""
        return tuple(self.submission.received)

    def identity(self, message: bytes) -> object:
        """Its Message-ID."""
        return message_from_bytes(message)["Message-ID"]

    def text_of(self, message: bytes) -> str:
        """What a reader without HTML sees."""
        mail = message_from_bytes(message, policy=policy.default)
        body = mail.get_body(("plain",))
        return "" if body is None else str(body.get_content()).replace("\r\n", "\n").removesuffix("\n")

    def ending(self, fault: Fault) -> tuple[Ending, ...]:
        """SMTP's answers are certain: a 451 after the final dot says that nothing was taken (RFC 5321 §4.2.1)."""
        return (NotSentError,) if fault is Fault.SERVER_ERROR else super().ending(fault)

    # What comes in

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        """A mail from *sender*."""
        return _mail(id, sender.removeprefix("mailto:"), text).as_bytes()

    def echo(self, *, id: str, text: str) -> bytes:
        """A copy of what we wrote, as a list or a rule of the mailbox sends it back."""
        return _mail(id, _US, text).as_bytes()

    def report(self, *, id: str, word: str) -> bytes:
        """A delivery report (RFC 3464) that brings back the header of the mail, or one of reading it (RFC 8098)."""
        if word in ("displayed", "deleted"):
            return _READING.format(id=id, word=word).replace("\n", "\r\n").encode()
        status = {"failed": "5.2.1", "delayed": "4.4.1"}.get(word, "2.0.0")
        return _REPORT.format(id=id, word=word, status=status).replace("\n", "\r\n").encode()

    async def push(self, said: Any) -> None:
        """Put it into the folder."""
        self.mailbox.deliver(said)

    def acknowledged(self) -> int:
        """How many mails are marked as seen."""
        return self.mailbox.seen

    async def drop(self) -> None:
        """Drop the connection to the mailbox."""
        self.mailbox.server.drop()

    def refuse_login(self) -> None:
        """Refuse the password, to both servers."""
        self.mailbox.refuses_login = self.submission.refuses_login = True


def _mail(id: str, sender: str, text: str) -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = sender, _US
    mail["Message-ID"] = f"<{id}>" if "@" in id else f"<{id}@example.net>"
    mail["Date"] = "Thu, 01 Jan 2026 00:00:00 +0000"
    mail.set_content(text)
    return mail


_REPORT: Final = """\
From: <MAILER-DAEMON@example.net>
To: support@example.org
Message-ID: <report-{word}-on-{id}>
Date: Thu, 01 Jan 2026 00:00:00 +0000
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="parts"

--parts
Content-Type: text/plain; charset=us-ascii

This is the mail system of example.net.

--parts
Content-Type: message/delivery-status

Reporting-MTA: dns; example.net

Final-Recipient: rfc822; ann@example.net
Action: {word}
Status: {status}

--parts
Content-Type: text/rfc822-headers

Message-ID: <{id}>
To: ann@example.net

--parts--
"""

_READING: Final = """\
From: ann@example.net
To: support@example.org
Message-ID: <reading-{word}-{id}>
Date: Thu, 01 Jan 2026 00:00:00 +0000
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="parts"

--parts
Content-Type: text/plain; charset=us-ascii

Your mail was {word}.

--parts
Content-Type: message/disposition-notification

Final-Recipient: rfc822; ann@example.net
Original-Message-ID: <{id}>
Disposition: manual-action/MDN-sent-manually; {word}

--parts--
"""
