"""The mails that are built, read and sent; and how Python's own library does it, as its manual shows."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final, cast

from convergekit.adapters.email import EmailConfig
from convergekit.adapters.email.arrival import Envelope, to_events
from convergekit.adapters.email.building import File, Parts, build
from convergekit.adapters.email.config import ImapConfig
from convergekit.adapters.email.identifiers import Identifiers
from convergekit.model import Address, Event, MessageReceived

from ..measure import Side, Timer

__all__ = [
    "CONTENT",
    "FROM",
    "STDLIB",
    "SUBJECT",
    "TEXT",
    "TO",
    "built_by_them",
    "built_by_us",
    "check",
    "message_by_them",
    "read_by_them",
    "read_by_us",
    "repeated",
]

STDLIB: Final = f"email of Python {'.'.join(map(str, sys.version_info[:3]))}"
FROM, TO, SUBJECT = "support@example.org", "ann@example.net", "Your parcel is on its way"
#: 2 KB.
TEXT: Final = "Dear Ann, your parcel has left us and will be with you on Monday.\n" * 31
#: 1 MB that no compression and no luck makes less.
CONTENT: Final = random.Random(5).randbytes(1 << 20)

_ID: Final = "aiqgk3dcmfzgs6ltnnqxe2lomf2gk3tumfzq@example.org"
_DATE: Final = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
_CONFIG: Final = EmailConfig(address="ann@example.net", imap=ImapConfig(host="127.0.0.1"))
_IDENTIFIERS: Final = Identifiers(b"a key of no meaning", _CONFIG.domain)
_ENVELOPE: Final = Envelope(folder="INBOX", uid=1, received_at=_DATE)
_PARTS: Final[Parts] = {
    "sender": Address(f"mailto:{FROM}", display_name="Support Desk"),
    "to": (Address(f"mailto:{TO}"),),
    "subject": SUBJECT,
    "text": TEXT,
    "message_id": _ID,
    "date": _DATE,
    "boundary_seed": _ID,
}


def built_by_us(content: bytes | None = None) -> bytes:
    """The mail, with *content* as its attachment."""
    files = () if content is None else (File(content, "application/pdf", "terms.pdf"),)
    return build(**_PARTS, files=files)


def message_by_them(number: int = 0) -> EmailMessage:
    """The same, in their terms."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = f"Support Desk <{FROM}>"
    mail["To"] = TO
    mail["Subject"] = SUBJECT
    mail["Message-ID"] = f"<{number}.{_ID}>"
    mail["Date"] = _DATE
    mail.set_content(TEXT)
    return mail


def built_by_them(content: bytes | None = None) -> bytes:
    """The same, their way."""
    mail = message_by_them()
    if content is not None:
        mail.add_attachment(content, maintype="application", subtype="pdf", filename="terms.pdf")
    return mail.as_bytes()


def read_by_them(raw: bytes) -> tuple[list[tuple[str, str]], str, list[tuple[str | None, object]]]:
    """What an event tells, their way: header fields, the text, and the files with their names."""
    mail = cast("EmailMessage", message_from_bytes(raw, policy=policy.default))
    fields = [(name, str(value)) for name, value in mail.items()]
    body = mail.get_body(("plain", "html"))
    text = "" if body is None else body.get_content()
    return fields, text, [(each.get_filename(), each.get_content()) for each in mail.iter_attachments()]


def read_by_us(raw: bytes) -> Event:
    """The event."""
    (event,) = to_events(raw, _ENVELOPE, config=_CONFIG, identifiers=_IDENTIFIERS)
    return event


def check() -> None:
    """Raises where both sides do not do the same work."""
    for content in (None, CONTENT):
        ours, theirs = read_by_them(built_by_us(content)), read_by_them(built_by_them(content))
        same_fields = {name for name, _ in ours[0]} == {name for name, _ in theirs[0]}
        if ours[1:] != theirs[1:] or ours[1].split() != TEXT.split() or not same_fields:
            raise RuntimeError("the two ways to build a mail do not make the same one")
        event = read_by_us(built_by_them(content))
        if not isinstance(event, MessageReceived) or (event.text or "").split() != TEXT.split():
            raise RuntimeError("the two ways to read a mail do not find the same text")
        if [each.data for each in event.attachments] != ([] if content is None else [content]):
            raise RuntimeError("the two ways to read a mail do not find the same files")


def repeated(work: Callable[[], object], items: int) -> Side:
    """The side whose figure is the CPU time of *work*, in microseconds."""

    async def one_round() -> float:
        with Timer(items) as timer:
            for _ in range(items):
                work()
        return timer.figure

    return one_round
