"""Complaints: the abuse reporting format of RFC 5965."""

from __future__ import annotations

from typing import Final

from ..details import MailKind
from ..reading.dates import parse_date
from ..reading.mail import ReadMail
from ..reading.media_types import FEEDBACK
from .fields import Fields, address_in, groups, line
from .report import Complaint, Report, Said, own_parts, returned_header

__all__ = ["read_feedback"]

#: Feedback that is no complaint: that it was none after all (RFC 6430), and a machine's on signatures (RFC 6591).
_NO_COMPLAINT: Final = frozenset({"not-spam", "auth-failure"})
#: QUIRK(Outlook.com): its feedback loop sends back the mail alone, with a field that names who complains.
_OUTLOOK: Final = "x-hmxmroriginalrecipient"


def read_feedback(mail: ReadMail) -> Report | None:
    """Who complains of what in *mail*; None where nobody does."""
    header = returned_header(mail)
    part = next((each for each in own_parts(mail) if each.media_type in FEEDBACK), None)
    fields: Fields = {}
    if part is not None:
        for group in groups(part.text()):
            fields = group | fields
    elif header is not None and _OUTLOOK in header:
        fields = {"feedback-type": "abuse", "original-rcpt-to": header.get(_OUTLOOK) or ""}
    else:
        return None
    kind = line(fields.get("feedback-type", ""), longest=100).lower() or "other"
    if kind in _NO_COMPLAINT:
        return None
    said = Said(
        what=Complaint(kind),
        original=address_in(fields.get("original-rcpt-to", "")),
        at=parse_date(fields.get("arrival-date") or fields.get("received-date")) or mail.date,
        fields=fields,
    )
    paths = (fields.get("original-mail-from"), header.get("return-path") if header else None)
    return Report(
        kind=MailKind.COMPLAINT,
        said=(said,),
        envelope_id=fields.get("original-envelope-id"),
        reverse_paths=tuple(path for path in paths if path),
        message_ids=tuple(filter(None, (header.get("message-id") if header else None,))),
    )
