"""Moments, as XEP-0082 writes them."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["moment", "stamp"]


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
