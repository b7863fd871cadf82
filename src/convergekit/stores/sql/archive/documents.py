"""What was said, with the documents that say it: how the archive reads the ledger."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, select, tuple_

from convergekit.abc import Lane
from convergekit.errors import InvalidInputError
from convergekit.model import Dispatch
from convergekit.model.wire import event_from_json, from_json
from convergekit.stores._said import Row, is_open

from .. import schema as s
from ..said import Old, about, said, said_of

__all__ = ["DOCUMENTS", "Kept", "document", "led_to", "older"]

_log = logging.getLogger(__name__)
_SLICE: Final = 200

#: What was said, with the documents that say it.
DOCUMENTS: Final = (
    select(
        said.c.id,
        said.c.at,
        said.c.entry,
        said.c.dispatch,
        s.entry.c.channel.label("lane"),
        s.entry.c.conversation,
        s.entry.c.state,
        s.entry.c.body.label("incoming"),
        s.dispatch.c.body.label("outgoing"),
    )
    .outerjoin(s.entry, s.entry.c.id == said.c.entry)
    .outerjoin(s.dispatch, s.dispatch.c.id == said.c.dispatch)
)


def document(row: Any) -> Row | None:
    """What a row of `DOCUMENTS` says; None, and a line in the log, where it cannot be read any more."""
    try:
        return from_json(Dispatch, row.outgoing) if row.entry is None else event_from_json(row.incoming)
    except InvalidInputError as error:
        what = f"dispatch {row.dispatch}" if row.entry is None else f"entry {row.entry:016x}"
        _log.error("%s of the ledger cannot be read, and is left as it is: %s", what, error)
        return None


class Kept(NamedTuple):
    """A row that still has its content: when and under which number it was said, and what the ledger has.

    One that cannot be read has no `row`: neither its words nor whose they are can be known, and so it stays.
    """

    at: int
    number: int
    ref: int | str
    lane: Lane | None
    state: int
    row: Row | None

    @property
    def is_settled(self) -> bool:
        """Whether nothing will be done about it any more, by the engine or by a person."""
        if self.row is None:
            return False
        return not is_open(self.row) if isinstance(self.row, Dispatch) else self.state == s.EntryStates.DONE

    @property
    def old(self) -> Old:
        """As the archive's tables have it."""
        assert self.row is not None
        return Old(self.number, said_of(self.row))


def _kept(rows: Iterable[Any]) -> list[Kept]:
    return [
        Kept(row.at, row.id, row.dispatch, None, 0, document(row))
        if row.entry is None
        else Kept(row.at, row.id, row.entry, Lane("in", row.lane, row.conversation), row.state, document(row))
        for row in rows
    ]


def led_to(connection: Connection, topics: Sequence[int], place: int) -> list[Kept]:
    """Some of what *topics* lead to, behind the number *place*."""
    numbers: Select[Any] = (
        select(said.c.id).join(about, about.c.said == said.c.id)
        .where(about.c.topic.in_(topics), said.c.id > place).distinct()
        .order_by(said.c.id).limit(_SLICE)
    )  # fmt: skip
    found = connection.execute(numbers).scalars().all()
    return _kept(connection.execute(DOCUMENTS.where(said.c.id.in_(found)).order_by(said.c.id)))


def older(connection: Connection, before: int, channel: str | None, place: tuple[int, int]) -> list[Kept]:
    """Some of what is from before, behind *place*: (at, number)."""
    old = DOCUMENTS.where(said.c.at < before, tuple_(said.c.at, said.c.id) > place)
    if channel is not None:
        old = old.where(said.c.channel == channel)
    return _kept(connection.execute(old.order_by(said.c.at, said.c.id).limit(_SLICE)))
