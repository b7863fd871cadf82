"""What a FETCH answers about one message. Pure.

The items come in any order, beside others that nobody asked for (RFC 9051 §7.5.2).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

__all__ = ["Fetched", "fetched"]

_UID: Final = re.compile(rb"[( ]UID (\d{1,10})[ )]", re.IGNORECASE)
_SIZE: Final = re.compile(rb"[( ]RFC822\.SIZE (\d{1,18})[ )]", re.IGNORECASE)
#: A date-time (RFC 9051 §9): " 7-Feb-2026 21:52:25 -0800".
_DATE: Final = re.compile(
    rb'[( ]INTERNALDATE " ?(\d\d?)-([A-Z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE
)
_MONTHS: Final = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: A body that is none, or is short enough to be written on the line.
_QUOTED: Final = re.compile(rb'[( ]BODY\[[^\]]{0,80}\](?:<\d{1,10}>)? "((?:[^"\\]|\\.){0,10000})"', re.IGNORECASE)


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


def fetched(line: bytes, content: bytes | None) -> Fetched | None:
    """Read *line*, from which a literal, *content*, has been taken out; None where it does not say which message."""
    uid = _UID.search(line)
    if uid is None:
        return None
    size, date = _SIZE.search(line), _DATE.search(line)
    if content is None and (quoted := _QUOTED.search(line)) is not None:
        content = re.sub(rb"\\(.)", rb"\1", quoted[1])
    return Fetched(int(uid[1]), int(size[1]) if size else None, _moment(date) if date else None, content)


def _moment(found: re.Match[bytes]) -> datetime | None:
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    try:
        moment = datetime(
            int(year), _MONTHS.index(month.lower()) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
        east = timedelta(hours=int(hours), minutes=int(minutes))
        return max(moment - east if sign == b"+" else moment + east, _EARLIEST)
    except (ValueError, OverflowError):
        return None
