"""Stores: where the ledger is kept. `SqlStore` is loaded when it is first used, and SQLAlchemy with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .memory import MemoryStore

if TYPE_CHECKING:
    from .sql import SqlStore as SqlStore

__all__ = ["MemoryStore", "SqlStore"]


def __getattr__(name: str) -> Any:
    if name != "SqlStore":
        raise AttributeError(f"module 'convergekit.stores' has no attribute {name!r}")
    from .sql import SqlStore

    globals()[name] = SqlStore
    return SqlStore
