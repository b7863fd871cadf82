"""What is polled: mentions, and direct messages."""

from __future__ import annotations

from .feeds import Feeds
from .sources import DIRECTS, MENTIONS, feeds_of

__all__ = ["DIRECTS", "MENTIONS", "Feeds", "feeds_of"]
