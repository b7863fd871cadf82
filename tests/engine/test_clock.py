"""The machine's clock, which a ledger may set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from convergekit.abc import SettableClock
from convergekit.engine.clock import SystemClock
from convergekit.testing import FakeClock


def test_the_wall_clock_goes_on_from_where_it_was_set_and_the_other_does_not_jump() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.set(datetime.now(UTC) + timedelta(days=1))

    assert timedelta(hours=23) < clock.now() - datetime.now(UTC) < timedelta(hours=25)
    assert 0 <= clock.monotonic() - before < 3600


def test_a_clock_of_a_tests_own_is_set_by_nobody() -> None:
    assert isinstance(SystemClock(), SettableClock)
    assert not isinstance(FakeClock(), SettableClock)
