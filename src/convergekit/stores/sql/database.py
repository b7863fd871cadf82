"""The database behind the store: connections, and what differs between SQLite and PostgreSQL.

Rules kept here:

- SQLite: WAL with synchronous=FULL, so that a commit is on the disk when it returns. What is deleted is overwritten
  (`secure_delete`), so that what is erased is nowhere in the file. Checkpoints are not made while committing, but
  beside it, and the WAL has a cap at which the writer makes one itself.
- PostgreSQL: a transaction of ours that stands still is ended by the server after a while: whoever is stopped in the
  middle of one must not hold up the others, nor keep old rows from being swept.
- PostgreSQL: READ COMMITTED; whoever changes a lane has locked its row before. A deadlock, a lost race for a unique
  key and a lost connection end in the same transaction once more: each is safe to repeat.
- What a driver raises stops here, and becomes a `StoreError` without the password and without what was written.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from convergekit.errors import ConfigurationError, StoreError

from .dialects import NOW
from .prepared import driver

__all__ = ["AWAY", "Database"]

_log = logging.getLogger(__name__)
#: Seconds between tries to reach a database that is away.
AWAY: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
_BUSY: Final = 30.0  # seconds that a writer waits for another process
_READING: Final = 1.0  # seconds that it waits for who reads, to empty the write-ahead log
_STANDSTILL: Final = 5.0  # seconds that a process may do nothing in the midst of a transaction
_WAL_CAP: Final = 64 * 1024 * 1024
#: libpq's settings: seconds, and milliseconds for the last.
_PATIENCE: Final[Mapping[str, int]] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: The only one, of each kind of database.
_DRIVERS: Final = {"sqlite": "pysqlite", "postgresql": "psycopg"}
_RETRYABLE: Final = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available


class Database:
    """One database, and how to talk to it.

    Args:
        url: `sqlite:///file.db` or `postgresql+psycopg://user:password@host/name`.

    Raises:
        ConfigurationError: The URL cannot be used.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = _parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.path = os.path.abspath(self.url.database or "") if self.is_sqlite else None
        self._wal_cap = _WAL_CAP
        self._file: tuple[int, int] | None = None
        self.engine: Engine = self._engine()
        self._driver: Any = self.engine.dialect.dbapi
        # Without its parameters: libpq takes passwords there, too.
        self.shown = self.url.set(query={}).render_as_string(hide_password=True)
        self.where = f"the ledger {self.shown}"

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            try:
                engine = create_engine(self.url, pool_size=8, max_overflow=8, connect_args=self._patience())
            except ImportError as exc:
                raise ConfigurationError("PostgreSQL needs the driver psycopg: install convergekit[postgres]") from exc
            event.listen(engine, "connect", _prepare_postgresql)
            return engine
        engine = create_engine(
            self.url.set(database=self.path), connect_args={"timeout": _BUSY, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _patience(self) -> dict[str, int]:
        """A server that has gone without a word is noticed in half a minute, unless the URL says otherwise."""
        return {name: number for name, number in _PATIENCE.items() if name not in self.url.query}

    def connect(self) -> Connection:
        """A connection to write with: on SQLite its transactions take the write lock when they begin."""
        connection = self.engine.connect().execution_options(convergekit_writes=True)
        if self.is_sqlite:
            dbapi: Any = connection.connection.dbapi_connection
            dbapi.execute("PRAGMA cache_size=-65536")
        return connection

    def reading(self) -> Connection:
        """A connection that only reads."""
        return self.engine.connect()

    def forget(self, connection: Connection | None) -> None:
        """Close *connection*, whose state is not known."""
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception as error:
            _log.debug("closing a connection failed with %s", type(error).__name__)

    def dispose(self) -> None:
        """Close what is open."""
        self.engine.dispose()

    def now(self, connection: Connection) -> int:
        """PostgreSQL's own clock, in microseconds."""
        return int(connection.execute(select(NOW)).scalar_one())

    @property
    def wal_size(self) -> int:
        """Bytes in SQLite's write-ahead log."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def keep_wal_small(self, connection: Connection) -> None:
        """At its cap, empty SQLite's write-ahead log before writing goes on. Outside a transaction.

        Who reads all the time, as a slow backup does, keeps it from being emptied: then it may grow by as much again,
        for to wait at each commit would stop everybody.
        """
        if not self.is_sqlite or self.wal_size <= self._wal_cap:
            return
        dbapi: Any = connection.connection.dbapi_connection
        dbapi.execute(f"PRAGMA busy_timeout={round(_READING * 1000)}")
        try:
            emptied = self.checkpoint(connection, "TRUNCATE")
        finally:
            dbapi.execute(f"PRAGMA busy_timeout={round(_BUSY * 1000)}")
        self._wal_cap = _WAL_CAP if emptied else self.wal_size + _WAL_CAP

    def see_to_file(self) -> None:
        """Look whether the file of SQLite is the one that was opened: what is written to another is gone with us.

        Raises:
            StoreError: It was removed or replaced.
        """
        if self.path is None:
            return
        file = _identity(self.path)
        if file != (self._file or file) or file is None:
            raise StoreError(
                f"{self.where}: the file was removed or replaced while it was open; nothing of this call was stored. "
                "Close what uses it, and look for the file that was moved away: what was stored so far is in that one"
            )
        self._file = file

    def checkpoint(self, connection: Connection, mode: str = "PASSIVE") -> bool:
        """Move what is in SQLite's write-ahead log into the file; tells whether all was. Outside a transaction."""
        dbapi: Any = connection.connection.dbapi_connection
        ((busy, _, _),) = dbapi.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        return not busy

    def is_retryable(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed when it is tried again at once."""
        cause = _cause(error)
        if isinstance(cause, self._driver.IntegrityError):
            return True  # somebody else was faster with a unique key: now it is there to be found
        return getattr(cause, "sqlstate", None) in _RETRYABLE

    def is_locked(self, error: BaseException) -> bool:
        """Whether somebody else has kept SQLite's write lock for longer than anybody waits."""
        return self.is_sqlite and getattr(_cause(error), "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY

    def is_away(self, error: BaseException) -> bool:
        """Whether the database could not be reached, or the connection to it was lost."""
        cause = _cause(error)
        if self.is_sqlite or not isinstance(cause, self._driver.Error):
            return False
        state = getattr(cause, "sqlstate", None) or ""
        # 08: connection exceptions; 57P01 to 57P03: it is shutting down or starting. None: it did not answer at all.
        lost = getattr(error, "connection_invalidated", False) or state.startswith(("08", "57P0", "25P03"))
        did_not_answer = isinstance(cause, (self._driver.OperationalError, self._driver.InterfaceError))
        return lost or (not state and did_not_answer)

    def failed(self, error: BaseException, *, unsure: bool = False) -> StoreError:
        """What to tell the caller: never with values, which may be content."""
        if isinstance(error, StoreError):
            return error
        words = _in_words(_cause(error))
        if self.is_locked(error):
            words += (
                ": another connection holds the write lock; if that is a transaction of your own, have the message be "
                "a part of it: submit(..., connection=...)"
            )
        end = "; whether it was stored is not known" if unsure else "; nothing of this call was stored"
        return StoreError(f"{self.where}: {words}{end}")


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        backend = parsed.get_backend_name()
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as exc:  # the last for a port that is no number
        # Without the URL itself: it may hold a password in a place where nobody looks for one.
        raise ConfigurationError(
            "the store's URL cannot be used; write sqlite:///file.db or postgresql://user@host/name"
        ) from exc
    if backend not in ("sqlite", "postgresql"):
        raise ConfigurationError(f"the ledger can be in SQLite or PostgreSQL, not in {backend}")
    if (named := parsed.get_driver_name()) != _DRIVERS[backend]:
        raise ConfigurationError(
            f"the ledger talks to its database through {_DRIVERS[backend]}, and not through {named}, whatever the rest "
            f"of the program uses: write {backend}://... in place of {parsed.drivername}://..."
        )
    if backend == "postgresql" and "@" in f"{parsed.host}{parsed.database}":
        # The rest of the password would be taken for the host, and shown.
        raise ConfigurationError("the store's URL has more than one @; write one that is in the password as %40")
    if backend == "sqlite" and parsed.host:
        raise ConfigurationError(
            "the file of a ledger in SQLite is named behind three slashes: sqlite:///file.db, or "
            "sqlite:////srv/file.db from the root"
        )
    if backend == "sqlite" and (not parsed.database or parsed.database == ":memory:"):
        raise ConfigurationError('a ledger in SQLite needs a file; to have it in memory, say "memory:"')
    return parsed


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """A process that is stopped in the midst of a transaction would keep its locks, and hold up every other worker."""
    connection.execute(f"SET idle_in_transaction_session_timeout = {round(_STANDSTILL * 1000)}")
    connection.commit()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by us
    _use_wal(connection)
    for pragma in (
        "synchronous=FULL",
        "cache_size=-8192",
        "wal_autocheckpoint=0",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Of those who do this to a new file at the same moment some are refused at once, whatever their patience."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            return
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("convergekit_writes")
    driver(connection).execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _cause(error: BaseException) -> BaseException:
    """What the driver raised, whether or not it came by way of SQLAlchemy."""
    return getattr(error, "orig", None) or error


def _in_words(cause: BaseException) -> str:
    """A driver's error without the values of the statement."""
    if isinstance(cause, sqlite3.Error):
        name = getattr(cause, "sqlite_errorname", None)
        return f"{cause} ({name})" if name else str(cause)
    diagnostics = getattr(cause, "diag", None)
    primary = getattr(diagnostics, "message_primary", None)
    if primary:
        return f"{primary} ({getattr(cause, 'sqlstate', '?')})"
    if isinstance(cause, OSError):
        return str(cause.strerror or type(cause).__name__)
    if isinstance(cause, SQLAlchemyError):
        return type(cause).__name__
    first = str(cause).splitlines()
    return f"{type(cause).__name__}: {first[0]}" if first else type(cause).__name__
