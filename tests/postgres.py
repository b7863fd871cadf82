"""PostgreSQL for tests: one private server for the whole run, and an empty database for each test that asks for one."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from tests.peers import lacking
from tools.postgres import Postgres, missing

__all__ = ["postgres", "postgres_url"]

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[Postgres]:
    if why := missing():
        lacking(why)
    with Postgres() as server:
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
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
    yield postgres.url(name)
    postgres.start()  # the test may have stopped it
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]
