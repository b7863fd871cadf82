"""What stands in the channel's state, read as what it should be, or as nothing: other versions write there, too."""

from __future__ import annotations

from datetime import datetime
from typing import Any

__all__ = ["kept_moment"]


def kept_moment(said: Any) -> datetime | None:
    """*said* in ISO 8601, as an aware moment; None where it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
