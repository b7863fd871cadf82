"""How large a ledger has become, and what keeps it from being tidied up. Each question reads, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection, text

if TYPE_CHECKING:
    from .database import Database

__all__ = ["Size", "oldest_snapshot", "sizes"]


class Size(NamedTuple):
    """Of one table in PostgreSQL with its indexes, or of one file of SQLite's.

    Args:
        name: Of the table or the file.
        bytes: On the disk.
        rows: How many there are, by the last estimate; None where nobody counts.
        dead: How many that were changed or deleted wait to be swept up; None where there is no such thing.
    """

    name: str
    bytes: int
    rows: int | None = None
    dead: int | None = None


def sizes(database: Database) -> list[Size]:
    """The largest first."""
    if database.is_sqlite:
        files = [Path(f"{database.path}{end}") for end in ("", "-wal")]
        found = [Size(file.name, os.stat(file).st_size) for file in files if file.exists()]
    else:
        with database.reading() as connection:
            found = [Size(*row) for row in connection.execute(_TABLES)]
    return sorted(found, key=lambda size: -size.bytes)


def oldest_snapshot(connection: Connection) -> float | None:
    """Seconds for which the oldest transaction of this PostgreSQL database is open; None where there is none.

    As long as it is, nothing that died after it began can be swept up, in any table, and claiming gets slower.
    """
    found: float | None = connection.scalar(_OLDEST)
    return found


_TABLES: Final = text(
    "SELECT relname, pg_total_relation_size(relid), n_live_tup, n_dead_tup FROM pg_stat_user_tables"
    " WHERE schemaname = current_schema() AND relname LIKE 'convergekit\\_%'"
)
_OLDEST: Final = text(
    "SELECT extract(epoch FROM max(clock_timestamp() - xact_start))::float8 FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()"
)
