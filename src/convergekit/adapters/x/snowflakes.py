"""Ids of X: text on the wire, numbers in order, and a time inside.

An id is up to 20 digits. Since 2010-11-04 the upper bits count milliseconds since `EPOCH`, and 22 bits tell apart
what is of the same one; older ids are plain numbers, which tell no time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = ["EPOCH", "LARGEST", "first_id", "moment_of", "read_id"]

#: What the milliseconds of an id count from.
EPOCH: Final = datetime(2010, 11, 4, 1, 42, 54, 657_000, tzinfo=UTC)

_ID: Final = re.compile(r"[0-9]{1,20}")
_SHIFT: Final = 22
#: Ids below came before there were times in them.
_FIRST: Final = 30_000_000_000
#: No id is greater.
LARGEST: Final = (1 << 63) - 1
_MILLISECOND: Final = timedelta(milliseconds=1)


def read_id(value: Any) -> str | None:
    """*value* as an id: digits without zeros in front, of a string or a number; None where it is no id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if 0 < value <= LARGEST else None
    if not isinstance(value, str) or not _ID.fullmatch(value):
        return None
    number = int(value)
    return str(number) if 0 < number <= LARGEST else None


def moment_of(id: str) -> datetime | None:
    """When *id* was given out, to the millisecond; None where it does not tell."""
    number = int(id)
    return EPOCH + (number >> _SHIFT) * _MILLISECOND if _FIRST <= number <= LARGEST else None


def first_id(moment: datetime) -> str:
    """The least id that can have been given out at *moment* or later: what `since_id` and `until_id` compare with."""
    return str(max(1, (moment - EPOCH) // _MILLISECOND << _SHIFT))
