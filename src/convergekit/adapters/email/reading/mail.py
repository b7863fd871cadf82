"""A mail, read: what it says, who says it to whom, and what goes with it.

Nothing raises, whatever the bytes are: what is wrong is noted, and all else is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from convergekit.model import Address, Attachment

from . import addresses
from .body import body_of
from .dates import parse_date
from .defects import Defects
from .entity import Entity
from .headers import Headers
from .scan import scan

__all__ = ["ReadMail", "read"]

#: RFC 5322 §3.6: what stands in a header once, if at all.
_ONCE: Final = (
    *("from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references"),
    *("content-type", "content-transfer-encoding", "content-disposition", "mime-version"),
)
_ID: Final = re.compile(r"<([^<>]{1,2000})>")
_LONGEST_ID: Final = 998  # RFC 5322 §2.1.1: what fits on a line
_MOST_IDS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class ReadMail:
    """What a mail says.

    Args:
        entity: The whole of it.
        headers: Of the mail itself.
        raw: The bytes that it was read from.
        defects: What is wrong with how it is built, in words, the first hundred.
        text: What it says; made from `html` where it has no plain text; None where it has neither.
        html: The same with markup, as it came: it is not cleaned; None where there is none.
        attachments: What goes with it; of what belongs into the HTML, `content_id` is what `cid:` refers to.
        message_id: Without angle brackets, as all ids here.
        sender: Who it is from (From); None where nobody valid is named.
        reply_to: Where answers go; None where nothing is said.
        to: Who is shown as its recipients.
        cc: Who is shown as getting a copy.
        subject: One line; None where there is none.
        date: When it says that it was written, in UTC; None where it does not say, or something absurd.
        in_reply_to: Ids of what it answers.
        references: Ids of earlier messages, oldest first; of more than a hundred the first and the last 99.
    """

    entity: Entity
    headers: Headers
    raw: bytes = field(repr=False)
    defects: tuple[str, ...] = ()
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)
    attachments: tuple[Attachment, ...] = ()
    message_id: str | None = None
    sender: Address | None = None
    reply_to: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str | None = field(default=None, repr=False)
    date: datetime | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


def read(raw: bytes) -> ReadMail:
    """Read a mail, whatever its bytes are: what is wrong with it stands in `ReadMail.defects`."""
    entity, found = scan(raw)
    defects = Defects()
    defects.add(*found)
    headers = entity.headers
    if len(set(headers.names())) < len(headers):
        defects.add(*(f"{name} stands in the header more than once" for name in _ONCE if headers.count(name) > 1))
    body = body_of(entity, defects)
    sender = _mailboxes(headers, "from", defects)
    reply_to = _mailboxes(headers, "reply-to", defects)
    message_id = _ids(headers, "message-id")
    if "message-id" in headers and not message_id:
        defects.add("message-id: no id")
    return ReadMail(
        entity=entity,
        headers=headers,
        raw=raw,
        text=body.text,
        html=body.html,
        attachments=body.attachments,
        message_id=message_id[0] if message_id else None,
        sender=sender[0] if sender else None,
        reply_to=reply_to[0] if reply_to else None,
        to=_mailboxes(headers, "to", defects),
        cc=_mailboxes(headers, "cc", defects),
        subject=headers.get("subject"),
        date=_date(headers, defects),
        in_reply_to=_ids(headers, "in-reply-to"),
        references=_ids(headers, "references"),
        defects=tuple(defects),
    )


def _mailboxes(headers: Headers, name: str, defects: Defects) -> tuple[Address, ...]:
    if name not in headers:
        return ()
    # Of several, the first is who it is from: as for whatever stands there once.
    values = headers.all_raw(name) if name in ("to", "cc") else [headers.raw(name) or b""]
    found, wrong = addresses.read(values)
    defects.add(*(f"{name}: {defect}" for defect in wrong))
    return found


def _ids(headers: Headers, name: str) -> tuple[str, ...]:
    """Message ids, without what is said beside them; those without brackets count if they stand alone."""
    value = (headers.raw(name) or b"").decode("ascii", "replace")
    found = ["".join(each.split()) for each in _ID.findall(value)] or [
        each.strip("<>,;") for each in value.split() if "@" in each
    ]
    ids = [each for each in found if 0 < len(each) <= _LONGEST_ID and each.isprintable()]
    return tuple(ids if len(ids) <= _MOST_IDS else [ids[0], *ids[1 - _MOST_IDS :]])


def _date(headers: Headers, defects: Defects) -> datetime | None:
    text = headers.get("date")
    date = parse_date(text)
    if text and date is None:
        defects.add("date: not a date, or an absurd one")
    return date
