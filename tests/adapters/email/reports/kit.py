"""Mails of ours, and reports about them as mail systems write them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import dedent

from convergekit.abc import Outgoing
from convergekit.adapters.email.identifiers import Identifiers
from convergekit.adapters.email.reading.mail import read
from convergekit.adapters.email.reports import events_in
from convergekit.model import Address, ConversationRef, Event, Part, Receipt, ReceiptReceived

__all__ = [
    "ANN",
    "DELIVERY",
    "IDENTIFIERS",
    "MINE",
    "dsn",
    "events",
    "group_of",
    "receipt",
    "receipts",
    "report",
    "returned",
    "sent",
]

IDENTIFIERS = Identifiers(b"a secret of sixteen octets", "example.org")
ANN = Address("mailto:ann@example.net")
DELIVERY = "0190a5c6d8e07b1c9f2a3b4c5d6e7f80"


def sent(
    to: Address = ANN, *, delivery: str = DELIVERY, group: str | None = None, index: int = 0, count: int = 1
) -> Outgoing:
    """A part of a mail that has left."""
    return Outgoing(
        to=to,
        part=Part(text="Hello"),
        key="k",
        delivery=delivery,
        index=index,
        count=count,
        conversation=ConversationRef(channel="mail", address=to),
        group=group,
    )


MINE = sent()


def group_of(*addresses: str) -> list[Outgoing]:
    """Copies of one mail that share their Message-ID."""
    return [
        sent(Address(address), delivery=f"{number:032x}", group="0190a5c6d8e07b1c9f2a3b4c5d6e7f99")
        for number, address in enumerate(addresses, 1)
    ]


def report(type_: str, *parts: str, headers: str = "") -> bytes:
    """A report of *type_* whose parts have header and body."""
    head = f'Content-Type: multipart/report; report-type={type_}; boundary="b0"\n'
    body = "".join(f"--b0\n{dedent(part).lstrip()}\n" for part in parts)
    return (dedent(headers) + head + "\n" + body + "--b0--\n").encode()


def returned(out: Outgoing = MINE, *, type_: str = "text/rfc822-headers", more: str = "") -> str:
    """The part that brings back *out*."""
    message_id = IDENTIFIERS.message_id(out)
    return f"Content-Type: {type_}\n\n{more}From: support@example.org\nMessage-ID: <{message_id}>\nSubject: Hi\n\n"


_FROM = "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nDate: Mon, 02 Mar 2026 10:00:00 +0000\n"


def dsn(fields: str, *, envid: str | None = None, back: str | None = None, to: str = "support@example.org") -> bytes:
    """A delivery report with *fields* of recipients, about `MINE` unless *envid* and *back* say something else."""
    envid = IDENTIFIERS.envelope_id(MINE) if envid is None else envid
    of_mail = "Reporting-MTA: dns; mx.example.net\n" + (f"Original-Envelope-Id: {envid}\n" if envid else "")
    return report(
        "delivery-status",
        "Content-Type: text/plain\n\nThis is the mail system.\n",
        "Content-Type: message/delivery-status\n\n" + of_mail + "\n" + dedent(fields).strip("\n") + "\n",
        returned() if back is None else back,
        headers=_FROM + f"To: <{to}>\n",
    )


def events(raw: bytes, *, recipients: Sequence[str] = ()) -> Sequence[Event]:
    """What *raw* reports."""
    return events_in(read(raw), IDENTIFIERS, key="mail:k", recipients=recipients)


def receipts(raw: bytes, *, recipients: Sequence[str] = ()) -> list[Receipt]:
    """Its receipts alone."""
    return [event.receipt for event in events(raw, recipients=recipients) if isinstance(event, ReceiptReceived)]


def receipt(raw: bytes, *, recipients: Sequence[str] = ()) -> Receipt:
    """Its only one."""
    (only,) = receipts(raw, recipients=recipients)
    return only
