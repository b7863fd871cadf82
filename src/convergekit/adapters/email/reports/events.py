"""From reports to events: about which mail of ours, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from convergekit.model import (
    ComplaintReceived,
    CustomReceived,
    EndpointDisabled,
    Event,
    Failure,
    Receipt,
    ReceiptReceived,
    Status,
    shared_id,
)

from ..details import MailKind
from ..identifiers import Identifiers, Named, bare
from ..reading.mail import ReadMail
from ..reading.media_types import DELIVERY, DISPOSITION, FEEDBACK, MESSAGES
from .bounces import named_in, read_bounce
from .delivery import read_delivery
from .disposition import read_disposition
from .evidence import is_dead_address, kind_of_failure
from .feedback import read_feedback
from .report import Complaint, Note, Report, Said, is_from_machine, own_parts, words

__all__ = ["events_in"]

_READERS: Final[Sequence[Callable[[ReadMail], Report | None]]] = (
    read_delivery,
    read_feedback,
    read_disposition,
)
_IN_REPORTS: Final = DELIVERY | DISPOSITION | FEEDBACK | MESSAGES  # a returned mail is all of some reports
#: Where a mail system writes down to whom it delivers, beside what is shown to people.
_ENVELOPE_HEADERS: Final = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
_MOST_NAMES: Final = 20


@dataclass(frozen=True, slots=True)
class _About:
    """Which mail of ours a report is about: one delivery, or the copies that share a Message-ID."""

    named: Named
    message_id: str | None

    def ids(self, said: Said) -> tuple[str, ...]:
        """For `Receipt.ids`, where no delivery is named."""
        if self.named.delivery is not None or self.message_id is None or said.address is None:
            return ()
        return (shared_id(self.message_id, said.address),)


def events_in(mail: ReadMail, identifiers: Identifiers, *, key: str, recipients: Sequence[str]) -> Sequence[Event]:
    """What *mail* reports of mail of ours.

    Args:
        mail: Any mail.
        identifiers: Ours, which tell what is about us.
        key: Of the mail, the same whenever it comes; the events' keys begin with it.
        recipients: Whom the envelope named, where that is known.

    Returns:
        One event for each recipient that the report speaks of: `ReceiptReceived`, `ComplaintReceived`, and
        `CustomReceived` ("mail.delayed", "mail.expanded", "mail.disposition", "mail.report") for what is no end;
        beside a failure that says that there is no such address, an `EndpointDisabled`. Empty where it is no report,
        or is not provably about a mail of ours: it is an ordinary mail of a program then.
    """
    if _IN_REPORTS.isdisjoint(part.media_type for part in own_parts(mail)) and not is_from_machine(mail):
        return ()  # nearly always
    report = next(filter(None, (read(mail) for read in _READERS)), None)
    if report is None:
        named = Report(kind=MailKind.BOUNCE, said=(), message_ids=named_in(mail))
        report = read_bounce(mail) if _about(named, mail, identifiers, recipients) is not None else None
    about = None if report is None else _about(report, mail, identifiers, recipients)
    return () if report is None or about is None else tuple(_events(report, about, mail, identifiers, key))


def _about(report: Report, mail: ReadMail, identifiers: Identifiers, recipients: Sequence[str]) -> _About | None:
    mails = (id for id in map(bare, report.message_ids) if not identifiers.is_thread_reference(id))
    ours = {id: named for id in mails if (named := identifiers.in_message_id(id)) is not None}
    message_id = next(iter(ours), None)
    paths = [*recipients[:_MOST_NAMES], *report.reverse_paths]
    paths += [value for name in _ENVELOPE_HEADERS for value in mail.headers.all(name)[:_MOST_NAMES]]
    named = identifiers.in_envelope_id(report.envelope_id) if report.envelope_id else None
    named = named or next(filter(None, map(identifiers.in_recipient, paths)), None)
    named = named or (ours[message_id] if message_id is not None else None)
    return None if named is None else _About(named, message_id)


def _events(report: Report, about: _About, mail: ReadMail, identifiers: Identifiers, key: str) -> Iterator[Event]:
    native: bytes | None = mail.raw  # with the first event: all of them are of this mail
    for number, said in enumerate(report.said):
        if about.named.delivery is None and not about.ids(said) and not isinstance(said.what, Complaint):
            continue  # one of several copies, and nothing tells which
        common: dict[str, Any] = {
            "at": said.at or mail.date,
            "automated": True,
            "details": {"kind": str(report.kind), "report": _words(said, about)},
        }
        yield _event(said, about, common | {"key": f"{key}:{number}", "native": native})
        native = None
        # Whoever got one mail from us may write reports of it; of another's address they are not believed.
        if said.address is not None and _is_nobody(said) and identifiers.is_to(about.named, said.address):
            why = f"{said.code}: {said.text}" if said.text else said.code
            yield EndpointDisabled(**common, key=f"{key}:{number}:address", address=said.address, reason=why)


def _event(said: Said, about: _About, common: dict[str, Any]) -> Event:
    match said.what:
        case Status():
            return ReceiptReceived(**common, receipt=_receipt(said, said.what, about, common["key"]))
        case Complaint(kind):
            return ComplaintReceived(**common, address=said.address, kind=kind, target=about.message_id)
        case Note(name, data):
            return CustomReceived(**common, name=name, data=_data(said, about) | dict(data))


def _receipt(said: Said, status: Status, about: _About, key: str) -> Receipt:
    failure = None
    if status is Status.FAILED:
        failure = Failure(kind=kind_of_failure(said.code), code=said.code, text=said.text)
    return Receipt(
        status,
        ids=about.ids(said),
        part=about.named.part,
        delivery=about.named.delivery,
        address=said.address,
        occurred_at=said.at,
        failure=failure,
        key=key,
        native=said.fields or None,
    )


def _words(said: Said, about: _About) -> dict[str, str]:
    named = {"delivery": about.named.delivery} if about.named.delivery is not None else {}
    return named | words(said)


def _data(said: Said, about: _About) -> dict[str, Any]:
    """What is known beside it, without what is not."""
    found = {
        "delivery": about.named.delivery,
        "part": about.named.part,
        "message_id": about.message_id,
        "address": said.address.uri if said.address is not None else None,
        "code": said.code,
        "text": said.text,
    }
    return {name: value for name, value in found.items() if value is not None}


def _is_nobody(said: Said) -> bool:
    """Whether the address that we wrote to is nobody's. One behind it, in a list or an alias, says nothing of it."""
    return (
        said.what is Status.FAILED
        and is_dead_address(said.code)
        and said.address is not None
        and (said.final is None or said.final.uri.lower() == said.address.uri.lower())
    )
