"""What moves: intake, lanes, outbox, retry, ledger, supervisor."""

from __future__ import annotations

from .options import ChannelOptions, Rate

__all__ = ["ChannelOptions", "Rate"]
