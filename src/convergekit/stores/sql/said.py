"""The archive's tables: which rows of the ledger say what, to whom, and when.

How to read them:

- `said` has a row for each entry and each dispatch that still has its content; the content itself stays where it is,
  in one copy. Its id is the order in which the ledger learned of things: what is newest first.
- `about` leads from a topic to what was said: an address, a conversation, an id in a receipt. Topics are 63-bit
  hashes; where it matters that two are not the same by chance (erasure), the document itself is asked.
- The words are in an index without content: on SQLite an FTS5 table, on PostgreSQL a tsvector with a GIN index. What
  is a word is decided in `convergekit.content.words` and nowhere else: both are handed words that are cut already.
  Whoever changes that module has to make the index anew, since FTS5 forgets only what it is told exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from anyio.to_thread import run_sync
from sqlalchemy import DDL, Column, Connection, Index, SmallInteger, Table, Text, event
from sqlalchemy.dialects.postgresql import TSVECTOR

from convergekit.content.words import Phrase
from convergekit.model import Content, Dispatch
from convergekit.stores._said import Row, described

from .prepared import driver
from .rows import REMEMBERED, micros
from .schema import _ID, _NAME, _NUMBER, _PREFIX, metadata

__all__ = [
    "WORDS",
    "Kind",
    "Old",
    "Said",
    "about",
    "forget",
    "match",
    "prepared",
    "record",
    "said",
    "said_of",
    "topic",
    "vector",
]

#: Name of the table that holds SQLite's index.
WORDS: Final = _PREFIX + "words"
#: HTML of this length takes the event loop too long to read.
_LARGE: Final = 16_384


class Kind(IntEnum):
    """What a row of the ledger says."""

    RECEIVED = 0
    SENT = 1
    OTHER = 2
    """Nothing: a receipt, a reaction. It is here to be found by retention and erasure."""


_KINDS: Final = {"in": Kind.RECEIVED, "out": Kind.SENT, None: Kind.OTHER}

said = Table(
    _PREFIX + "said",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("at", _NUMBER, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("channel", _NAME, nullable=False),
    Column("entry", _NUMBER),  # either this ...
    Column("dispatch", _ID),  # ... or that
    Column("words", TSVECTOR().with_variant(Text(), "sqlite")),  # PostgreSQL only
)
Index(_PREFIX + "said_at", said.c.at)
Index(_PREFIX + "said_words", said.c.words, postgresql_using="gin").ddl_if(dialect="postgresql")

about = Table(
    _PREFIX + "about",
    metadata,
    Column("topic", _NUMBER, primary_key=True, autoincrement=False),
    Column("said", _NUMBER, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# ASCII, for it takes everything beyond for a part of a word: what parts words has been taken out before.
event.listen(
    said,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        f"CREATE VIRTUAL TABLE {WORDS} USING fts5(words, content='', columnsize=0, detail=full, tokenize='ascii')"
    ).execute_if(dialect="sqlite"),
)
event.listen(
    said,
    "before_drop",
    DDL(f"DROP TABLE IF EXISTS {WORDS}").execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]
)


class Said(NamedTuple):
    """A row about to be recorded.

    Args:
        at: When it was said, in microseconds; None is now.
        kind: What it is.
        channel: Of those by which it goes, the one that counts for retention.
        topics: What leads to it, each once.
        words: By which it is found, with spaces between.
    """

    at: int | None
    kind: int
    channel: str
    topics: Sequence[int]
    words: str


def topic(*names: str) -> int:
    """The number of a topic: ("address", URI), ("conversation", key), ("channel", name), or (channel, id)."""
    return _topic(*names) if len(names[1]) <= REMEMBERED else _numbered(*names)


@lru_cache(maxsize=65_536)
def _topic(*names: str) -> int:
    return _numbered(*names)


def _numbered(*names: str) -> int:
    digest = blake2b("\x00".join(names).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def said_of(row: Row) -> Said:
    """What is to be recorded of an admitted event, or of a submitted dispatch. See `prepared` about large ones."""
    of = described(row)
    at = row.created_at if isinstance(row, Dispatch) else row.at
    topics = [topic("address", uri) for uri in of.parties]
    topics += [topic("conversation", key) for key in of.conversations]
    if of.about:
        topics += {topic(*ids) for ids in of.about}
    if len(of.channels) > 1:
        topics += [topic("channel", name) for name in of.channels[1:]]
    return Said(None if at is None else micros(at), _KINDS[of.direction].value, of.channels[0], topics, of.words)


async def prepared(rows: Iterable[Row]) -> list[Said]:
    """`said_of` each; large HTML is read in a thread, for it takes long."""
    return [await run_sync(said_of, row) if _is_large(row) else said_of(row) for row in rows]


def _is_large(row: Row) -> bool:
    content = row.message if isinstance(row, Dispatch) else row
    return isinstance(content, Content) and len(content.html or "") > _LARGE


def record(
    connection: Connection, rows: Iterable[tuple[int | str, Said]], now: int, numbers: Sequence[int] = ()
) -> None:
    """Record what entered the ledger, in the transaction in which it does: the id of the entry or dispatch with each.

    Args:
        connection: In a transaction that writes.
        rows: Each id once in its life.
        now: The ledger's time, in microseconds. What claims to be from the future is from now.
        numbers: Of PostgreSQL's sequence, at least one for each of *rows*, where they have been asked for already.
    """
    new = list(rows)
    if not new:
        return
    if connection.dialect.name == "sqlite":
        _record_sqlite(connection, new, now)
    else:
        _record_postgresql(connection, new, now, numbers)


def _columns(ref: int | str, row: Said, now: int) -> tuple[Any, ...]:
    at = now if row.at is None or row.at > now else row.at
    return (at, row.kind, row.channel, *((ref, None) if isinstance(ref, int) else (None, ref)))


def _topics(numbered: Iterable[tuple[int, tuple[int | str, Said]]]) -> list[tuple[int, int]]:
    return [(each, number) for number, (_, row) in numbered for each in row.topics]


def _record_sqlite(connection: Connection, rows: Sequence[tuple[int | str, Said]], now: int) -> None:
    run = driver(connection).executemany  # as in `prepared`: every submit waits for these
    ((last,),) = driver(connection).execute(f"SELECT max(id) FROM {said.name}")  # the write lock is ours
    first = (last or 0) + 1
    numbered = list(enumerate(rows, first))
    run(
        f"INSERT INTO {said.name} (id, at, kind, channel, entry, dispatch) VALUES (?, ?, ?, ?, ?, ?)",
        [(number, *_columns(ref, row, now)) for number, (ref, row) in numbered],
    )
    if topics := _topics(numbered):
        run(f"INSERT INTO {about.name} (topic, said) VALUES (?, ?)", topics)
    if texts := [(number, row.words) for number, (_, row) in numbered if row.words]:
        run(f"INSERT INTO {WORDS} (rowid, words) VALUES (?, ?)", texts)


def _record_postgresql(
    connection: Connection, rows: Sequence[tuple[int | str, Said]], now: int, numbers: Sequence[int]
) -> None:
    run = driver(connection).execute
    if len(numbers) < len(rows):
        ask = f"SELECT nextval(pg_get_serial_sequence('{said.name}', 'id')) FROM generate_series(1, %s)"
        numbers = [number for (number,) in run(ask, (len(rows),)).fetchall()]
    numbered = [(number, *row) for number, row in zip(sorted(numbers), rows, strict=False)]
    new = [(number, *_columns(ref, row, now), vector(row.words.split())) for number, ref, row in numbered]
    run(
        f"INSERT INTO {said.name} (id, at, kind, channel, entry, dispatch, words)"
        " SELECT unnest(%b::bigint[]), unnest(%b::bigint[]), unnest(%b::smallint[]), unnest(%b::text[]),"
        " unnest(%b::bigint[]), unnest(%b::text[]), unnest(%b::text[])::tsvector",
        _transposed(new),
    )
    if topics := _topics([(number, (ref, row)) for number, ref, row in numbered]):
        run(
            f"INSERT INTO {about.name} (topic, said) SELECT unnest(%b::bigint[]), unnest(%b::bigint[])",
            _transposed(topics),
        )


def _transposed(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as columns."""
    return [list(column) for column in zip(*rows, strict=True)]


class Old(NamedTuple):
    """What was recorded and is to go: the number of its row, and it as it was."""

    number: int
    said: Said


def forget(connection: Connection, rows: Sequence[Old]) -> None:
    """Take *rows* out of the tables and the index. The content must not have changed since it was recorded."""
    if not rows:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    run = connection.exec_driver_sql
    run(f"DELETE FROM {said.name} WHERE id = {mark}", [(row.number,) for row in rows])
    if topics := [(each, row.number) for row in rows for each in row.said.topics]:
        run(f"DELETE FROM {about.name} WHERE topic = {mark} AND said = {mark}", topics)
    texts = [(row.number, row.said.words) for row in rows if row.said.words]
    if texts and connection.dialect.name == "sqlite":
        run(f"INSERT INTO {WORDS} ({WORDS}, rowid, words) VALUES ('delete', ?, ?)", texts)


# What the two kinds of index are asked

_WORDS_MOST: Final = 900_000  # PostgreSQL: a tsvector has less than a megabyte
_PLACES: Final = 16_383  # ... and numbers its words up to here
_EACH: Final = 256  # ... with so many places for each

#: A message of fewer words is far from all limits but the last, and every submit waits for it.
_FEW: Final = [str(number) for number in range(1, 3001)]


def vector(words: Sequence[str]) -> str | None:
    """*words* as PostgreSQL writes a tsvector; None where there are none."""
    if len(words) > len(_FEW):
        return _long_vector(words)
    places: dict[str, list[str]] = {}
    for word, place in zip(words, _FEW, strict=False):
        if word in places:
            places[word].append(place)
        else:
            places[word] = [place]
    return " ".join([f"'{word}':{','.join(where[:_EACH])}" for word, where in places.items()]) or None


def _long_vector(words: Sequence[str]) -> str | None:
    places: dict[str, list[int]] = {}
    size = 0
    for place, word in enumerate(words, 1):
        known = places.get(word)
        if known is None:
            known = places[word] = []
            size += len(word.encode()) + 4
        if len(known) < _EACH:
            known.append(min(place, _PLACES))
            size += 2
        if size > _WORDS_MOST:
            break
    return " ".join(f"'{word}':{','.join(map(str, where))}" for word, where in places.items()) or None


def match(asked: Sequence[Phrase], *, sqlite: bool) -> str:
    """*asked* as an expression of FTS5, or as a tsquery."""
    if sqlite:
        return " AND ".join(f'"{" ".join(phrase)}"' for phrase in asked)
    return " & ".join("(" + " <-> ".join(f"'{word}'" for word in phrase) + ")" for phrase in asked)
