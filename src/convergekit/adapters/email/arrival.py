"""A mail becomes events: what somebody wrote, or what became of mail of ours. Pure.

No bytes make it raise. What stands in no event's field, or not in all of its length, is named in the details' defects,
and `native` has all of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from convergekit.errors import InvalidInputError
from convergekit.model import Address, ConversationRef, Event, Importance, MessageReceived

from .config import EmailConfig
from .details import Mail, MailKind
from .identifiers import Identifiers, thread_name
from .reading.authentication import authentication
from .reading.headers import Headers, printable
from .reading.kind import kind_of, reverse_path
from .reading.mail import ReadMail, read
from .reading.threads import answered, is_forward, lineage, thread_of
from .reading.visible import visible
from .reports import events_in

__all__ = ["NOBODY", "SLOW", "Envelope", "ToEvents", "key_of", "one_click", "to_events"]

#: Octets of a mail that takes longer to read than others should wait for: it is read in a thread.
SLOW: Final = 262_144

#: Whom a mail is from that names nobody.
NOBODY: Final = Address("mailto:unknown@missing.invalid")

_AHEAD: Final = timedelta(days=1)  # of when it came; a sender's clock may be that wrong
_MOST_DEFECTS: Final = 100
_MOST_RECIPIENTS: Final = 100
_IN_KEY: Final = ("message-id", "from", "date", "subject", "content-type", "content-transfer-encoding")
_REPORTS: Final = frozenset(
    {MailKind.BOUNCE, MailKind.DELIVERY_REPORT, MailKind.READ_RECEIPT, MailKind.COMPLAINT},
)
_URGENT: Final = {"importance": "high", "x-priority": "1", "priority": "urgent", "x-msmail-priority": "high"}
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}")  # BCP 47
_URI: Final = re.compile(r"<\s*(https://[!-;=?-~]{1,2000})\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known about a mail beside its bytes.

    Args:
        folder: Where it was found, over IMAP.
        uid: Its UID there.
        sender: The reverse path (RFC 5321), "" for the empty one; None where only the mail may tell it.
        recipients: Whom of ours it was for, as the envelope named them.
        received_at: When a server of ours took it.
        size: In octets; None for those that there are.
        is_partial: Whether only its header is there.
    """

    folder: str | None = None
    uid: int | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    received_at: datetime | None = None
    size: int | None = None
    is_partial: bool = False


#: `to_events` for one mailbox: what those get who take mail in. Nothing where nothing has to be stored.
ToEvents: TypeAlias = Callable[[bytes, Envelope], Sequence[Event]]


def to_events(raw: bytes, envelope: Envelope, *, config: EmailConfig, identifiers: Identifiers) -> tuple[Event, ...]:
    """What *raw* says: a `MessageReceived`, or, of a report on mail of ours, what became of that.

    Args:
        raw: A mail as it came over the wire (RFC 5322), whatever its bytes are.
        envelope: What is known beside.
        config: Says which addresses are ours, whose authentication results are believed, what makes a thread.
        identifiers: Ours, which tell what is about mail of ours.

    Returns:
        Never nothing but for mail of our own that came back.
    """
    try:
        mail = read(raw)
        return () if _is_own(mail, config, identifiers) else _events(mail, envelope, config, identifiers)
    except Exception as error:  # a fault of ours must not keep a mailbox from going on behind it
        return (_unread(raw, envelope, error),)


def key_of(mail: ReadMail) -> str:
    """Names *mail* by what its sender made of it: over each way, each time, and whatever servers wrote above it.

    Others may use its Message-ID for other content, so that content is in the key.
    """
    digest = hashlib.sha256()
    for name in _IN_KEY:
        value = mail.headers.raw(name)
        if value is not None:
            digest.update(b"%b:%b\n" % (name.encode(), b" ".join(value.split())))
    body = mail.entity.body()
    tail = bytes(body[-1024:])  # some servers add a line end, and some take one away
    digest.update(body[: len(body) - len(tail)])
    digest.update(tail.rstrip(b"\r\n"))
    return f"mail:{digest.hexdigest()}"


def one_click(headers: Headers) -> str | None:
    """Where one POST takes us off a list: RFC 8058 has it so, and HTTPS alone; None where nothing does."""
    if "list-unsubscribe-post" not in headers:
        return None
    said = "".join((headers.get("list-unsubscribe-post") or "").split()).lower()
    found = _URI.search(headers.get("list-unsubscribe") or "") if said == "list-unsubscribe=one-click" else None
    if found is None:
        return None
    try:
        return found[1] if urlsplit(found[1]).hostname else None
    except ValueError:
        return None


def _is_own(mail: ReadMail, config: EmailConfig, identifiers: Identifiers) -> bool:
    """Whether it is mail that we sent. A stranger who took its id for another mail does not write in our name."""
    if mail.message_id is None or mail.sender is None or mail.sender.value.lower() not in config.own:
        return False
    return identifiers.in_message_id(mail.message_id) is not None


def _events(mail: ReadMail, envelope: Envelope, config: EmailConfig, identifiers: Identifiers) -> tuple[Event, ...]:
    key = key_of(mail)
    kind, may_answer = kind_of(mail, envelope_from=envelope.sender)
    sender, answer, defects = _correspondents(mail, envelope, config)
    may_answer = may_answer and answer != NOBODY and answer.value.lower() not in config.own
    details = _details(mail, envelope, config, kind, may_answer, defects)
    reported = events_in(mail, identifiers, key=key, recipients=envelope.recipients)
    if reported:
        return tuple(event.model_copy(update={"details": details | event.details}) for event in reported)
    thread = thread_of(mail, identifiers, by_subject=config.thread_by_subject)
    is_written = kind not in _REPORTS and not is_forward(mail.subject)
    return (
        MessageReceived(
            key=key,
            conversation=ConversationRef(address=answer, thread=thread),
            sender=sender,
            at=_moment(mail, envelope),
            automated=not may_answer,
            text=mail.text,
            html=mail.html,
            visible_text=visible(mail.text) if mail.text is not None and is_written else None,
            subject=mail.subject,
            to=mail.to,
            cc=mail.cc,
            attachments=mail.attachments,
            reply_to=answered(mail, identifiers),
            thread=thread,
            references=tuple(id for id in lineage(mail) if not identifiers.is_thread_reference(id)),
            importance=_importance(mail.headers),
            language=_language(mail.headers),
            message_id=mail.message_id or _made(mail.raw),
            # Who writes twice is heard in order, though the second mail begins a thread of its own.
            lane=answer.uri,
            details=details,
            native=mail.raw,
        ),
    )


def _correspondents(
    mail: ReadMail, envelope: Envelope, config: EmailConfig
) -> tuple[Address, Address, tuple[str, ...]]:
    """Who wrote it, who gets an answer, and what is wrong with that."""
    sender = mail.sender or _built(reverse_path(mail, envelope.sender))
    defects = () if mail.sender is not None else ("nobody is named as its sender",)
    answer = mail.reply_to
    if answer is None or answer.value.lower() in config.own:
        answer = sender  # what would be answered to ourselves, is answered to nobody
    return sender or NOBODY, answer or NOBODY, defects


def _built(addr_spec: str | None) -> Address | None:
    try:
        return Address.build("mailto", addr_spec) if addr_spec else None
    except InvalidInputError:
        return None


def _details(
    mail: ReadMail, envelope: Envelope, config: EmailConfig, kind: MailKind, may_answer: bool, defects: tuple[str, ...]
) -> dict[str, Any]:
    headers = mail.headers
    recipients = envelope.recipients or headers.all("delivered-to")[:1]
    path = reverse_path(mail, envelope.sender)
    return Mail(
        kind=kind,
        may_auto_answer=may_answer,
        defects=(*mail.defects, *defects)[:_MOST_DEFECTS],
        envelope_from=None if path is None else printable(path),
        envelope_to=tuple(printable(each) for each in recipients[:_MOST_RECIPIENTS]),
        authentication=authentication(headers, config.authserv_id),
        unsubscribe=one_click(headers),
        auto_submitted=headers.get("auto-submitted"),
        list_id=_list_id(headers),
        folder=None if envelope.folder is None else printable(envelope.folder),
        uid=envelope.uid,
        size=len(mail.raw) if envelope.size is None else envelope.size,
        is_partial=envelope.is_partial,
    ).to_details()


def _list_id(headers: Headers) -> str | None:
    """`Some words <list.example.org>` without the words (RFC 2919 §2)."""
    said = headers.get("list-id")
    return said and (said.rpartition("<")[2].partition(">")[0].strip() or said)


def _moment(mail: ReadMail, envelope: Envelope) -> datetime | None:
    """When it was written; when it came, where it does not say, or says that it comes from the future."""
    came = envelope.received_at
    if came is not None and came.tzinfo is None:
        came = came.replace(tzinfo=UTC)
    if mail.date is None or (came is not None and mail.date - came > _AHEAD):
        return came
    return mail.date


def _importance(headers: Headers) -> Importance:
    is_urgent = any((headers.get(name) or "").lower().split()[:1] == [word] for name, word in _URGENT.items())
    return Importance.URGENT if is_urgent else Importance.NORMAL


def _language(headers: Headers) -> str | None:
    found = _LANGUAGE.match(headers.get("content-language") or "")
    return found[0] if found else None


def _made(raw: bytes) -> str:
    """An id for a mail that has none: the same each time it comes."""
    return f"{hashlib.sha256(raw).hexdigest()}@missing.invalid"


def _unread(raw: bytes, envelope: Envelope, error: Exception) -> Event:
    """What is certain about a mail that we failed to read: that it came, and its bytes."""
    message_id = _made(raw)
    details = Mail(
        kind=MailKind.AUTOMATIC,
        may_auto_answer=False,
        defects=(f"it could not be read, by a fault of ours: {type(error).__name__}",),
        size=len(raw),
        is_partial=envelope.is_partial,
    ).to_details()
    thread = thread_name(message_id)
    return MessageReceived(
        key=f"mail:{message_id.partition('@')[0]}",
        conversation=ConversationRef(address=NOBODY, thread=thread),
        sender=NOBODY,
        automated=True,
        thread=thread,
        message_id=message_id,
        details=details,
        native=raw,
    )
