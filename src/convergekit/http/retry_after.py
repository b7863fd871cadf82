"""`Retry-After` in both its forms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["parse_retry_after"]

_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


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
    try:
        moment = parsedate_to_datetime(value)
        # RFC 9110 §5.6.7: an HTTP-date is in UTC, whether it says "GMT" or, as asctime does, nothing.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
