"""Stores: where the ledger is kept."""

from __future__ import annotations

from .memory import MemoryStore

__all__ = ["MemoryStore"]
