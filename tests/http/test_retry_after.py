"""Dates, and `Retry-After`: RFC 9110 §5.6.7 and §10.2.3 in all their forms, and whatever else servers write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.http import parse_http_date, parse_retry_after

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60.0),  # RFC 850
        ("Fri Jan  2 03:05:05 2026", 60.0),  # asctime
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("Fri, 99 Jan 2026 03:05:05 GMT", None),
        ("9" * 5000, None),
        ("٣", None),
    ],
)
def test_both_forms_are_read_and_nonsense_is_none(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text())
def test_no_value_raises_and_no_wait_is_negative(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    "value",
    [
        "Fri, 02 Jan 2026 03:04:05 GMT",
        "Friday, 02-Jan-26 03:04:05 GMT",
        "Fri Jan  2 03:04:05 2026",
        "Fri, 02 Jan 2026 04:04:05 +0100",
    ],
)
def test_a_date_is_in_utc_whatever_its_form(value: str) -> None:
    found = parse_http_date(value)

    assert found == NOW
    assert found.tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "soon", "120", "Fri, 31 Dec 9999 23:59:59 -1400"])
def test_what_is_no_date_is_none(value: str | None) -> None:
    assert parse_http_date(value) is None
