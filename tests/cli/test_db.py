"""`convergekit db`: the tables of a ledger are made and brought up to date where somebody asks for it."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import update

from convergekit import Attachment, Message
from convergekit.cli import main
from convergekit.stores.sql.database import Database
from convergekit.stores.sql.said import WORDS, said
from convergekit.stores.sql.schema import VERSION, meta
from convergekit.sync import Hub

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def db(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `convergekit db`; its exit code, its lines, and what it said on stderr."""

    def run(*argv: str) -> tuple[int, list[str], str]:
        code = main(["db", *argv])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return run


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def say(url: str, **numbers: int) -> None:
    database = Database(url)
    with database.connect() as connection, connection.begin():
        for name, number in numbers.items():
            connection.execute(update(meta).where(meta.c.name == name).values(number=number))
    database.dispose()


def test_an_empty_database_gets_its_tables(db: Run, postgres_url: str) -> None:
    code, lines, _ = db("status", "--store", postgres_url)
    assert (code, "`convergekit db upgrade` makes them" in lines[0]) == (1, True)
    code, lines, _ = db("upgrade", "--store", postgres_url)
    assert (code, lines[0].endswith(f"tables of version {VERSION}, made")) == (0, True)
    code, lines, _ = db("upgrade", "--store", postgres_url)
    assert (code, lines[0].endswith(f"tables of version {VERSION}, there already")) == (0, True)
    code, lines, _ = db("status", "--store", postgres_url)
    assert (code, f"version {VERSION}, which is this code's" in lines[0]) == (0, True)


def test_status_says_how_large_the_tables_are(db: Run, postgres_url: str) -> None:
    db("upgrade", "--store", postgres_url)
    _, lines, _ = db("status", "--store", postgres_url, "--json")
    first, *tables = map(json.loads, lines)
    assert (first["standing"], first["version"], first["oldest_snapshot"]) == ("current", VERSION, None)
    assert {"convergekit_lane", "convergekit_entry"} <= {table["name"] for table in tables}
    assert all(table["bytes"] > 0 and table["dead"] is not None for table in tables)


def test_status_says_what_keeps_the_dead_from_being_swept_up(
    db: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convergekit.cli.db._LONG", 0)
    db("upgrade", "--store", postgres_url)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as held:
        held.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        _, _, err = db("status", "--store", postgres_url)
        assert "a transaction has been open for 0 seconds" in err
    assert db("status", "--store", postgres_url)[2] == ""


def test_a_file_is_looked_at_and_not_made(db: Run, url: str, tmp_path: Path) -> None:
    code, lines, _ = db("status", "--store", url)
    assert (code, "whoever opens it makes them" in lines[0]) == (0, True)
    assert list(tmp_path.iterdir()) == []
    db("upgrade", "--store", url)
    _, lines, _ = db("status", "--store", url, "--json")
    assert json.loads(lines[1])["name"].startswith("ledger.db")


def test_tables_too_new_are_told_and_left_alone(db: Run, url: str) -> None:
    db("upgrade", "--store", url)
    say(url, version=VERSION + 3, oldest_reader=VERSION + 2)
    code, lines, _ = db("status", "--store", url)
    assert (code, "install a newer convergekit" in lines[0]) == (1, True)
    code, lines, err = db("upgrade", "--store", url)
    assert (code, lines, "install a newer convergekit" in err) == (1, [], True)


def test_tables_ahead_of_the_code_that_allow_it_are_well(db: Run, url: str) -> None:
    db("upgrade", "--store", url)
    say(url, version=VERSION + 3)
    code, lines, _ = db("status", "--store", url)
    assert (code, "which they allow" in lines[0]) == (0, True)


def test_the_ledger_of_a_file_of_settings_without_the_secrets_of_its_channels(
    db: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looks after the database is often not who sends."""
    monkeypatch.chdir(tmp_path)
    Path("convergekit.toml").write_text(
        '[store]\nurl = "sqlite:///own.db"\n[channels.hook]\nadapter = "webhook"\nsecret = { env = "NOWHERE" }\n'
    )
    assert db("upgrade")[0] == 0
    assert Path("own.db").exists()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, url: str) -> str:
    """The URL of one in which something was said."""
    ledger: str = url if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    assert main(["db", "upgrade", "--store", ledger]) == 0
    request.getfixturevalue("capsys").readouterr()
    with Hub(store=ledger, role="submit") as hub:
        hub.add_channel("loop", {"adapter": "loopback"})
        for who, text in (("ann", "the parcel is here"), ("bob", "where is the parcel"), ("eve", "")):
            hub.submit(Message(text, attachments=[] if text else [Attachment(data=b"x")]), to=f"loopback:{who}")
    return ledger


def found(ledger: str, word: str) -> int:
    with Hub(store=ledger, role="submit") as hub:
        return len(hub.archive.search(word).found)


def cut_otherwise(ledger: str) -> None:
    """As code before an update may have done: everything is one and the same word."""
    database = Database(ledger)
    with database.connect() as connection, connection.begin():
        if database.is_sqlite:
            connection.exec_driver_sql(f"INSERT INTO {WORDS} ({WORDS}) VALUES ('delete-all')")
            connection.exec_driver_sql(f"INSERT INTO {WORDS} (rowid, words) SELECT id, 'other' FROM {said.name}")
        else:
            connection.exec_driver_sql(f"UPDATE {said.name} SET words = 'other'::tsvector")
    database.dispose()


def test_the_search_index_is_made_anew(db: Run, ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was cut in another way is found by its words again, and by no others; and can be erased."""
    monkeypatch.setattr("convergekit.stores.sql.archive.reindexing._SLICE", 2)
    cut_otherwise(ledger)
    assert (found(ledger, "parcel"), found(ledger, "other")) == (0, 3)
    code, lines, _ = db("reindex", "--store", ledger)
    assert (code, lines[0].endswith(": 2 messages are in the search index")) == (0, True)
    assert (found(ledger, "parcel"), found(ledger, "other")) == (2, 0)
    assert db("reindex", "--store", ledger)[0] == 0
    with Hub(store=ledger, role="submit") as hub:
        hub.archive.erase("loopback:ann")
    assert (found(ledger, "parcel"), found(ledger, "here")) == (1, 0)


def test_an_index_is_made_anew_only_where_there_are_tables(db: Run, url: str, postgres_url: str) -> None:
    """Nothing is made on the way."""
    code, _, err = db("reindex", "--store", url)
    assert (code, "there is no ledger at" in err) == (2, True)
    code, _, err = db("reindex", "--store", postgres_url)
    assert (code, "`convergekit db upgrade` makes them" in err) == (2, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory:", "has no tables"),
        ("mysql://somebody:hunter2@db/x", "SQLite or PostgreSQL"),
        ("nonsense", "cannot be"),
    ],
)
def test_what_is_no_database_is_wrong_usage(db: Run, url: str, said: str) -> None:
    code, lines, err = db("upgrade", "--store", url)
    assert (code, lines) == (2, [])
    assert said in err
    assert "hunter2" not in err


def test_a_server_that_is_not_there_is_one_clear_line_without_the_password(db: Run) -> None:
    code, _, err = db("upgrade", "--store", "postgresql://somebody:hunter2@127.0.0.1:9/x")
    assert code == 1
    assert err.count("\n") == 1
    assert "127.0.0.1" in err
    assert "hunter2" not in err
