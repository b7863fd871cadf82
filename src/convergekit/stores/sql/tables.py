"""All tables of the ledger in one place: whoever imports this knows `metadata` to be complete."""

from __future__ import annotations

from . import blobs, said
from .schema import metadata

__all__ = ["metadata"]

#: The modules that define tables; schema is one of them.
_DEFINED_IN = (blobs, said)
