"""How deliveries that are to go again are found: by an index, or in a window; also those of before there was one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, insert, select, text

from convergekit.abc import Deliveries
from convergekit.model import DeliveryState, Dispatch, Receipt, Status, fold, to_json
from convergekit.stores.sql import reading, versions
from convergekit.stores.sql import schema as s
from convergekit.stores.sql.database import Database
from convergekit.stores.sql.rows import address_key, dispatch_row, dispatch_values
from convergekit.stores.sql.versions import upgrade
from tests.stores import kit

MIGRATIONS = Path(versions.__file__).parent / "migrations"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Without tables."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}" if request.param == "sqlite" else None
    found = Database(url or request.getfixturevalue("postgres_url"))
    yield found
    found.dispose()


def filled(connection: Connection, number: int) -> None:
    """So many deliveries to many addresses on two channels, of which one of a hundred has failed."""
    rows = [
        {
            "id": f"{each:032x}",
            "dispatch": f"{each:032x}",
            "channel": "cd"[each % 2],
            "address": address_key("cd"[each % 2], f"tg:{each % 40}"),
            "opened": each,
            "state": "failed" if each % 100 < 2 else "closed",
        }
        for each in range(number)
    ]
    connection.execute(insert(s.delivery), rows)


def plans(
    connection: Connection,
    *,
    failed: bool = False,
    address: str | None = None,
    after: str | None = None,
    before: str | None = None,
) -> tuple[str, Deliveries]:
    """How the database answers the question for a page, and the answer."""
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    page = reading.deliveries(connection, "c", failed, address, after, before, 10)
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    lines: list[str] = []
    for statement, values in asked:
        if "FROM convergekit_dispatch" not in statement:
            lines += [str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", values)]
    return "\n".join(lines), page


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"failed": True}, "convergekit_delivery_failed"),
        ({"failed": True, "address": "tg:0"}, "convergekit_delivery_failed_to"),
        ({"failed": False}, "pkey|autoindex_convergekit_delivery"),
        ({"failed": False, "address": "tg:0"}, "pkey|autoindex_convergekit_delivery"),
    ],
    ids=["failed", "failed-to", "all", "all-to"],
)
def test_a_page_walks_an_index_from_its_place(database: Database, query: dict[str, Any], index: str) -> None:
    """However many rows there are: none is sorted, and of what has not failed only a window is looked at."""
    upgrade(database)
    with database.connect() as connection, connection.begin():
        filled(connection, 6000)
        connection.execute(text("ANALYZE"))
        place = f"{3000:032x}"
        found, _ = plans(connection, **query, after=place, before=f"{5900:032x}")
    assert any(name in found for name in index.split("|")), found
    assert "convergekit_delivery_failed_to" in found or "failed_to" not in index
    assert "TEMP B-TREE" not in found
    assert "Seq Scan" not in found
    if database.is_sqlite:
        assert "id>?" in found


def test_a_window_without_a_hit_is_no_end(database: Database) -> None:
    """What is asked for may come after many others; a page says where to go on."""
    upgrade(database)
    with database.connect() as connection, connection.begin():
        filled(connection, 5000)
        seen, pages = 0, 0
        place: str | None = ""
        while place is not None:
            _, page = plans(connection, address="tg:41", after=place)
            seen, place, pages = seen + len(page.found), page.next, pages + 1
    assert (seen, pages) == (0, 3)


def migrate(connection: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def before() -> Sequence[Dispatch]:
    """As they were stored by the first version: by nothing but the state."""
    refused = {"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.FAILED, part=0)])}
    again = kit.delivery("4b", dispatch="4", supersedes="4", state=DeliveryState.CLOSED)
    four = kit.changed(kit.dispatch("4"), **refused)
    return [
        kit.changed(kit.dispatch("1"), **refused),
        kit.taken(kit.dispatch("2"), "theirs"),
        kit.changed(kit.dispatch("3"), state=DeliveryState.DEAD),
        four.model_copy(
            update={"deliveries": (*four.deliveries, again.model_copy(update={"report": refused["report"]}))}
        ),
    ]


def test_what_failed_before_there_was_an_index_is_found(database: Database) -> None:
    with database.connect() as connection, connection.begin():
        migrate(connection, "0001")
        for dispatch in before():
            row = dispatch_row(dispatch)
            connection.execute(
                insert(s.dispatch).values({**dispatch_values(row, placed=True), "body": to_json(dispatch)})
            )
            for each in dispatch.deliveries:
                known = {
                    "id": each.id,
                    "dispatch": dispatch.id,
                    "channel": "c",
                    "address": "",
                    "state": each.state.value,
                }
                connection.execute(insert(s.delivery).values(known))
        migrate(connection, "0002")
        page = reading.deliveries(connection, "c", True, None, None, None, 10)
        states = connection.execute(select(s.delivery.c.id, s.delivery.c.state).order_by(s.delivery.c.id)).all()
    assert [id for _, id in page.found] == ["1", "3", "4b"]
    assert [tuple(each) for each in states] == [
        ("1", "failed"), ("2", "closed"), ("3", "dead"), ("4", "closed"), ("4b", "failed"),
    ]  # fmt: skip
