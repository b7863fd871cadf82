"""What mail tells beside its content: `Event.details` of an email channel, typed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from convergekit.model import Event, Line

__all__ = ["AuthenticationResult", "Mail", "MailKind"]


class MailKind(StrEnum):
    """Who speaks in a mail: a person, or which kind of program."""

    PERSON = "person"
    """Somebody wrote it."""
    AUTOMATIC = "automatic"
    """A program wrote it of its own accord: a notification, a newsletter (RFC 3834 `auto-generated`)."""
    AUTO_REPLY = "auto_reply"
    """A program answers: out of office (RFC 3834 `auto-replied`)."""
    LIST = "list"
    """It came over a mailing list (RFC 2919)."""
    BOUNCE = "bounce"
    """A mail system says that something did not arrive."""
    DELIVERY_REPORT = "delivery_report"
    """A mail system says that something arrived, was passed on, or is late (RFC 3464)."""
    READ_RECEIPT = "read_receipt"
    """A reader's program says what became of a mail (RFC 8098)."""
    COMPLAINT = "complaint"
    """A provider says that somebody took a mail for abuse (RFC 5965)."""


class AuthenticationResult(BaseModel):
    """One method's result, as the configured server found it (RFC 8601 §2.2).

    Args:
        method: "spf", "dkim", "dmarc", "arc" ...
        result: "pass", "fail", "none" ...
        reason: In the server's words, or None.
        properties: What was looked at: {"header.d": "example.org", "smtp.mailfrom": "example.org"}.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    method: Line
    result: Line
    reason: Line | None = None
    properties: dict[Line, Line] = {}


class Mail(BaseModel):
    """What an email channel tells beside the content of an event: `Mail.of(event)`.

    Args:
        kind: Who speaks.
        may_auto_answer: Whether an automatic answer is in order (RFC 3834 §2): none to programs, to lists and to
            whoever has no return path.
        defects: What is wrong with how the mail is built, in words, the first hundred; it was read all the same.
        envelope_from: The reverse path (RFC 5321), "" for the empty one; None where it is not known.
        envelope_to: Whom of ours the envelope named; empty where that is not known.
        authentication: What the configured server found about who sent it; empty where none is configured.
        unsubscribe: Where one POST takes us off the list (RFC 8058): an https URL, or None. Nobody calls it by itself.
        auto_submitted: The value of Auto-Submitted (RFC 3834), or None.
        list_id: Of the list that it came over (RFC 2919), or None.
        folder: Which folder it was found in, over IMAP.
        uid: Its UID there.
        size: In octets.
        is_partial: Whether only its header was fetched, since it is larger than `max_size`.
        report: Of a report, what it says in its own words: its fields (RFC 3464, 8098, 5965), names in lower case, and
            the id of the `delivery` that it is about, where it names one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: MailKind = MailKind.PERSON
    may_auto_answer: bool = True
    defects: tuple[Line, ...] = ()
    envelope_from: Line | None = None
    envelope_to: tuple[Line, ...] = ()
    authentication: tuple[AuthenticationResult, ...] = ()
    unsubscribe: Line | None = None
    auto_submitted: Line | None = None
    list_id: Line | None = None
    folder: Line | None = None
    uid: int | None = None
    size: int = 0
    is_partial: bool = False
    report: dict[Line, Line] = {}

    @classmethod
    def of(cls, event: Event) -> Self:
        """What *event*, of an email channel, tells beside its content."""
        return cls.model_validate(event.details)

    def to_details(self) -> dict[str, Any]:
        """As `Event.details`: JSON-able, without what is as it mostly is."""
        return self.model_dump(mode="json", exclude_defaults=True)
