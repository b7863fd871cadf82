"""Which thread a mail belongs to, and which mail it answers.

Rules kept here:

- An id that we signed decides, the nearest first: it carries the name of its thread.
- Else the oldest id that a mail refers to names the thread, whether or not that mail ever came: who answers it refers
  to it as well, so the order in which they come does not matter, nor does one that is missing.
- A mail that refers to itself, to others in a circle, or to one twice, says nothing by that: nothing is followed, so
  there is nothing to go round in.
- A subject decides only where it is told to, and a mail refers to none; then whoever wrote it is part of it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from ..identifiers import Identifiers, thread_name
from .mail import ReadMail

__all__ = ["answered", "base_subject", "is_forward", "lineage", "thread_of"]

# What programs put before a subject: RFC 5256 §2.1 has the first two of each, the others are of other languages.
_ANSWER: Final = r"re|aw|antw?|sv|vs|ref|odp|ynt|res|rép|rif|atb|απ|σχετ|回复|回覆|答复|答覆|返信|회신|תגובה|השב|رد"
_FORWARD: Final = r"fwd?|wg|tr|rv|vb|vl|pd|ilt|enc|doorst|i|továbbítás|προωθ|转发|轉寄|转寄|転送|전달|הועבר|إعادة توجيه"
_BLOB: Final = r"\[[^\[\]]{0,200}+\]\s*+"
_LEADER: Final = re.compile(
    rf"(?:{_BLOB})*+(?:{_ANSWER}|{_FORWARD})\s*+(?:{_BLOB})?(?:\([0-9]+\)|\^[0-9]+)?\s*+[:：]\s*+"
)
_LEADING_BLOB: Final = re.compile(_BLOB)
_FORWARDED: Final = re.compile(rf"\s*+(?:{_BLOB})*+(?:{_FORWARD})\s*+[:：]|\s*+\[fwd:.*\]\s*+$")


def thread_of(mail: ReadMail, identifiers: Identifiers, *, by_subject: bool) -> str:
    """The name of the thread that *mail* belongs to (`identifiers.thread_name`).

    Args:
        mail: Any mail.
        identifiers: Ours, which tell which thread an id of ours is of.
        by_subject: Whether a mail that refers to none belongs to those with its subject, of who wrote it.
    """
    before = lineage(mail)
    ours = identifiers.thread_among((*mail.in_reply_to, *reversed(before))) if before else None
    if ours is not None:
        return ours
    if before:
        return thread_name(before[0])
    if by_subject and (named := _by_subject(mail)) is not None:
        return named
    return thread_name(mail.message_id or hashlib.sha256(mail.raw).hexdigest())


def lineage(mail: ReadMail) -> tuple[str, ...]:
    """Ids of what came before *mail*, the oldest first, each once, and never its own."""
    if not mail.references and not mail.in_reply_to:
        return ()
    named = dict.fromkeys((*mail.references, *mail.in_reply_to))
    if mail.message_id is not None:
        named.pop(mail.message_id, None)
    return tuple(named)


def answered(mail: ReadMail, identifiers: Identifiers) -> str | None:
    """The id of the mail that *mail* answers: of several one of ours; None where it refers to none.

    The reference that stands for a thread of ours is no mail, and none that it answers.
    """
    before = [id for id in lineage(mail) if not identifiers.is_thread_reference(id)]
    nearest = [id for id in mail.in_reply_to if id in before]
    ours = (id for id in nearest if identifiers.in_message_id(id) is not None)
    return next(ours, None) or next(iter(nearest), None) or (before[-1] if before else None)


def is_forward(subject: str | None) -> bool:
    """Whether *subject* says that something is forwarded, and not that a forwarded mail is answered."""
    return subject is not None and _FORWARDED.match(subject.casefold()) is not None


def base_subject(subject: str) -> str:
    """*subject* without what programs put around it (RFC 5256 §2.1), folded, so that two can be compared."""
    said = " ".join(unicodedata.normalize("NFC", subject).casefold().split())
    while True:
        before = said
        while said.endswith("(fwd)"):
            said = said[:-5].rstrip()
        start = 0
        while leader := _LEADER.match(said, start):
            start = leader.end()
        said = said[start:]
        if (blob := _LEADING_BLOB.match(said)) and blob.end() < len(said):
            said = said[blob.end() :]
        if said.startswith("[fwd:") and said.endswith("]"):
            said = said[5:-1].strip()
        if said == before:
            return said


def _by_subject(mail: ReadMail) -> str | None:
    subject = base_subject(mail.subject or "")
    correspondent = mail.reply_to or mail.sender
    if not subject or correspondent is None:
        return None  # what says nothing would be one thread with all that say nothing
    return thread_name(f"subject\n{correspondent.uri.lower()}\n{subject}")
