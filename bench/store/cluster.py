"""A PostgreSQL of one's own that commits to the disk, with a database for each side."""

from __future__ import annotations

from itertools import count

from sqlalchemy import create_engine, text

from tools.postgres import Postgres, missing

__all__ = ["Cluster", "cluster"]


class Cluster(Postgres):
    """The server; makes databases."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)

    def database(self) -> str:
        """The name of a new one."""
        name = f"side_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name}")
        return name

    def run(self, database: str, statement: str) -> list[tuple[object, ...]]:
        """Run *statement* outside a transaction; its rows, if it has any."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            done = connection.execute(text(statement))
            rows = [tuple(row) for row in done] if done.returns_rows else []
        engine.dispose()
        return rows

    def durable_rows(self, database: str, table: str) -> int:
        """How many rows *table* has.

        Raises:
            RuntimeError: They might not survive a crash.
        """
        settings = "SELECT current_setting('fsync'), current_setting('synchronous_commit'), relpersistence"
        (found,) = self.run(database, f"{settings} FROM pg_class WHERE oid = '{table}'::regclass")
        if found != ("on", "on", "p"):
            raise RuntimeError(f"{table} would not survive a crash: {found}")
        ((rows,),) = self.run(database, f"SELECT count(*) FROM {table}")
        assert isinstance(rows, int)
        return rows


def cluster() -> Cluster | None:
    """One that runs, or None where PostgreSQL is not installed."""
    return None if missing() else Cluster()
