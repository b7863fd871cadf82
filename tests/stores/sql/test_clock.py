"""The ledger's time: the hub's clock shows it, however long an answer took and whatever stood still meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from convergekit.abc import SettableClock
from convergekit.engine.clock import SystemClock
from convergekit.stores.sql import SqlStore
from convergekit.stores.sql.clock import LedgerClock
from convergekit.stores.sql.rows import micros
from convergekit.testing import FakeClock

SECOND = 1_000_000


class Settable(FakeClock):
    """A clock that the ledger sets."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self._ahead

    def set(self, now: datetime) -> None:
        self._ahead += now - self.now()


def followed() -> tuple[LedgerClock, Settable]:
    clock, ledger = Settable(), LedgerClock(is_its_own=True)
    assert isinstance(clock, SettableClock)
    ledger.start(clock)
    return ledger, clock


@pytest.mark.parametrize("late", [0.2, -0.2, 3600.0, -3600.0])
def test_a_clock_that_differs_is_set(late: float) -> None:
    """Both ways; so that all workers mean the same by the end of a lease."""
    ledger, clock = followed()
    database = clock.now() + timedelta(seconds=late)

    ledger.follow(micros(database), ledger.asked())

    assert clock.now() == database


def test_an_answer_that_took_long_sets_no_clock_back() -> None:
    """The process may have stood still before it read it; a clock that is late believes in leases that have ended."""
    ledger, clock = followed()
    asked = ledger.asked()
    answer = micros(clock.now()) + SECOND
    clock.advance(30)
    now = clock.now()

    ledger.follow(answer, asked)

    assert clock.now() == now


def test_it_is_set_back_by_what_is_certain() -> None:
    """It was ahead when it asked, however long the answer took."""
    ledger, clock = followed()
    asked = ledger.asked()
    answer = micros(clock.now()) - 10 * SECOND
    clock.advance(30)
    now = clock.now()

    ledger.follow(answer, asked)

    assert clock.now() == now - timedelta(seconds=10)


def test_two_who_asked_at_the_same_time_set_it_once() -> None:
    """The writer and whoever renews what is owned ask on threads of their own."""
    ledger, clock = followed()
    asked = [ledger.asked(), ledger.asked()]
    database = clock.now() - timedelta(seconds=10)

    for each in asked:
        ledger.follow(micros(database), each)

    assert clock.now() == database


@pytest.mark.anyio
async def test_a_transaction_that_waits_sets_no_clock_back(postgres_url: str) -> None:
    """As for a lock of a worker that was stopped: for as long, leases that have ended would seem to be ours."""
    clock = SystemClock()
    store = SqlStore(postgres_url, create=True)
    async with store.opened(clock):
        await store.write(lambda connection: connection.execute(text("SELECT pg_sleep(0.5)")).all())
        late = datetime.now(UTC) - clock.now()

    assert late < timedelta(seconds=0.25)
