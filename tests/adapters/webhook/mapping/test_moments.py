"""When something happened is read in every usual spelling, and nonsense is no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.webhook.mapping.moments import moment
from tests.adapters.webhook.mapping.kit import NOW

AT = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01T13:00:00+01:00",
        "2026-01-01T12:00:00",
        "2026-01-01 12:00:00 UTC",
        "2026-01-01T12:00:00.000000000Z",
        1767268800,
        "1767268800",
        "1767268800.000000",
        1767268800000,
        "1767268800000000",
        1767268800.0,
    ],
)
def test_usual_spellings(value: Any) -> None:
    assert moment(value, NOW) == AT


@pytest.mark.parametrize(
    "value",
    [None, True, "", "yesterday", "0001-01-01T00:00:00Z", 0, -5, "9" * 40, 1e300, float("nan"), [], {}, "1" * 5000],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    """An alert that has not ended ends in the year 1."""
    assert moment(value, NOW) is None


def test_what_has_not_come_yet_is_none() -> None:
    """It would stand above all that is said after it."""
    assert moment((NOW + timedelta(days=2)).isoformat(), NOW) is None
    assert moment((NOW + timedelta(hours=2)).isoformat(), NOW) is not None


@given(st.text(max_size=40) | st.integers() | st.floats())
def test_anything_at_all(value: Any) -> None:
    moment(value, NOW)
