"""What is found, and how.

Rules kept here:

- A page is one query for numbers, the newest first, and one look at their documents. With words, the index is walked
  backwards, and each row that it names is looked at; without, a contact or a conversation leads to its rows.
- PostgreSQL must not walk the table backwards in hope of a word that is rare: `id + 0` hides the order from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, cast, column, exists, select, table
from sqlalchemy.dialects.postgresql import TSQUERY

from convergekit.abc import Found, Page, Query
from convergekit.content.words import Phrase
from convergekit.stores._said import found_in

from ..rows import micros, moment
from ..said import WORDS, Kind, about, match, said, topic
from .documents import DOCUMENTS, document

__all__ = ["Search"]

#: To ask the index about one row costs as much as walking over some hundreds of them.
_SHORT: Final = 1000
_words: Final = table(WORDS, column("rowid"), column(WORDS))


class Search:
    """One query, as statements."""

    def __init__(self, query: Query, asked: Sequence[Phrase], oldest_first: bool) -> None:
        self._query = query
        self._asked = asked
        self._oldest_first = oldest_first

    def page(self, connection: Connection, limit: int, place: int | None) -> Page:
        """At most so many of what is found, behind the number *place*."""
        if self._asked and connection.dialect.name == "sqlite":
            number, statement = self._in_words(connection)
        else:
            number, statement = self._in_rows()
        if place is not None:
            statement = statement.where(number > place if self._oldest_first else number < place)
        order = number + 0 if self._asked and connection.dialect.name != "sqlite" else number
        statement = statement.order_by(order.asc() if self._oldest_first else order.desc()).limit(limit + 1)
        numbers = connection.execute(statement).scalars().all()
        rows = connection.execute(DOCUMENTS.where(said.c.id.in_(numbers[:limit]))).all()
        rows = sorted(rows, key=lambda row: row.id, reverse=not self._oldest_first)
        more = len(numbers) > limit
        found = [each for each in map(self._found, rows) if each is not None]
        return Page(tuple(found), f"{numbers[limit - 1]:x}" if more else None)

    def _found(self, row: Any) -> Found | None:
        known = document(row)
        ref = row.dispatch if row.entry is None else f"{row.entry:016x}"
        return None if known is None else found_in(ref, known, moment(row.at), self._asked)

    def _in_words(self, connection: Connection) -> tuple[ColumnElement[int], Select[Any]]:
        """SQLite: the index leads, unless somebody has said so little that asking it about each row is less."""
        groups = self._groups()
        match_all = _words.c[WORDS].op("MATCH")(match(self._asked, sqlite=True))
        lead = next((group for group in groups if _is_short(connection, group)), None)
        number: ColumnElement[int] = _words.c.rowid
        statement = select(number).where(match_all)
        if lead is not None:
            groups.remove(lead)
            some = select(about.c.said).where(about.c.topic.in_(lead)).distinct().subquery()
            number = some.c.said
            statement = select(number).where(exists().where(_words.c.rowid == number, match_all).correlate(some))
        of_row = [*self._of_row(), *self._among(groups)]
        if of_row:
            statement = statement.where(exists().where(said.c.id == number, *of_row))
        return number, statement

    def _in_rows(self) -> tuple[ColumnElement[int], Select[Any]]:
        groups = self._groups()
        lead = next((group for group in groups if len(group) == 1), None)
        of_row = [said.c.kind != Kind.OTHER.value, *self._of_row()]
        if self._asked:
            of_row.append(said.c.words.op("@@")(cast(match(self._asked, sqlite=False), TSQUERY)))
        if lead is None:
            return said.c.id, select(said.c.id).where(*of_row, *self._among(groups))
        groups.remove(lead)
        number: ColumnElement[int] = about.c.said
        statement = select(number).join(said, said.c.id == number).where(about.c.topic == lead[0])
        return number, statement.where(*of_row, *self._among(groups))

    def _groups(self) -> list[list[int]]:
        """Topics: of each list one has to lead to a row."""
        groups = []
        if self._query.conversation is not None:
            groups.append([topic("conversation", self._query.conversation)])
        if self._query.addresses is not None:
            groups.append([topic("address", address.uri) for address in self._query.addresses])
        return groups

    def _among(self, groups: Sequence[Sequence[int]]) -> list[ColumnElement[bool]]:
        other = about.alias()
        return [said.c.id.in_(select(other.c.said).where(other.c.topic.in_(group))) for group in groups]

    def _of_row(self) -> list[ColumnElement[bool]]:
        """What is asked of a row by itself."""
        query, row = self._query, said.c
        conditions: list[ColumnElement[bool]] = []
        if query.direction is not None:
            conditions.append(row.kind == (Kind.RECEIVED if query.direction == "in" else Kind.SENT).value)
        if query.channel is not None:
            beside = exists().where(about.c.topic == topic("channel", query.channel), about.c.said == row.id)
            conditions.append((row.channel == query.channel) | beside.correlate(said))
        if query.since is not None:
            conditions.append(row.at >= micros(query.since))
        if query.until is not None:
            conditions.append(row.at < micros(query.until))
        return conditions


def _is_short(connection: Connection, group: Sequence[int]) -> bool:
    few = select(about.c.said).where(about.c.topic.in_(group)).limit(_SHORT + 1)
    return len(connection.execute(few).all()) <= _SHORT
