"""Bounces in words, from before RFC 3464 and from whoever does not keep to it: what `flufl.bounce` recognises.

It looks for the words of known mail systems, so it is asked only about what a machine wrote, and it gets no more than
the beginning of that, in lines of bounded length: some of its patterns take the square of a line's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from email import message_from_bytes, policy
from typing import Final

from convergekit.model import Address, Status

from ..details import MailKind
from ..reading import addresses
from ..reading.mail import ReadMail
from .evidence import code_of
from .fields import address_in, line
from .report import Note, Report, Said, is_from_machine, returned_header

__all__ = ["named_in", "read_bounce"]

_MOST_RECIPIENTS: Final = 100
_LOOKED_AT: Final = 65_536
_LONGEST_LINE: Final = 998  # RFC 5322 §2.1.1
_PARAGRAPH: Final = 1_000
_FAILED: Final = "x-failed-recipients"  # of Exim and of Gmail

#: Where the mail that is returned begins, in the text of the one that returns it.
_RETURNED: Final = re.compile(
    r"(?im)^[ \t>]*(?:-{2,}[^\n]{0,80}(?:copy|original message|returned m|message header|forwarded m|unsent)"
    r"|(?:return-path|received|message-id|subject):)"
)
_MESSAGE_ID: Final = re.compile(r"(?im)^[ \t>]{0,20}message-id:[ \t]*(?:\n[ \t]+)?(<?[^<>\s]{3,998})")


def named_in(mail: ReadMail) -> tuple[str, ...]:
    """Message-IDs of what a bounce in words returns, or, where a header says that it is one, of what it answers.

    A notice of absence answers a mail of ours, too, and returns none.
    """
    header = returned_header(mail)
    quoted = _MESSAGE_ID.search((mail.text or "")[:_LOOKED_AT]) if header is None else None
    answered = mail.in_reply_to[:1] if _FAILED in mail.headers else ()
    ids = (header.get("message-id") if header is not None else None, quoted[1] if quoted else None, *answered)
    return tuple(id for id in ids if id)


def read_bounce(mail: ReadMail) -> Report | None:
    """Whom *mail* says in words that it could not reach; None where it says no such thing.

    It takes its time: first ask whether what `named_in` finds is ours.
    """
    if not is_from_machine(mail):
        return None
    late: Iterable[Address] = ()
    dead: Iterable[Address] = addresses.read(mail.headers.all_raw(_FAILED)[:10])[0]
    if not dead:
        late, dead = _recognised(mail)
    text = (mail.text or "")[:_LOOKED_AT]
    returned = _RETURNED.search(text)
    notice = text[: returned.start()] if returned else text
    what: Status | Note = Status.FAILED if dead else Note("mail.delayed")
    said = _said(_in_order(dead or late), what, notice, mail)
    kind = MailKind.BOUNCE if what is Status.FAILED else MailKind.DELIVERY_REPORT
    return Report(kind=kind, said=said, message_ids=named_in(mail)) if said else None


def _recognised(mail: ReadMail) -> tuple[list[Address], list[Address]]:
    """Whom it is late for, and whom it does not reach at all."""
    from flufl.bounce import all_failures  # with the extra `email`; only bounces in words pay for it

    sender = b"" if mail.sender is not None else b"From: MAILER-DAEMON\n"  # they stumble over none
    # As it came, for some know it by how it is built; then its text alone, for they undo no transfer encoding.
    for form in (mail.raw[:_LOOKED_AT], b"From: MAILER-DAEMON\n\n" + (mail.text or "")[:_LOOKED_AT].encode()):
        lines = (each[:_LONGEST_LINE] for each in (sender + form).splitlines())
        try:
            late, dead = all_failures(message_from_bytes(b"\n".join(lines), policy=policy.compat32))
        except Exception:  # its patterns meet whatever strangers send; what they stumble over is no report
            continue
        if late or dead:
            return _addresses(late), _addresses(dead)
    return [], []


def _addresses(values: Iterable[bytes]) -> list[Address]:
    return [address for value in values if (address := address_in(value.decode("latin-1"))) is not None]


def _in_order(addresses: Iterable[Address]) -> list[Address]:
    """The same each time, and each once."""
    return sorted(set(addresses), key=lambda address: address.uri)[:_MOST_RECIPIENTS]


def _said(addresses: Sequence[Address], what: Status | Note, notice: str, mail: ReadMail) -> tuple[Said, ...]:
    """Of each what stands beside it, up to the next one."""
    lower = notice.lower()
    places = [lower.find(each.value.lower()) for each in addresses]
    said = []
    for address, place in zip(addresses, places, strict=True):
        begin = place + len(address.value) if place >= 0 else 0
        end = min((other for other in places if other >= begin and place >= 0), default=len(notice))
        beside = notice[begin : min(end, begin + _PARAGRAPH)]
        text = line(beside.lstrip(">:, \t\r\n")) or None
        code = code_of("", beside)
        said.append(Said(what=what, original=address, final=address, code=code, text=text, at=mail.date))
    return tuple(said)
