"""Message disposition notifications, as read receipts are called in RFC 8098.

READ is what was displayed, "to someone reading the recipient's mailbox" (§3.2.6.2), and nothing else. Whether that
person asked for the display or a program opened the mail for them (§3.2.6.1, action-mode), and whether they agreed to
this notification (sending-mode), takes nothing from it, and much used readers say `automatic-action` of every receipt;
both stand in the details. "deleted", "processed" and "dispatched" may come before or without any reading (§3.2.6.2),
and what was displayed with an error was not, as far as its author knows (§3.2.6.3): these are notes.
"""

from __future__ import annotations

from dataclasses import replace

from convergekit.model import Status

from ..details import MailKind
from ..reading.mail import ReadMail
from ..reading.media_types import DISPOSITION
from .bounces import read_bounce
from .fields import Fields, address_in, groups, line
from .report import Note, Report, Said, own_parts, returned_header

__all__ = ["read_disposition"]


def read_disposition(mail: ReadMail) -> Report | None:
    """What *mail* says that became of a mail at its reader; None where it is no read receipt."""
    part = next((each for each in own_parts(mail) if each.media_type in DISPOSITION), None)
    if part is None:
        return None
    fields: Fields = {}
    for group in groups(part.text()):
        fields = group | fields
    disposition = line(fields.get("disposition", "")).lower()
    type_, _, modifiers = disposition.rpartition(";")[2].replace(" ", "").partition("/")
    if not type_:
        return None
    is_read = type_ == "displayed" and "error" not in modifiers.split(",")
    header = returned_header(mail)
    told = (fields.get("original-message-id"), header.get("message-id") if header else None, *mail.in_reply_to[:1])
    ids = tuple(id for id in told if id)
    if not is_read and (refused := read_bounce(mail)) is not None:
        # RFC 5429 §2.2: a filter refuses a mail by saying that it was deleted.
        return replace(refused, message_ids=ids + refused.message_ids)
    original, final = (address_in(fields.get(f"{which}-recipient", "")) for which in ("original", "final"))
    said = Said(
        what=Status.READ if is_read else Note("mail.disposition", {"disposition": type_}),
        original=original,
        final=final or mail.sender,
        text=line(fields.get("error", "")) or None,
        at=mail.date,
        fields=fields,
    )
    return Report(kind=MailKind.READ_RECEIPT, said=(said,), message_ids=ids)
