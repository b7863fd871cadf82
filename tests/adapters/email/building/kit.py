"""A mail's parts, and a reader that is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from convergekit.adapters.email.building import build
from convergekit.adapters.email.building.parts import Parts
from convergekit.model import Address

SENDER = Address("mailto:support@example.org", display_name="Support Desk")
ANN = Address("mailto:ann@example.org")
BEN = Address("mailto:ben@example.org", display_name="Ben")


def parts(**changes: Any) -> Parts:
    plain: dict[str, Any] = {
        "sender": SENDER,
        "to": (ANN,),
        "subject": "Your parcel",
        "text": "It is on its way.\n",
        "message_id": "token@example.org",
        "date": datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC),
        "boundary_seed": "token@example.org",
    }
    return cast("Parts", plain | changes)


def built(*, smtputf8: bool = False, eight_bit: bool = False, **changes: Any) -> bytes:
    return build(smtputf8=smtputf8, eight_bit=eight_bit, **parts(**changes))


def read(raw: bytes) -> EmailMessage:
    """What Python's own reader makes of *raw*."""
    return cast("EmailMessage", message_from_bytes(raw, policy=policy.default))


def names(raw: bytes) -> list[str]:
    """Names of the header fields, as they stand on the wire."""
    head = raw.partition(b"\r\n\r\n")[0]
    return [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]


def field(raw: bytes, name: str) -> str:
    """The one field *name* of the header, as it stands on the wire, unfolded."""
    head = raw.partition(b"\r\n\r\n")[0].decode().replace("\r\n ", " ")
    [value] = [line.partition(": ")[2] for line in head.split("\r\n") if line.partition(":")[0] == name]
    return value


def text_of(part: EmailMessage) -> str:
    """The text of *part*, with LF; Python leaves the line ends as they came."""
    return cast("str", part.get_content()).replace("\r\n", "\n")


def types(mail: EmailMessage) -> Any:
    """The tree of media types."""
    if not mail.is_multipart():
        return mail.get_content_type()
    return (mail.get_content_type(), [types(cast("EmailMessage", each)) for each in mail.iter_parts()])


def is_lawful(raw: bytes) -> bool:
    """Whether every line ends in CRLF, and is short enough, and there is no NUL (RFC 5321 §4.5.3.1.6)."""
    lines: Sequence[bytes] = raw.split(b"\r\n")
    rest = raw.replace(b"\r\n", b"")
    return all(len(line) <= 998 for line in lines) and not any(each in rest for each in (b"\r", b"\n", b"\0"))
