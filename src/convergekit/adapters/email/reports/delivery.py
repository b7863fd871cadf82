"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII."""

from __future__ import annotations

import re
from typing import Final

from convergekit.model import Status

from ..details import MailKind
from ..reading.dates import parse_date
from ..reading.mail import ReadMail
from ..reading.media_types import DELIVERY
from .evidence import ACTION, code_of, status_of
from .fields import Fields, address_in, groups, line, xtext_decoded
from .report import Note, Report, Said, is_from_machine, own_parts, returned_header

__all__ = ["read_delivery"]

_NOTES: Final = {"delayed": "mail.delayed", "expanded": "mail.expanded"}
_ACTION: Final = re.compile(r"[a-z]+")
_TYPE: Final = re.compile(r"^\s*[A-Za-z][A-Za-z0-9-]*\s*;")  # of a diagnostic: "smtp;"
#: QUIRK(OpenSMTPD, and others): words beside those of RFC 3464 §2.3.3.
_OTHER_WORDS: Final = {"error": "failed", "fail": "failed", "failure": "failed", "undeliverable": "failed"}
_LOOKS_LIKE: Final = (
    re.compile(r"(?im)^[ \t]*(final|original)-recipient[ \t]*:"),
    re.compile(r"(?im)^[ \t]*action[ \t]*:"),
)
_LOOKED_AT: Final = 65_536
_LARGEST: Final = 262_144  # octets: a file that a machine sends is not decoded to be looked at


def read_delivery(mail: ReadMail) -> Report | None:
    """What *mail* reports of each recipient; None where it is no delivery report."""
    text = _status_text(mail)
    if text is None:
        return None
    found = groups(text)
    of_mail: Fields = {}
    for group in found:  # some put what is true for all among what is true for one
        of_mail = group | of_mail
    said = tuple(each for group in found if (each := _said(group, of_mail)) is not None)
    if not said:
        return None
    fails = any(each.what is Status.FAILED for each in said)
    header = returned_header(mail)
    ids = (
        of_mail.get("x-original-message-id"),
        header.get("message-id") if header else of_mail.get("message-id"),  # it stands below, where there are no parts
        *mail.in_reply_to[:1],
    )
    return Report(
        kind=MailKind.BOUNCE if fails else MailKind.DELIVERY_REPORT,
        said=said,
        envelope_id=of_mail.get("original-envelope-id"),
        reverse_paths=tuple(filter(None, (header.get("return-path") if header else None,))),
        message_ids=tuple(id for id in ids if id),
    )


def _status_text(mail: ReadMail) -> str | None:
    """The fields of the report: what is called so, or else what looks so, in a mail that a machine wrote."""
    parts = list(own_parts(mail))
    for part in parts:
        if part.media_type in DELIVERY:
            return part.text()
    if not is_from_machine(mail):
        return None
    for part in parts:
        is_text = part.media_type.startswith("text/") or len(part.body()) <= _LARGEST
        if is_text and not part.media_type.startswith("message/") and part.media_type != "text/html":
            text = part.text()
            if all(pattern.search(text, 0, _LOOKED_AT) for pattern in _LOOKS_LIKE):
                return text
    return None


def _said(group: Fields, of_mail: Fields) -> Said | None:
    if "action" not in group and "status" not in group:
        return None
    diagnostic = group.get("diagnostic-code", "")
    code = code_of(group.get("status", ""), diagnostic)
    text = line(_TYPE.sub("", diagnostic, count=1)) or line(group.get("status", "")) or None
    what = _what(group, code)
    if what is None:
        return None
    original, final = (address_in(group.get(f"{which}-recipient", "")) for which in ("original", "final"))
    if original is not None and xtext_decoded(original) == final:
        original = final  # ORCPT came back as it was sent, which RFC 3461 §5.2.1 has nobody do
    return Said(
        what=what,
        original=original,
        final=final,
        code=code,
        text=text,
        at=parse_date(group.get("last-attempt-date")) or parse_date(of_mail.get("arrival-date")),
        fields=of_mail | group,
    )


def _what(group: Fields, code: str | None) -> Status | Note | None:
    """By the action; by the code where there is none. An unknown word is noted, unless its code says "never"."""
    found = _ACTION.match(group.get("action", "").strip().lower())
    word = found[0] if found else ""
    word = _OTHER_WORDS.get(word, word)
    if word in ACTION:
        return ACTION[word]
    if word not in _NOTES:
        status = status_of(code)
        if status is Status.FAILED or (status is not None and not word):
            return status
        if word:
            return Note("mail.report", {"action": word})
        if not (code or "").startswith("4"):
            return None
    until = parse_date(group.get("will-retry-until"))
    return Note(_NOTES.get(word, "mail.delayed"), {"until": until.isoformat()} if until else {})
