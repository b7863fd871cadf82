"""Who names content: noted in the transaction that stores the row, so that a sweep knows what has to stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Column, Connection, Index, Table, Text, delete, select

from .dialects import insertion
from .schema import metadata

__all__ = ["blob_use", "forget_uses", "record_uses", "used"]

#: Who names content, wherever it is: `source` is "entry/ID" or "dispatch/ID".
blob_use = Table(
    "convergekit_blob_use",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    sqlite_with_rowid=False,
)
Index("convergekit_blob_use_source", blob_use.c.source)


def record_uses(connection: Connection, uses: Iterable[tuple[str, str]]) -> None:
    """Note that content is named: pairs of a ref and its source, "entry/ID" or "dispatch/ID". Twice does no harm."""
    rows = [{"ref": ref, "source": source} for ref, source in uses]
    if rows:
        connection.execute(insertion(connection.dialect, blob_use).on_conflict_do_nothing(), rows)


def forget_uses(connection: Connection, sources: Collection[str]) -> None:
    """*sources* name nothing any more; a sweep removes what then nobody names."""
    connection.execute(delete(blob_use).where(blob_use.c.source.in_(sources)))


def used(connection: Connection, refs: Collection[str]) -> set[str]:
    """Those of *refs* that are named."""
    return set(connection.execute(select(blob_use.c.ref).where(blob_use.c.ref.in_(refs)).distinct()).scalars())
