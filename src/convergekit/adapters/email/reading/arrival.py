"""A mail becomes events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Envelope"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known about a mail beside its bytes."""

    folder: str | None = None
    uid: int | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    received_at: datetime | None = None
    size: int | None = None
    is_partial: bool = False
