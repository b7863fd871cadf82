"""The durable ledger: SQLite, or PostgreSQL for many workers."""

from __future__ import annotations

from .store import SqlStore

__all__ = ["SqlStore"]
