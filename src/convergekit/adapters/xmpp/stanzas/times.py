"""Moments, as XEP-0082 writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["earlier", "moment", "stamp"]

_SLACK: Final = timedelta(minutes=10)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + _SLACK


def moment(text: str | None) -> datetime | None:
    """What *text* ("2026-03-01T09:30:00Z") says, in UTC; None where it says no moment."""
    if not text or len(text) > 40:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        # XEP-0082 §3.2 has a zone; what has none was written in UTC by those who forget it.
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def stamp(at: datetime) -> str:
    """*at*, which is aware, as it is written in a stanza, to the microsecond."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def earlier(at: datetime) -> datetime:
    """From when on to ask, so that nothing after *at* is missing: clocks differ, and what is known is recognised."""
    return max(at, _FIRST) - _SLACK
