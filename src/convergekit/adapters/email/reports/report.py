"""What all kinds of reports come down to: which mail, and what is said of each of its recipients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from convergekit.model import Address, Status

from ..details import MailKind
from ..reading.entity import Entity, Headers
from ..reading.kind import MACHINES
from ..reading.mail import ReadMail
from ..reading.media_types import HEADERS, MESSAGES
from .fields import Fields, line

__all__ = ["Complaint", "Note", "Report", "Said", "is_from_machine", "own_parts", "returned_header", "words"]

#: A report has three parts (RFC 6522 §3); some have what a gateway put around them.
_MOST_PARTS: Final = 50
_LONGEST_HEADER: Final = 65_536

#: Fields that say something of a mail's way, and nothing of what stood in it.
_TELLING: Final = (
    "action",
    "status",
    "diagnostic-code",
    "final-recipient",
    "original-recipient",
    "reporting-mta",
    "remote-mta",
    "last-attempt-date",
    "will-retry-until",
    "disposition",
    "reporting-ua",
    "error",
    "feedback-type",
    "user-agent",
    "source-ip",
    "reported-domain",
)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is no end: it is late, it went to several, it was deleted.

    Args:
        name: Of the event: "mail.delayed".
        data: What it tells beside the recipient.
    """

    name: str
    data: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Complaint:
    """Somebody took it for abuse.

    Args:
        kind: "abuse", "fraud" ... (RFC 5965 §7.3).
    """

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said of one recipient.

    Args:
        what: Became of it there.
        original: Whom we wrote to, as far as the report knows.
        final: Where it came to, behind aliases; the same as *original* where there are none.
        code: The remote's: "5.1.1", "550"; None where there is none.
        text: Why, in the remote's words.
        at: When.
        fields: As they were read, for `Receipt.native` and for the details.
    """

    what: Status | Note | Complaint
    original: Address | None = None
    final: Address | None = None
    code: str | None = None
    text: str | None = None
    at: datetime | None = None
    fields: Fields = field(default_factory=dict)

    @property
    def address(self) -> Address | None:
        """Whom we wrote to, as well as that is known."""
        return self.original or self.final


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report.

    Args:
        kind: Which.
        said: Of each recipient.
        envelope_id: The ENVID of the mail that it speaks of, where it gives that back.
        reverse_paths: Those of the mail that it speaks of.
        message_ids: That of the mail that it speaks of, as often as it is told; without angle brackets.
    """

    kind: MailKind
    said: tuple[Said, ...]
    envelope_id: str | None = None
    reverse_paths: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


def own_parts(mail: ReadMail) -> Iterator[Entity]:
    """The parts of *mail* itself: what is inside of a mail that it brings along is another's."""
    return islice(_parts(mail.entity), _MOST_PARTS)


def _parts(entity: Entity) -> Iterator[Entity]:
    waiting = [entity]
    while waiting:
        each = waiting.pop()
        if each.media_type.startswith("multipart/") and each.children:
            waiting.extend(reversed(each.children[:_MOST_PARTS]))
        else:
            yield each


def returned_header(mail: ReadMail) -> Headers | None:
    """The header of the mail that *mail* brings back; None where it brings none."""
    for part in own_parts(mail):
        if part.media_type in MESSAGES and part.children:
            return part.children[0].headers
        if part.media_type in MESSAGES | HEADERS:
            return Headers.parse(part.content()[:_LONGEST_HEADER])
    return None


def is_from_machine(mail: ReadMail) -> bool:
    """Whether a mail system wrote it: what a person quotes of a report, or forwards, is none."""
    if mail.entity.media_type == "multipart/report" or "x-failed-recipients" in mail.headers:
        return True
    if mail.sender is None or (mail.headers.get("return-path") or "").strip() == "<>":
        return True
    if (mail.headers.get("auto-submitted") or "no").partition(";")[0].strip().lower() != "no":
        return True
    return mail.sender.value.rpartition("@")[0].lower() in MACHINES | {"postmaster"}


def words(said: Said) -> dict[str, str]:
    """What of its fields belongs into the details of an event: each one line."""
    return {name: text for name in _TELLING if (text := line(said.fields.get(name, "")))}
