"""When something happened, in the ways that systems write it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = ["moment"]

_NUMBER: Final = re.compile(r"\d{1,19}(\.\d{1,9})?")
_ZONE: Final = re.compile(r"\s+(?:UTC|GMT|Z)$", re.IGNORECASE)
_FIRST: Final = datetime(1980, 1, 1, tzinfo=UTC)  # an alert that has not ended does so in the year 1
_AHEAD: Final = timedelta(days=1)
_MILLISECONDS: Final = 1e11  # as seconds, that is in the year 5138
_MICROSECONDS: Final = 1e14


def moment(value: Any, now: datetime) -> datetime | None:
    """When *value* is: ISO 8601 (UTC where it does not say), or seconds, milliseconds or microseconds since 1970.

    Args:
        value: A text or a number; anything else is no time.
        now: When it came. What is more than a day later, or before 1980, is none either.
    """
    try:
        found = _read(value)
        if found is None:
            return None
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        return found if _FIRST <= found < now + _AHEAD else None
    except (ValueError, OverflowError, OSError):
        return None


def _read(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value) or len(value) in (8, 14):  # 20260131 is a day
            return datetime.fromisoformat(_ZONE.sub("+00:00", value)) if len(value) <= 100 else None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    for limit, unit in ((_MICROSECONDS, 1e6), (_MILLISECONDS, 1e3)):
        if value >= limit:
            return datetime.fromtimestamp(value / unit, UTC)
    return datetime.fromtimestamp(value, UTC)
