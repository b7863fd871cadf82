"""What a FETCH answers, as imaplib hands it on. Pure.

imaplib gives a pair for each stretch that ends in a literal, the line and the literal, and bytes for the rest of the
line, with which one message ends. The items come in any order, beside others that nobody asked for (RFC 9051 §7.5.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

__all__ = ["Fetched", "fetched"]

_UID: Final = re.compile(rb"[( ]UID (\d{1,10})[ )]", re.IGNORECASE)
_SIZE: Final = re.compile(rb"[( ]RFC822\.SIZE (\d{1,18})[ )]", re.IGNORECASE)
_DATE: Final = re.compile(rb'[( ]INTERNALDATE "([^"]{0,40})"', re.IGNORECASE)
#: A body that is none, or is short enough to be written on the line.
_QUOTED: Final = re.compile(rb'[( ]BODY\[[^\]]{0,80}\](?:<\d{1,10}>)? "((?:[^"\\]|\\.){0,10000})"', re.IGNORECASE)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Fetched(NamedTuple):
    """What is told of one message.

    Args:
        uid: Its UID.
        size: In octets, as the server says; None where it does not.
        received_at: When it came into the mailbox, where the server says so and it makes sense.
        content: All of it, or the part that was asked for; None where the server has none, or nobody asked.
    """

    uid: int
    size: int | None
    received_at: datetime | None
    content: bytes | None


def fetched(data: Sequence[Any]) -> Iterator[Fetched]:
    """Each message that *data* names by its UID; what makes no sense is passed over."""
    line, literals = b"", []
    for each in data:
        if isinstance(each, tuple):
            line += each[0]
            literals.append(each[1])
        elif isinstance(each, bytes):
            message = _message(line + each, literals)
            line, literals = b"", []
            if message is not None:
                yield message


def _message(line: bytes, literals: Sequence[bytes]) -> Fetched | None:
    uid = _UID.search(line)
    if uid is None:
        return None
    size, date = _SIZE.search(line), _DATE.search(line)
    content = literals[0] if literals else None
    if content is None and (quoted := _QUOTED.search(line)) is not None:
        content = re.sub(rb"\\(.)", rb"\1", quoted[1])
    return Fetched(int(uid[1]), int(size[1]) if size else None, _moment(date[1]) if date else None, content)


def _moment(text: bytes) -> datetime | None:
    """A date-time (RFC 9051 §9): " 7-Feb-2026 21:52:25 -0800"."""
    try:
        moment = parsedate_to_datetime(text.decode("ascii").strip().replace("-", " ", 2))
        return max(moment if moment.tzinfo else moment.replace(tzinfo=UTC), _EARLIEST)
    except (ValueError, TypeError, OverflowError):
        return None
