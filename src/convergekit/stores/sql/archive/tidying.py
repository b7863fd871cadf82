"""After deletion: nothing of what was deleted is to be found in the files any more.

What is deleted from an index is still in its older segments, and what is overwritten is still in the log. So the index
is merged and the log is emptied (SQLite), or the tables are vacuumed (PostgreSQL).
"""

from __future__ import annotations

import logging
import time
from typing import Final

from anyio.to_thread import run_sync
from sqlalchemy import text

from .. import schema as s
from ..database import Database
from ..operations import Call, Do
from ..said import WORDS, about, said
from ..transaction import Transaction

__all__ = ["tidy"]

_log = logging.getLogger(__name__)
_PAGES: Final = 500  # of the index, merged at a time
_CHECKPOINTS: Final = 10.0  # seconds for which those of others are waited for


async def tidy(database: Database, do: Do) -> None:
    """See the module."""
    if database.is_sqlite:
        pages = -_PAGES
        while await do(Call(_merge, pages)):
            pages = _PAGES
    await run_sync(_tidy, database)


def _merge(transaction: Transaction, pages: int) -> bool:
    """Merge some of SQLite's index; tells whether there was anything to do. Negative *pages* begin it anew."""
    run = transaction.connection.exec_driver_sql
    before = run("SELECT total_changes()").scalar_one()
    run(f"INSERT INTO {WORDS} ({WORDS}, rank) VALUES ('merge', ?)", (pages,))
    # One change is the row that was just inserted: https://www.sqlite.org/fts5.html#the_merge_command
    return bool(run("SELECT total_changes()").scalar_one() - before >= 2)


#: Where words, addresses and ids of providers were: also those of lanes.
_VACUUMED: Final = (
    s.entry, s.dispatch, s.delivery, s.lane, s.item, s.provider_id, s.parked, s.parked_id, s.value, said, about,
)  # fmt: skip


def _tidy(database: Database) -> None:
    try:
        if database.is_sqlite:
            if not _log_emptied(database):
                _log.warning("%s: somebody reads it all the time; what was erased is in its log until it is closed",
                             database.where)  # fmt: skip
            return
        with database.reading() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in _VACUUMED:
                alone.execute(text(f"VACUUM {table.name}"))
    except Exception as error:
        raise database.failed(error) from error


def _log_emptied(database: Database) -> bool:
    """Empty SQLite's log; tells whether it could be done."""
    deadline = time.monotonic() + _CHECKPOINTS
    with database.reading() as connection:
        # For readers it waits by itself, and for somebody else's checkpoint it does not:
        # https://www.sqlite.org/c3ref/wal_checkpoint_v2.html
        while not database.checkpoint(connection, "TRUNCATE"):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
    return True
