"""Mails of our own making, as bytes that a server hands over."""

from collections.abc import Iterable, Mapping
from typing import Any

from convergekit.abc import Outgoing
from convergekit.adapters.email.config import EmailConfig
from convergekit.adapters.email.identifiers import Identifiers
from convergekit.adapters.email.reading.mail import ReadMail, read
from convergekit.model import Address, ConversationRef, Message, Part

IDENTIFIERS = Identifiers(b"a secret of sixteen octets or more", "example.org")
CONFIG = EmailConfig(
    address="help@example.org",
    aliases=("shop@example.org",),
    imap={"host": "mail.example.org"},  # type: ignore[arg-type]
)

HEADER = {
    "From": "Ann Example <ann@example.net>",
    "To": "help@example.org",
    "Subject": "Parcel",
    "Date": "Mon, 05 Jan 2026 12:00:00 +0100",
    "Message-ID": "<one@example.net>",
}


def mail(
    fields: Mapping[str, str | None] | None = None, body: str = "Where is it?\n", *, top: Iterable[str] = ()
) -> bytes:
    """An ordinary mail with *fields* in place of, or beside, its own; None takes one out. *top* stands above them."""
    header = {**HEADER, **(fields or {})}
    lines = [*top, *(f"{name}: {value}" for name, value in header.items() if value is not None), "", body]
    return "\n".join(lines).replace("\n", "\r\n").encode()


def letter(fields: Mapping[str, str | None] | None = None, body: str = "Where is it?\n") -> ReadMail:
    """The same, read."""
    return read(mail(fields, body))


def multipart(kind: str, *parts: str, parameters: str = "", **fields: str) -> bytes:
    """A mail of several *parts*, each with its own header."""
    body = "".join(f"--=-edge\n{part}\n" for part in parts) + "--=-edge--\n"
    type = f'multipart/{kind}; boundary="=-edge"{parameters}'
    return mail({"MIME-Version": "1.0", "Content-Type": type, **fields}, body)


def outgoing(delivery: str = "5f" * 16, *, thread: str | None = None, **more: Any) -> Outgoing:
    """What the engine hands over for ids to be made of it."""
    ann = Address("mailto:ann@example.net")
    return Outgoing(
        to=ann,
        part=Part(text="It is on its way."),
        key=delivery,
        delivery=delivery,
        message=Message("It is on its way.", thread=thread),
        conversation=ConversationRef(address=ann),
        **more,
    )
