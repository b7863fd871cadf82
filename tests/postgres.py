"""PostgreSQL for tests: one private server for the whole run, and an empty database for each test that asks for one."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.peers import lacking
from tools.postgres import Postgres, missing

__all__ = ["ledger_url", "postgres", "postgres_url"]

_NUMBERS = count(1)
_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[Postgres]:
    if why := missing():
        lacking(why)
    # In memory where there is enough: what is proven here is not how long a disk takes.
    enough = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * 1024**3
    with Postgres(where=_MEMORY if enough else None) as server:
        yield server


@pytest.fixture
def postgres(_postgres_server: Postgres) -> Postgres:
    """The server, running; a test may stop and start it."""
    _postgres_server.start()
    return _postgres_server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a database with nothing in it, for SQLAlchemy with psycopg."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        # By way of the log, as newer servers do it of themselves, takes twice as long.
        how = "STRATEGY FILE_COPY" if connection.info.server_version >= 15_00_00 else ""
        connection.execute(f"CREATE DATABASE {name} {how}")  # type: ignore[call-overload]
    yield postgres.url(name)
    postgres.start()  # the test may have stopped it
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def _ledger(_postgres_server: Postgres) -> str:
    from convergekit.stores.sql.database import Database
    from convergekit.stores.sql.versions import upgrade

    with psycopg.connect(_postgres_server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE ledger")
    database = Database(_postgres_server.url("ledger"))
    upgrade(database)
    database.dispose()
    return _postgres_server.url("ledger")


@pytest.fixture
def ledger_url(postgres: Postgres, _ledger: str) -> str:
    """The URL of a ledger with nothing in it; always the same one, for making tables takes its time."""
    from convergekit.stores.sql.tables import metadata

    with psycopg.connect(postgres.dsn("ledger"), autocommit=True) as connection:
        for table in metadata.sorted_tables:
            if not table.name.endswith("_meta"):
                connection.execute(f"DELETE FROM {table.name}")  # type: ignore[call-overload]
    return _ledger
