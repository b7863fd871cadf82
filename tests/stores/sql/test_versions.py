"""The ledger's tables: made once, brought up to date on purpose, and never used by code that is too old for them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Integer, MetaData, Table, inspect, select, text, update
from sqlalchemy.exc import DatabaseError

from convergekit.errors import StoreError
from convergekit.stores.sql import versions
from convergekit.stores.sql.database import Database
from convergekit.stores.sql.schema import OLDEST_READER, VERSION, item, lane, meta, metadata
from convergekit.stores.sql.versions import Standing, Version, ensure, standing, stored, upgrade

#: Alembic overlooks that an index is for one database alone.
POSTGRESQL_ONLY = {"convergekit_said_words"}
MIGRATIONS = Path(versions.__file__).parent / "migrations"
ADDS = '''
"""What a test adds."""

import sqlalchemy as sa
from alembic import op

revision = "{new:04}"
down_revision = "{old:04}"


def upgrade():
    op.add_column("convergekit_lane", sa.Column("mood", sa.Text(), nullable=True))
    {then}
'''


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    found = Database(url)
    yield found
    found.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield found
    found.dispose()


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Database]:
    found = Database(postgres_url)
    yield found
    found.dispose()


def version(database: Database) -> Version | None:
    with database.reading() as connection:
        return stored(connection)


def say(database: Database, **numbers: int) -> None:
    with database.connect() as connection, connection.begin():
        for name, number in numbers.items():
            connection.execute(update(meta).where(meta.c.name == name).values(number=number))


def columns(database: Database) -> set[str]:
    with database.reading() as connection:
        return {column["name"] for column in inspect(connection).get_columns(lane.name)}


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Code that is one version ahead, with a migration that adds a column."""

    def ahead(then: str = "pass") -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "next.py").write_text(ADDS.format(old=VERSION, new=VERSION + 1, then=then))
        monkeypatch.setattr(versions, "_MIGRATIONS", str(folder))
        monkeypatch.setattr(versions, "VERSION", VERSION + 1)

    return ahead


def test_a_file_is_made_by_whoever_opens_it(sqlite: Database) -> None:
    ensure(sqlite)
    assert version(sqlite) == Version(VERSION, OLDEST_READER)
    ensure(sqlite)


def test_a_database_that_others_share_is_made_where_somebody_asks_for_it(postgresql: Database) -> None:
    with pytest.raises(StoreError, match="no tables yet; `convergekit db upgrade` makes"):
        ensure(postgresql)
    assert version(postgresql) is None
    assert upgrade(postgresql) is None
    ensure(postgresql)
    assert version(postgresql) == Version(VERSION, OLDEST_READER)


def test_or_where_the_store_was_told_to(postgresql: Database) -> None:
    ensure(postgresql, create=True)
    assert version(postgresql) == Version(VERSION, OLDEST_READER)


def test_upgrading_what_is_up_to_date_does_nothing(database: Database) -> None:
    upgrade(database)
    assert upgrade(database) == Version(VERSION, OLDEST_READER)


def test_the_newest_migration_is_the_codes_version(tmp_path: Path) -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == f"{VERSION:04}"


def is_ours(name: str, kind: str, _: Any) -> bool:
    """Or part of ours: an index without content has tables of its own."""
    return kind != "table" or name in metadata.tables


def migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def drawn(connection: Connection) -> set[tuple[str, ...]]:
    """What the database itself says of all that there is, as far as it matters."""
    if connection.dialect.name == "sqlite":
        question = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    else:
        question = """
            SELECT 'column', table_name, column_name, concat_ws(' ', data_type, character_maximum_length, is_nullable,
                   column_default, identity_generation, generation_expression)
              FROM information_schema.columns WHERE table_schema = 'public'
            UNION SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
              FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION SELECT 'table', relname, relkind::text, concat_ws(' ', reloptions)
              FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
            UNION SELECT 'function', proname, '', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        """
    return {tuple(re.sub(r"\s+|[\"'()]", " ", str(cell)) for cell in row) for row in connection.execute(text(question))}


def test_migrations_and_code_make_the_same(database: Database) -> None:
    """An empty database is made from the code's tables, and no migration is run: so both have to agree.

    Where they do not, `tools/revision.py` says how to write the migration that is missing.
    """
    with database.connect() as connection, connection.begin() as both:
        migrate(connection)
        ours: dict[str, Any] = {"version_table": "convergekit_alembic", "include_name": is_ours}
        if connection.dialect.name == "sqlite":
            ours["include_object"] = lambda _, name, *__: name not in POSTGRESQL_ONLY
        seen = MigrationContext.configure(connection, opts=ours)
        assert compare_metadata(seen, metadata) == []
        migrated = drawn(connection)
        both.rollback()
    assert version(database) is None, "making tables is part of the transaction"
    upgrade(database)
    with database.reading() as connection:
        assert drawn(connection) == migrated


def test_alembic_knows_where_a_new_ledger_stands(database: Database) -> None:
    upgrade(database)
    with database.connect() as connection, connection.begin():
        before = drawn(connection)
        migrate(connection)
        assert drawn(connection) == before


def test_opening_imports_no_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['alembic'] = None\n"
        "from convergekit.stores.sql.database import Database\n"
        "from convergekit.stores.sql.versions import ensure\n"
        "for _ in range(2): ensure(Database('sqlite:///ledger.db'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_older_file_is_brought_up_to_date_when_it_is_opened(sqlite: Database, one_more: Any) -> None:
    ensure(sqlite)
    one_more()
    ensure(sqlite)
    assert "mood" in columns(sqlite)
    assert version(sqlite) == Version(VERSION + 1, OLDEST_READER)


def test_an_older_shared_database_is_brought_up_to_date_when_somebody_asks(postgresql: Database, one_more: Any) -> None:
    upgrade(postgresql)
    one_more()
    with pytest.raises(StoreError, match=rf"version {VERSION} .* needs {VERSION + 1}; `convergekit db upgrade`"):
        ensure(postgresql)
    with pytest.raises(StoreError):
        ensure(postgresql, create=True)
    assert "mood" not in columns(postgresql)
    assert upgrade(postgresql) == Version(VERSION, OLDEST_READER)
    ensure(postgresql)
    assert "mood" in columns(postgresql)


def test_a_migration_that_fails_has_changed_nothing(database: Database, one_more: Any) -> None:
    upgrade(database)
    one_more(then="op.execute('SELECT * FROM nothing_of_that_name')")
    with pytest.raises(DatabaseError):
        upgrade(database)
    assert "mood" not in columns(database)
    assert version(database) == Version(VERSION, OLDEST_READER)


def test_a_migration_gives_up_rather_than_hold_up_those_who_work(
    postgresql: Database, one_more: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a long transaction it would wait for a table, and everybody else behind it."""
    upgrade(postgresql)
    one_more()
    monkeypatch.setattr(versions, "_PATIENCE", "50ms")
    with postgresql.reading() as held:
        held.execute(select(lane.c.key))
        with pytest.raises(DatabaseError, match="lock timeout"):
            upgrade(postgresql)
    upgrade(postgresql)
    assert "mood" in columns(postgresql)


def test_newer_tables_that_allow_this_code_are_used_as_they_are(database: Database) -> None:
    """Tables are renewed first and workers one after another."""
    upgrade(database)
    say(database, version=VERSION + 5)
    ensure(database)
    upgrade(database)
    assert version(database) == Version(VERSION + 5, OLDEST_READER)


def test_tables_too_new_for_this_code_are_refused(database: Database) -> None:
    upgrade(database)
    say(database, version=VERSION + 5, oldest_reader=VERSION + 2)
    for attempt in (ensure, upgrade):
        with pytest.raises(StoreError, match=rf"version {VERSION + 5}, .* {VERSION + 2} at least.*install a newer"):
            attempt(database)
    assert version(database) == Version(VERSION + 5, VERSION + 2)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, Standing.EMPTY),
        (Version(VERSION - 1, VERSION - 1), Standing.OLDER),
        (Version(VERSION, VERSION), Standing.CURRENT),
        (Version(VERSION + 1, VERSION), Standing.NEWER),
        (Version(VERSION + 1, VERSION + 1), Standing.TOO_NEW),
    ],
)
def test_how_tables_and_code_stand_to_each_other(found: Version | None, expected: Standing) -> None:
    assert standing(found) is expected


def test_what_a_host_keeps_in_the_same_database_is_left_alone(database: Database, one_more: Any) -> None:
    own = MetaData()
    for name in ("alembic_version", "customers"):
        Table(name, own, Column("number", Integer))
    with database.connect() as connection, connection.begin():
        own.create_all(connection)
    ensure(database, create=True)
    one_more()
    upgrade(database)
    with database.reading() as connection:
        names = set(inspect(connection).get_table_names())
        assert {"alembic_version", "customers"} <= names
        assert all(name.startswith("convergekit_") for name in names - {"alembic_version", "customers"})


_MANY = """
import os, sys
from convergekit.stores.sql.database import Database
from convergekit.stores.sql.versions import ensure, stored

waits, go = os.pipe()
children = []
for _ in range(6):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(waits, 1)  # all at once, when nobody is left who could write
        database = Database(sys.argv[1])
        ensure(database, create=True)
        with database.reading() as connection:
            version = stored(connection)
        os.write(1, f"{version.number} {version.oldest_reader}\\n".encode())
        os._exit(0)
    children.append(child)
os.close(go)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_many_who_open_an_empty_database_at_once_make_it_once(url: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _MANY, url], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{VERSION} {OLDEST_READER}\n" * 6
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_ledger_is_never_written_to(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(content)
    database = Database(f"sqlite:///{file}")
    for attempt in (ensure, upgrade):
        with pytest.raises(DatabaseError):
            attempt(database)
    database.dispose()
    assert file.read_bytes() == content


def test_the_counter_of_claims_is_there(database: Database) -> None:
    ensure(database, create=True)
    with database.reading() as connection:
        assert connection.scalar(select(meta.c.number).where(meta.c.name == "token")) == 0


@pytest.mark.parametrize("table", [lane, item], ids=str)
def test_what_dies_soon_is_swept_up_soon(postgresql: Database, table: Table) -> None:
    """By the server itself, at a hundredth of what it would wait for otherwise: claims walk over the dead."""
    upgrade(postgresql)
    with postgresql.reading() as connection:
        found = connection.scalar(text("SELECT reloptions FROM pg_class WHERE relname = :name"), {"name": table.name})
    options = dict(option.split("=") for option in found)
    assert float(options["autovacuum_vacuum_scale_factor"]) <= 0.01
    assert int(options["autovacuum_vacuum_threshold"]) <= 200
