"""A mail, read: what it says, to whom, and what goes with it."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from convergekit.content.html import to_text
from convergekit.errors import InvalidInputError
from convergekit.model import Address, Attachment

from .entity import Entity, Headers
from .scan import scan

__all__ = ["ReadMail", "read"]


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
    raw: bytes
    defects: tuple[str, ...] = ()
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    message_id: str | None = None
    sender: Address | None = None
    reply_to: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str | None = None
    date: datetime | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


def read(raw: bytes) -> ReadMail:
    """Read a mail, whatever its bytes are: what is wrong with it stands in `ReadMail.defects`."""
    entity, defects = scan(raw)
    headers = entity.headers
    texts, htmls, files = [], [], []
    for part in entity.walk():
        if part.children:
            continue
        if part.media_type == "text/plain" and part.disposition != "attachment":
            texts.append(part.text())
        elif part.media_type == "text/html" and part.disposition != "attachment":
            htmls.append(part.text())
        else:
            files.append(
                Attachment(data=part.content(), media_type=part.media_type, name=part.name, content_id=part.content_id)
            )
    html = "".join(htmls) or None
    return ReadMail(
        entity=entity,
        headers=headers,
        raw=raw,
        defects=tuple(defects),
        text="\n".join(texts) or (to_text(html) if html else None),
        html=html,
        attachments=tuple(files),
        message_id=next(iter(_ids(headers, "message-id")), None),
        sender=next(iter(_addresses(headers, "from")), None),
        reply_to=next(iter(_addresses(headers, "reply-to")), None),
        to=_addresses(headers, "to"),
        cc=_addresses(headers, "cc"),
        subject=headers.get("subject"),
        date=_date(headers.get("date")),
        in_reply_to=_ids(headers, "in-reply-to"),
        references=_ids(headers, "references"),
    )


def _ids(headers: Headers, name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"<([^<>\s]+)>", headers.get(name) or ""))


def _addresses(headers: Headers, name: str) -> tuple[Address, ...]:
    found = []
    for display_name, value in getaddresses(headers.all(name)):
        with contextlib.suppress(InvalidInputError):
            found.append(Address.build("mailto", value, display_name=display_name or None))
    return tuple(found)


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except (ValueError, TypeError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
