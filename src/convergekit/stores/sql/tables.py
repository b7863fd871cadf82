"""All tables of the ledger in one place: whoever imports this knows `metadata` to be complete."""

from __future__ import annotations

from . import said, uses
from .blobs import rows
from .schema import metadata

__all__ = ["metadata"]

#: The modules that define tables; schema is one of them.
_DEFINED_IN = (said, uses, rows)
