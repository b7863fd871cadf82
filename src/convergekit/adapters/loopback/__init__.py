"""Loopback: a medium in memory, with scripted failures. The reference adapter and the friend of every test.

Sends: text, Markdown, attachments, edits, retractions, reactions and read markers, into a `Medium` that the test reads.
Receives: whatever the test says on that medium, by push, poll or webhook.
Cannot promise: anything beyond the process.
"""

from __future__ import annotations

from .adapter import LoopbackAdapter
from .config import LoopbackConfig
from .medium import Medium, Sent

__all__ = ["LoopbackAdapter", "LoopbackConfig", "Medium", "Sent"]
