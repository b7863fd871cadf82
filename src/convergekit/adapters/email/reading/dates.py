"""Dates in fields: RFC 5322 §3.3, also in its obsolete forms, and ISO 8601, which some programs write in its place."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["parse_date"]

#: Before there was mail as it is, and later than anybody has written by now.
_YEARS: Final = range(1980, 2100)
_LONGEST: Final = 200


def parse_date(value: str | None) -> datetime | None:
    """The date in *value*, in UTC; None where there is none, or an absurd one."""
    if not value:
        return None
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = parse(value[:_LONGEST])
            date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        if date.year in _YEARS:
            return date
    return None
