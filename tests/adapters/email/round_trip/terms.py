"""What the driver tells a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker is told.

    Args:
        folder: Where ledger and record are.
        out: Settings of the channel that submits.
        into: Settings of the channel that reads.
        mailbox: Whose it is.
        messages: How many are submitted, by all workers together.
        addresses: To how many `mailbox+tag` they go; each is a lane.
        lease: Seconds.
        send_timeout: Seconds.
        handlers: At the same time.
        sends: At the same time.
        seed: For how long handlers take.
    """

    folder: str
    out: dict[str, Any]
    into: dict[str, Any]
    mailbox: str
    messages: int
    addresses: int
    lease: float
    send_timeout: float
    handlers: int
    sends: int
    seed: str

    @property
    def ledger(self) -> Path:
        """The file."""
        return Path(self.folder) / "ledger.db"

    @property
    def record(self) -> Path:
        """The file."""
        return Path(self.folder) / "record"
