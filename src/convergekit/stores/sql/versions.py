"""The version of the ledger's tables: made, brought up to date, or refused.

Rules kept here:

- The tables have a number, `VERSION`, and say which is the oldest code that may still use them, `OLDEST_READER`. Both
  are in `meta`, so that opening a ledger reads two rows and knows; Alembic is imported to migrate and for nothing else.
- A migration only adds. Code that is older than the tables goes on where they allow it, so that workers are renewed
  one after another, after the tables.
- A file is made and brought up to date by whoever opens it. A database that others share changes only where somebody
  asks for it: `convergekit db upgrade`, or a store that is told to create it.
- Whoever makes or changes tables has a lock, looks again, and does all of it in one transaction or nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
    update,
)

from convergekit.errors import StoreError

from .schema import OLDEST_READER, VERSION, meta
from .tables import metadata

if TYPE_CHECKING:
    from .database import Database

__all__ = ["Standing", "Version", "can_be_opened", "described", "ensure", "standing", "stored", "upgrade"]

_MIGRATIONS: Final = "convergekit.stores.sql:migrations"
_PATIENCE: Final = "5s"
_LOCK: Final = 0x636F6E76  # any number that others on a shared database are unlikely to lock: "conv"

#: Alembic's own note of where it is; with our prefix, for a host may use Alembic as well.
_alembic: Final = Table(
    "convergekit_alembic",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="convergekit_alembic_pkc"),  # as Alembic would make it
)


class Version(NamedTuple):
    """What a ledger says of its tables.

    Args:
        number: Of the tables.
        oldest_reader: The oldest version whose code may use them.
    """

    number: int
    oldest_reader: int


class Standing(StrEnum):
    """How tables and this code stand to each other."""

    EMPTY = "empty"
    """There are none."""
    OLDER = "older"
    """They have to be brought up to date before this code may use them."""
    CURRENT = "current"
    NEWER = "newer"
    """They are ahead of this code, and allow it."""
    TOO_NEW = "too new"


_USABLE: Final = frozenset({Standing.CURRENT, Standing.NEWER})


def standing(version: Version | None) -> Standing:
    """How tables of *version*, None where there are none, and this code stand to each other."""
    if version is None:
        return Standing.EMPTY
    if version.number == VERSION:
        return Standing.CURRENT
    if version.number < VERSION:
        return Standing.OLDER
    return Standing.NEWER if version.oldest_reader <= VERSION else Standing.TOO_NEW


def can_be_opened(version: Version | None, *, embedded: bool) -> bool:
    """Whether a hub opens a ledger whose tables have *version*: those in a file it makes, or brings up to date."""
    stands = standing(version)
    return stands in _USABLE or (embedded and stands is not Standing.TOO_NEW)


def stored(connection: Connection) -> Version | None:
    """What the ledger says of its tables; None where there are none of ours."""
    if not inspect(connection).has_table(meta.name):
        return None
    named = meta.c.name.in_(("version", "oldest_reader"))
    numbers = dict(connection.execute(select(meta.c.name, meta.c.number).where(named)).all())
    return Version(numbers["version"], numbers["oldest_reader"])


def described(version: Version | None, *, embedded: bool) -> str:
    """How tables of *version* and this code stand to each other, in words, with the way out.

    Args:
        version: None where there are none.
        embedded: Whether they are in a file, which whoever opens it looks after.
    """
    by = "whoever opens it" if embedded else "`convergekit db upgrade`"
    if version is None:
        return f"there are no tables yet; {by} makes them"
    found = f"its tables have version {version.number}"
    match standing(version):
        case Standing.OLDER:
            meanwhile = "" if embedded else ", while workers go on"
            return f"{found} and this code needs {VERSION}; {by} brings them up to date{meanwhile}"
        case Standing.TOO_NEW:
            needed = f"which needs code of version {version.oldest_reader} at least"
            return f"{found}, {needed}, and this is {VERSION}; install a newer convergekit"
        case Standing.NEWER:
            return f"{found}; this code has {VERSION}, which they allow"
        case _:
            return f"{found}, which is this code's"


def ensure(database: Database, *, create: bool = False) -> None:
    """Return when this code may use the tables.

    Args:
        database: Not yet in use.
        create: Whether to make the tables where a shared database has none; a file gets them in any case.

    Raises:
        StoreError: They have to be made or upgraded first, which is for a person to decide, or they are too new.
    """
    with database.reading() as connection:
        found = stored(connection)
    stands = standing(found)
    if stands in _USABLE:
        return
    if not (database.is_sqlite or (create and stands is Standing.EMPTY)):
        raise StoreError(f"{database.where}: {described(found, embedded=False)}")
    upgrade(database)


def upgrade(database: Database) -> Version | None:
    """Make the tables, or bring them up to date; where there is nothing to do, nothing is done.

    Returns:
        What they were before.

    Raises:
        StoreError: They are too new for this code.
    """
    with database.connect() as connection, connection.begin():  # which on SQLite takes the write lock
        if not database.is_sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        found = stored(connection)  # somebody may have been faster
        match standing(found):
            case Standing.EMPTY:
                _create(connection)
            case Standing.OLDER:
                _migrate(connection)
            case Standing.TOO_NEW:
                raise StoreError(f"{database.where}: {described(found, embedded=database.is_sqlite)}")
            case _:
                pass
        return found


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    numbers = {"version": VERSION, "oldest_reader": OLDEST_READER, "token": 0}
    connection.execute(insert(meta), [{"name": name, "number": number} for name, number in numbers.items()])
    _alembic.create(connection)
    connection.execute(insert(_alembic).values(version_num=f"{VERSION:04}"))


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        # Whoever waits for a table behind a long transaction makes all others wait behind himself.
        connection.execute(select(func.set_config("lock_timeout", _PATIENCE, True)))
    command.upgrade(config, f"{VERSION:04}")
    for name, number in (("version", VERSION), ("oldest_reader", OLDEST_READER)):
        connection.execute(update(meta).where(meta.c.name == name).values(number=number))
