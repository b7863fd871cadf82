"""What is erased is nowhere in the files; what a database keeps until it is vacuumed is said in the docs."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import create_engine, text, update

from convergekit.abc import Cursor, Erased
from convergekit.engine.context import StoredState
from convergekit.model import (
    Address,
    Attachment,
    Contact,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    Failure,
    LegStep,
    Message,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
    Receipt,
    ReceiptReceived,
    Status,
    fold,
)
from convergekit.router import StoredContacts
from convergekit.stores.sql import SqlStore, schema
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN, BOB = Address("sms:+4915112345678", display_name="Annegret"), Address("mailto:bob@example.org")
#: None of them may be left; the number in every way in which it was written.
WORDS = ("xylophon", "geheimnis", "annegret", "4915112345678", "zitronenkuchen", "anns-id", "quittung")


def heard(number: int, who: Address, said: str) -> MessageReceived:
    where = ConversationRef(channel="c", address=who)
    return MessageReceived(
        key=f"in-{number}",
        channel="c",
        conversation=where,
        sender=who,
        text=said,
        subject="Quittung" if who is ANN else "Notice",
        native={"from": who.uri, "raw": said.encode()},
        attachments=(Attachment(data=said.encode(), name=f"{said.split()[0]}.txt"),),
    )


def told(number: int, who: Address, said: str, state: DeliveryState = DeliveryState.CLOSED) -> Dispatch:
    id = f"out-{number:05}"
    where = ConversationRef(channel="c", address=who)
    report = fold([Receipt(Status.ACCEPTED, ids=[f"{'anns' if who is ANN else 'his'}-id-{number}"])])
    leg = Delivery(
        id=f"{id}/0", dispatch=id, channel="c", address=who, conversation=where, key=id, state=state,
        due=FakeClock().now(), report=report, reason=f"it was {said}", failure=Failure(text=said[:50]),
    )  # fmt: skip
    return Dispatch(
        id=id, key=f"{who.value}:{number}", recipient=who.uri, message=Message(said, cc=[who]), plan=LegStep(leg=0),
        deliveries=(leg,), created_at=FakeClock().now(), fingerprint="f", reason=said,
    )  # fmt: skip


async def fill(store: SqlStore, size: int) -> None:
    """A ledger in which what is to go stands among much that stays, and was rewritten now and then."""
    noise = "The usual words about parcels, invoices and meetings. " * 5
    for start in range(0, size, 50):
        events = [heard(n, ANN if n % 10 == 3 else BOB, "Geheimnis vom Xylophon" if n % 10 == 3 else f"{noise} {n}")
                  for n in range(start, start + 50)]  # fmt: skip
        await store.admit("c", events, Cursor(start))
        await store.submit([told(n, BOB, f"{noise} {n}") for n in range(start, start + 50)])
    secret = "Zitronenkuchen, Annegret, und das Geheimnis "
    mine = await store.submit([told(size + n, ANN, secret * (n % 40 + 1)) for n in range(100)])
    for each in mine:  # as the engine does, again and again
        leg = each.deliveries[0].model_copy(update={"reason": "again " + secret})
        changed = await store.save(each.model_copy(update={"deliveries": (leg,)}))
        assert changed is not None
        await store.save(changed)
    await store.submit([told(99_999, ANN, secret, DeliveryState.QUEUED)])
    where = ConversationRef(channel="c", address=ANN)
    (dead,) = await store.submit([told(99_998, ANN, "Quittung", DeliveryState.DEAD)])
    again = dead.deliveries[0].model_copy(update={"id": "again", "supersedes": dead.deliveries[0].id})
    edited = {"message": Message("Zitronenkuchen"), "deliveries": (*dead.deliveries, again)}
    assert await store.save(dead.model_copy(update=edited)) is not None
    receipt = Receipt(Status.DELIVERED, ids=["anns-id-77"], native="dlr for 015112345678, Annegret")
    await store.admit(
        "c",
        [
            MessageEdited(key="e", channel="c", conversation=where, sender=ANN, target="1", text=secret),
            ReactionChanged(key="r", channel="c", conversation=where, sender=ANN, target="1", reactions=("👍",)),
            ReceiptReceived(key="d", channel="c", receipt=receipt.model_copy(update={"ids": (f"anns-id-{size}",)})),
        ],
    )
    await store.park("c", receipt.model_copy(update={"address": ANN, "ids": ("parked",)}))
    await store.put("automatic", f"c|{ANN.uri}", {"count": 3})
    await StoredContacts(StoredState(store, "contacts")).put(Contact(id="a", addresses=[ANN], name="Annegret"))


def found_in(folder: Path) -> Iterator[str]:
    """Each word that is to be read in a file, in whatever encoding, and where."""
    for file in folder.rglob("*"):
        content = file.read_bytes().lower() if file.is_file() else b""
        for word in WORDS:
            if any(word.encode(code) in content for code in ("utf-8", "utf-16-le", "utf-16-be")):
                yield f"{word} in {file.name}"


@pytest.mark.parametrize("size", [100, 2000])
async def test_no_word_is_left_in_any_file(tmp_path: Path, size: int) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/ledger.db")
    async with store.opened(FakeClock()):
        await fill(store, size)
        assert len(set(found_in(tmp_path))) >= len(WORDS)
        before = await store.counts()
        erased = await store.archive.erase(ANN)
        assert (erased.erased, erased.busy) == (size // 10 + 102 + 3, 0)
        assert list(found_in(tmp_path)) == []
        after = await store.counts()
        assert sum(after.entries.values()) == sum(before.entries.values())
        assert sum(after.deliveries.values()) == sum(before.deliveries.values())
        assert len((await store.archive.search("parcels meetings", limit=1000)).found) == min(1000, size // 10 * 19)
    assert list(found_in(tmp_path)) == []


async def test_retention_leaves_no_word_either(tmp_path: Path) -> None:
    store, clock = SqlStore(f"sqlite:///{tmp_path}/ledger.db"), FakeClock()
    async with store.opened(clock):
        await store.submit([told(n, ANN, "Geheimnis vom Xylophon") for n in range(300)])
        clock.advance(100)
        await store.submit([told(300, BOB, "later").model_copy(update={"created_at": clock.now()})])
        assert await store.archive.retain(50) == 300
        assert list(found_in(tmp_path)) == []
        assert [each.text for each in (await store.archive.search("later")).found] == ["later"]


async def test_who_else_tidies_the_log_at_the_same_time_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses a second checkpoint at once, whatever its patience; ours beside the commits are such."""
    store, over = SqlStore(f"sqlite:///{tmp_path}/ledger.db"), Event()

    def tidy() -> None:
        with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as connection:
            while not over.is_set():
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        connection.close()

    async with store.opened(FakeClock()), anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, tidy)
        try:
            for number in range(5):
                await store.submit([told(n, ANN, "Geheimnis " * 500) for n in range(number * 10, number * 10 + 10)])
                await store.archive.erase(ANN)
                assert list(found_in(tmp_path)) == []
        finally:
            over.set()


async def test_the_index_is_whole_afterwards(tmp_path: Path) -> None:
    """Deleting from it needs exactly what was put in: else it would be damaged in silence."""
    store = SqlStore(f"sqlite:///{tmp_path}/ledger.db")
    async with store.opened(FakeClock()):
        await fill(store, 200)
        await store.archive.erase(ANN)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, convergekit_words, row)")
        terms = {term for (term,) in connection.execute("SELECT term FROM temp.terms")}
        (found,) = connection.execute("SELECT count(*) FROM convergekit_words WHERE convergekit_words MATCH 'parcels'")
    connection.close()
    assert terms.isdisjoint({"xylophon", "geheimnis", "zitronenkuchen", "quittung"})
    assert found == (380,)


async def test_nothing_is_left_in_postgresql(postgres_url: str) -> None:
    """In no table, as far as SQL can see."""
    store = SqlStore(postgres_url, create=True, database_clock=False)
    async with store.opened(FakeClock()):
        await fill(store, 100)
        await store.archive.erase(ANN)
        engine = create_engine(postgres_url)
        with engine.connect() as connection:
            swept = connection.execute(text("SELECT relname FROM pg_stat_user_tables WHERE vacuum_count > 0")).scalars()
            assert {"entry", "dispatch", "delivery", "lane", "item", "said", "about", "parked", "value"} <= {
                each.removeprefix("convergekit_") for each in swept
            }
            tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
            for table in tables.all():
                rows = connection.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()
                for row in rows:
                    assert [word for word in WORDS if word in row.lower()] == [], table
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, quick_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{quick_path}/ledger.db"
    return str(request.getfixturevalue("ledger_url"))


async def test_what_cannot_be_read_any_more_is_left_and_told_and_stops_nothing(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what it says nor whose it is can be known; nobody is told that it is gone."""
    store, clock = SqlStore(url, database_clock=False), FakeClock()
    async with store.opened(clock):
        await store.submit([told(number, ANN, "Geheimnis") for number in range(3)])
        torn = update(schema.dispatch).where(schema.dispatch.c.id == "out-00001").values(body="{")
        await store.write(lambda connection: connection.execute(torn))
        clock.advance(100)
        assert [each.id for each in (await store.archive.search("geheimnis")).found] == ["out-00002", "out-00000"]
        assert await store.archive.erase(ANN) == Erased(2, 0, 1)
        assert await store.archive.retain(50) == 0
    assert "dispatch out-00001 of the ledger cannot be read" in caplog.text
