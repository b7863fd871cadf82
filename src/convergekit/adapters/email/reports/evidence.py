"""What mail systems' words and codes mean to us.

Codes are those of RFC 3463 and of the registry it set up ("SMTP Enhanced Status Codes"), without their class: whether
something failed for good is told by the report's action, and its code says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from convergekit.model import FailureKind, Status

__all__ = ["ACTION", "code_of", "is_dead_address", "kind_of_failure", "status_of"]

#: What became of it (RFC 3464 §2.3.3), as evidence. "delayed" and "expanded" are none: what comes after them is.
ACTION: Final[Mapping[str, Status]] = {
    "delivered": Status.DELIVERED,
    "relayed": Status.RELAYED,  # to something that gives no reports
    "failed": Status.FAILED,
}

#: Subject and detail of a code; a subject alone stands for all the details of it that are not listed.
_KINDS: Final[Mapping[str, FailureKind]] = {
    "1": FailureKind.INVALID_ADDRESS,
    "1.7": FailureKind.CONFIG,  # the sender's address has no right form ...
    "1.8": FailureKind.CONFIG,  # ... or its domain cannot be mailed to
    "1.9": FailureKind.PROVIDER,  # passed on to something that is no mail system
    "2": FailureKind.UNREACHABLE,  # disabled, full
    "2.3": FailureKind.TOO_LARGE,  # for this mailbox
    "3": FailureKind.PROVIDER,
    "3.3": FailureKind.CONTENT,  # not capable of what the mail needs
    "3.4": FailureKind.TOO_LARGE,  # for the system
    "4": FailureKind.CONNECTION,  # no answer, no route, a loop
    "4.5": FailureKind.THROTTLED,  # congestion
    "4.7": FailureKind.EXPIRED,  # tried for as long as it was worth it
    "5": FailureKind.PROVIDER,  # the protocol
    "5.3": FailureKind.THROTTLED,  # too many recipients
    "6": FailureKind.CONTENT,
    "7": FailureKind.BLOCKED,
    "7.8": FailureKind.AUTH,
    "7.9": FailureKind.AUTH,
    "7.11": FailureKind.AUTH,
    "7.12": FailureKind.AUTH,
    "7.13": FailureKind.AUTH,
    "7.14": FailureKind.AUTH,
    "7.16": FailureKind.TOO_LARGE,  # for its priority (RFC 6710)
    "7.28": FailureKind.THROTTLED,  # a flood
}

#: Replies of SMTP (RFC 5321 §4.2.3, RFC 4954 §6, RFC 7504), for those who give nothing finer.
_REPLIES: Final[Mapping[str, FailureKind]] = {
    "421": FailureKind.PROVIDER,
    "450": FailureKind.UNREACHABLE,
    "451": FailureKind.PROVIDER,
    "452": FailureKind.PROVIDER,
    "521": FailureKind.UNREACHABLE,  # a host that takes no mail
    "530": FailureKind.AUTH,
    "534": FailureKind.AUTH,
    "535": FailureKind.AUTH,
    "538": FailureKind.AUTH,
    "550": FailureKind.UNREACHABLE,  # there is none, or there is and it is closed: the reply does not tell
    "551": FailureKind.INVALID_ADDRESS,
    "552": FailureKind.UNREACHABLE,  # full
    "553": FailureKind.INVALID_ADDRESS,
    "555": FailureKind.CONTENT,
    "556": FailureKind.INVALID_ADDRESS,  # a domain that takes no mail
}

#: There is no such mailbox, or no such domain, and there will be none. A mailbox that is full (5.2.2), closed for now
#: (5.2.1) or guarded (5.7.x) is another matter, as is an address that several people have (5.1.4).
_DEAD: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})

_ENHANCED: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_FAILING: Final = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_REPLY: Final = re.compile(r"(?:^|(?<=[\s;:('\"]))([45][0-5]\d)(?=[\s:.-]|$)")


def code_of(status: str, diagnostic: str) -> str | None:
    """The finest code that a report gives: "5.1.1", or "550" where there is nothing better; None for none.

    Args:
        status: Its Status field, which some always fill with "5.0.0".
        diagnostic: Its Diagnostic-Code, or another text in which an answer of SMTP stands.
    """
    stated = _ENHANCED.search(status)
    if stated and not stated[1].endswith(".0.0"):
        return stated[1]
    if found := _FAILING.search(diagnostic):
        return found[1]
    if reply := _REPLY.search(diagnostic):
        return reply[1]
    return stated[1] if stated else None


def kind_of_failure(code: str | None) -> FailureKind | None:
    """Why something failed, by its *code*; None where that does not tell."""
    if code is None:
        return None
    _, parted, rest = code.partition(".")
    if not parted:
        return _REPLIES.get(code)
    subject, _, detail = rest.partition(".")
    return _KINDS.get(f"{int(subject)}.{int(detail)}", _KINDS.get(str(int(subject))))


def status_of(code: str | None) -> Status | None:
    """What a code alone is evidence of, where no action stands beside it: its class tells (RFC 3463 §3.1).

    None for a persistent transient failure, which is no end, and where there is no class.
    """
    match (code or "")[:1]:
        case "5":
            return Status.FAILED
        case "2":
            return Status.RELAYED  # the weakest that it can mean
        case _:
            return None


def is_dead_address(code: str | None) -> bool:
    """Whether *code* says that there is nobody at this address, and will not be (RFC 3463 §3.2)."""
    return code in _DEAD
