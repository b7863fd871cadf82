"""A ledger on PostgreSQL whose answers are lost, and a process that goes on after another has taken over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import anyio
import psycopg
import pytest

from convergekit.abc import Admission, Cursor, Fence
from convergekit.errors import ConfigurationError, LeaseLostError
from convergekit.model import DeliveryState, Receipt, Status
from convergekit.stores import SqlStore
from convergekit.testing import FakeClock
from tests.stores.kit import changed, claim, dispatch, event, lease
from tests.stores.sql.batches import Held

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(ledger_url: str, clock: FakeClock) -> AsyncGenerator[SqlStore]:
    store = SqlStore(ledger_url, database_clock=False)
    async with store.opened(clock):
        yield store


@pytest.fixture
def lost_answer(store: SqlStore) -> Callable[[], None]:
    """Called: the next commit arrives, and its answer does not."""
    dialect: Any = store._database.engine.dialect
    commit = dialect.do_commit

    def lossy(connection: Any) -> None:
        commit(connection)
        dialect.do_commit = commit
        connection.dbapi_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def lose() -> None:
        dialect.do_commit = lossy

    return lose


async def test_a_submit_is_not_doubled(store: SqlStore, lost_answer: Callable[[], None]) -> None:
    lost_answer()
    (stored,) = await store.submit([dispatch("a")])
    assert stored.id == "a"
    assert len(await store.dispatches()) == 1
    assert len((await claim(store, "out")).leases) == 1


async def test_what_was_admitted_is_new(store: SqlStore, lost_answer: Callable[[], None]) -> None:
    """It was called a duplicate, and an adapter that acts on it dropped what it had."""
    lost_answer()
    assert await store.admit("c", [event("a"), event("b")]) == (Admission.NEW, Admission.NEW)
    assert await store.admit("c", [event("a"), event("b")]) == (Admission.DUPLICATE, Admission.DUPLICATE)


async def test_a_mark_that_was_stored_is_ones_own(store: SqlStore, lost_answer: Callable[[], None]) -> None:
    """It looked as if somebody else were sending, and what nobody had sent was unknown."""
    await store.submit([dispatch("a")])
    ours = await lease(store, "out")
    assert ours.dispatch is not None
    lost_answer()
    saved = await store.save(changed(ours.dispatch, state=DeliveryState.SENDING), lease=ours)
    assert saved is not None
    assert saved.version == ours.dispatch.version + 1
    assert await store.save(changed(ours.dispatch, state=DeliveryState.SENDING), lease=ours) is None


async def test_a_value_that_was_put_was_put(store: SqlStore, lost_answer: Callable[[], None]) -> None:
    assert await store.put("s", "k", 1, version=0)
    lost_answer()
    assert await store.put("s", "k", 2, version=1)
    assert await store.get("s", "k") == (2, 2)
    assert not await store.put("s", "k", 2, version=1)


async def test_a_receipt_that_was_taken_out_is_handed_over(store: SqlStore, lost_answer: Callable[[], None]) -> None:
    """It was taken out, and the second try found nothing: nobody ever learnt of it."""
    await store.park("c", Receipt(Status.DELIVERED, ids=["x"]))
    lost_answer()
    assert [set(each.ids) for each in await store.unpark("c", ["x"])] == [{"x"}]
    assert await store.unpark("c", ["x"]) == []


async def test_a_receipt_is_parked_once(store: SqlStore, lost_answer: Callable[[], None]) -> None:
    lost_answer()
    await store.park("c", Receipt(Status.DELIVERED, ids=["x"]))
    assert len(await store.unpark("c", ["x"])) == 1


# Ownership


async def test_nobody_takes_over_in_the_midst_of_an_admission(
    store: SqlStore, ledger_url: str, clock: FakeClock
) -> None:
    """A stale owner's cursor was stored over that of the new one."""
    fence = await store.own("channel:c", "one", 10)
    assert isinstance(fence, Fence)
    clock.advance(20)
    first, held = Held(), Held()
    other = SqlStore(ledger_url, database_clock=False)
    order: list[str] = []

    async def admit() -> None:
        try:
            await store.admit("c", [event("a")], Cursor(1), fence=fence)
            order.append("admitted")
        except LeaseLostError:
            order.append("refused")

    async def take_over() -> None:
        taken = await other.own("channel:c", "two", 10)
        assert taken is not None
        order.append("taken over")
        await other.admit("c", [event("b", "tg:bob")], Cursor(2), fence=taken)

    async with other.opened(clock), anyio.create_task_group() as tasks:
        tasks.start_soon(store.write, first)
        await first.begun()
        tasks.start_soon(admit)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(store.write, held)  # in one batch with it, after it was decided
        await anyio.wait_all_tasks_blocked()
        first.go_on()
        await held.begun()
        tasks.start_soon(take_over)
        await anyio.sleep(0.3)  # in which it could
        order.append("let go")
        held.go_on()
    # Which of the two hears first that it is done is chance; that nobody took over before the other was done is not.
    assert "refused" in order or order.index("let go") < order.index("taken over")
    assert await store.cursor("c", "") == 2


# Secrets


@pytest.mark.parametrize("password", ["a@hunter22", "a@hun/ter22", "a/b@hunter22"])
def test_a_password_with_an_at_sign_is_not_taken_for_the_host(password: str) -> None:
    """What was behind the sign was shown as the host, in every error and in what the store says of itself."""
    with pytest.raises(ConfigurationError, match="%40") as caught:
        SqlStore(f"postgresql://ann:{password}@127.0.0.1:1/x")
    assert "ter22" not in str(caught.value)
