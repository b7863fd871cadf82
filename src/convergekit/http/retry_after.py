"""Times in HTTP's fields: dates, and `Retry-After` in both its forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["parse_http_date", "parse_retry_after"]

_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def parse_http_date(value: str | None) -> datetime | None:
    """The moment that an HTTP-date in any of its three forms names, in UTC; None where there is none, or it is none.

    Source:
        RFC 9110 §5.6.7.
    """
    try:
        moment = parsedate_to_datetime(value or "")
        # It is in UTC, whether it says "GMT" or, as asctime does, nothing.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """How long to wait.

    Args:
        value: The field's value: seconds, or any of the three forms of an HTTP-date; None where it is missing.
        now: Aware; what a date is measured from.

    Returns:
        Seconds, at least 0 (a date in the past is "now"), or None where there is no value or it is neither form.
        A fraction of a second is taken too, since some servers send one.

    Source:
        RFC 9110 §10.2.3 and §5.6.7.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    moment = parse_http_date(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())
