"""The search index made anew from what the ledger holds, for it goes by how words were cut when they were stored.

Rules kept here:

- On PostgreSQL a slice at a time, each in a transaction of its own: workers go on meanwhile.
- On SQLite all of it in one, or none: its index forgets only what it is told exactly, so it must not hold the words of
  two ways of cutting. Nobody else writes meanwhile.
- What cannot be read any more is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Text, bindparam, cast, update
from sqlalchemy.dialects.postgresql import TSVECTOR

from ..database import Database
from ..prepared import driver
from ..said import WORDS, Kind, said, said_of, vector
from .documents import DOCUMENTS, document

__all__ = ["reindex"]

_SLICE: Final = 500
_WORDS_OF: Final = (
    update(said).where(said.c.id == bindparam("number")).values(words=cast(bindparam("vector", type_=Text), TSVECTOR))
)


def reindex(database: Database) -> int:
    """Cut the words of everything that was said anew; returns how many messages are found by words now.

    It blocks: a minute or two for a million messages.
    """
    with database.connect() as connection:
        return _on_sqlite(connection) if database.is_sqlite else _on_postgresql(connection)


def _on_sqlite(connection: Connection) -> int:
    done = place = 0
    with connection.begin():
        index = driver(connection)
        index.execute(f"INSERT INTO {WORDS} ({WORDS}) VALUES ('delete-all')")
        while rows := _slice(connection, place):
            place = rows[-1].id
            words = _words(rows)
            index.executemany(f"INSERT INTO {WORDS} (rowid, words) VALUES (?, ?)", list(words.items()))
            done += len(words)
    return done


def _on_postgresql(connection: Connection) -> int:
    done = place = 0
    while True:
        with connection.begin():
            rows = _slice(connection, place)
            if not rows:
                return done
            place = rows[-1].id
            words = _words(rows)
            new = [{"number": row.id, "vector": vector(words.get(row.id, "").split())} for row in rows]
            connection.execute(_WORDS_OF, new)
            done += len(words)


def _slice(connection: Connection, place: int) -> Sequence[Any]:
    """The next ones behind *place*; on PostgreSQL nobody erases them, or says them in other words, meanwhile."""
    some = DOCUMENTS.where(said.c.id > place, said.c.kind != Kind.OTHER.value).order_by(said.c.id).limit(_SLICE)
    return connection.execute(some.with_for_update(of=said)).all()


def _words(rows: Sequence[Any]) -> dict[int, str]:
    """The words of each that has any."""
    read = ((row.id, document(row)) for row in rows)
    words = {number: said_of(known).words for number, known in read if known is not None}
    return {number: each for number, each in words.items() if each}
