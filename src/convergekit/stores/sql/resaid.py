"""A message that a person sends again with other words: the archive has to find it by these, and forget the old ones.

It is the one way in which the content of a dispatch changes. The index forgets only what it is told exactly, so the
old words are taken out while the ledger still has them.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from convergekit.model import Dispatch
from convergekit.model.wire import from_json

from . import schema as s
from .said import Old, about, forget, record, said, said_of

__all__ = ["said_anew"]


def said_anew(connection: Connection, dispatch: Dispatch, now: int) -> None:
    """Record *dispatch*, about to be stored, in place of what is stored of it; nothing where it says the same."""
    last = dispatch.deliveries[-1] if dispatch.deliveries else None
    if last is None or last.supersedes is None or last.history:
        return
    body = connection.execute(select(s.dispatch.c.body).where(s.dispatch.c.id == dispatch.id)).scalar()
    before = from_json(Dispatch, body) if body else None
    if before is None or before.message == dispatch.message:
        return
    old = said_of(before)
    here = select(said.c.id).join(about, about.c.said == said.c.id).distinct()
    here = here.where(about.c.topic.in_(old.topics), said.c.dispatch == dispatch.id)
    numbers = connection.execute(here).scalars().all()
    forget(connection, [Old(number, old) for number in numbers])
    record(connection, [(dispatch.id, said_of(dispatch)) for _ in numbers], now)
