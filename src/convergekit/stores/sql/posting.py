"""A host's own transaction: what it submits is there when the host's own rows are, and else is not (EIP: a
transactional outbox).

Rules kept here:

- Only the message is written, and never the lane: its row would stay locked until the host commits. A worker places
  the message once it can see it, that is, after the commit.
- Nothing that would end the host's transaction is done to it: what may be refused is asked for first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, event, func, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from convergekit.errors import ConfigurationError, KeyConflictError, StoreError
from convergekit.model import Dispatch
from convergekit.model.wire import from_json
from convergekit.stores._keys import check_content
from convergekit.stores._refs import refs_of

from . import schema as s
from .database import Database
from .dialects import insertion
from .rows import DispatchRow, dispatch_values
from .uses import forget_uses, record_uses

__all__ = ["in_transaction", "on_commit", "post"]


async def in_transaction(host: Any, function: Callable[[Connection], Any]) -> Any:
    """Call *function* with the connection behind *host*: a SQLAlchemy connection or session, plain or asynchronous.

    Raises:
        ConfigurationError: It is none of them.
    """
    match host:
        case Connection():
            return function(host)
        case Session():
            return function(host.connection())
    with suppress(ImportError):  # who has an asynchronous one has greenlet, which it needs; others need none
        from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

        if isinstance(host, AsyncConnection):
            return await host.run_sync(function)
        if isinstance(host, AsyncSession):
            return await host.run_sync(lambda session: function(session.connection()))
    raise ConfigurationError(
        "connection= takes a Connection, Session, AsyncConnection or AsyncSession of SQLAlchemy, "
        f"not {type(host).__module__}.{type(host).__qualname__}"
    )


def post(connection: Connection, database: Database, rows: Sequence[DispatchRow]) -> list[Dispatch]:
    """Write *rows* with the host's transaction; for those whose key is known, what is there.

    Raises:
        ConfigurationError: It is a connection to another database than the ledger's.
        KeyConflictError: A key was used for other content. The host's transaction goes on as it was.
        StoreError: The database failed; on SQLite also when somebody else keeps the write lock for too long.
    """
    try:
        _check(connection, database)
        return _posted(connection, rows)
    except DBAPIError as error:
        if "database is locked" in str(error.orig):
            raise StoreError(
                f"{database.where}: another transaction keeps the write lock; keep transactions short, begin those "
                "that write with BEGIN IMMEDIATE, or give the connection a longer timeout"
            ) from error
        raise database.failed(error) from error


def _known(connection: Connection, row: DispatchRow) -> Dispatch | None:
    """What is there under the key of *row*."""
    known = connection.execute(_KNOWN, {"dedupe": row.dedupe}).first()
    if known is None:
        return None
    check_content(row.dispatch, known.fingerprint)
    return from_json(Dispatch, known.body)


def _posted(connection: Connection, rows: Sequence[DispatchRow]) -> list[Dispatch]:
    there: list[Dispatch] = []
    try:
        for row in rows:
            there.append(_post(connection, row))
    except KeyConflictError:  # whoever goes on after it must not commit what came before it
        ours = [row.dispatch.id for row, each in zip(rows, there, strict=False) if each is row.dispatch]
        forget_uses(connection, [f"dispatch/{id}" for id in ours])
        connection.execute(delete(s.dispatch).where(s.dispatch.c.id.in_(ours)))
        raise
    return there


def _post(connection: Connection, row: DispatchRow) -> Dispatch:
    dispatch = row.dispatch
    while True:
        known = _known(connection, row)
        if known is not None:
            return known
        written = insertion(connection.dialect, s.dispatch).on_conflict_do_nothing().returning(s.dispatch.c.id)
        if connection.execute(written, dispatch_values(row, placed=False)).first() is not None:
            record_uses(connection, [(ref, f"dispatch/{dispatch.id}") for ref in refs_of(dispatch)])
            return dispatch
        # Somebody else has used the key in this moment, and has committed: now it is there to be seen.


def on_commit(connection: Connection, call: Callable[[], None]) -> None:
    """Call *call* after the host has committed; after a rollback it is called later, which does no harm."""
    event.listen(connection, "commit", lambda _: call(), once=True)


def _check(connection: Connection, database: Database) -> None:
    if connection.dialect.name != database.engine.dialect.name:
        raise _elsewhere(database)
    if database.is_sqlite:
        files = connection.exec_driver_sql("PRAGMA database_list").all()
        main = next((file for _, name, file in files if name == "main"), "")
        if not (main and database.path and os.path.exists(main) and os.path.samefile(main, database.path)):
            raise _elsewhere(database)
        return
    if not inspect(connection).has_table(s.meta.name):
        raise _elsewhere(database)
    here = connection.execute(_WHERE).one()
    with database.reading() as ours:
        if ours.execute(_WHERE).one() != here:
            raise _elsewhere(database)


def _elsewhere(database: Database) -> ConfigurationError:
    return ConfigurationError(
        f"connection= belongs to another database than {database.where}; a message commits together with the host's "
        "rows only where both are in one database"
    )


_KNOWN: Final = select(s.dispatch.c.fingerprint, s.dispatch.c.body).where(s.dispatch.c.dedupe == bindparam("dedupe"))
#: Which server, and which database of it.
_WHERE: Final = select(func.pg_postmaster_start_time(), func.current_database(), func.current_schema())
