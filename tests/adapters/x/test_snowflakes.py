"""Ids: read from strings and numbers, in order, and with a time inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.snowflakes import EPOCH, first_id, moment_of, read_id


@pytest.mark.parametrize(
    ("said", "id"),
    [
        ("1346889436626259968", "1346889436626259968"),
        (1346889436626259968, "1346889436626259968"),
        ("007", "7"),
        (20, "20"),
    ],
)
def test_an_id_is_read_from_text_and_from_a_number(said: Any, id: str) -> None:
    assert read_id(said) == id


@pytest.mark.parametrize("said", [None, "", "0", 0, -1, True, "-5", "1.5", 1.5, "1e9", "१२", "9" * 20, 1 << 63, "12\n"])
def test_what_is_no_id_is_none(said: Any) -> None:
    assert read_id(said) is None


def test_an_id_tells_when_it_was_given_out() -> None:
    """The example of X' own documentation of ids."""
    assert moment_of("1212092628029698048") == datetime(2019, 12, 31, 19, 26, 16, 771_000, tzinfo=UTC)


def test_an_id_from_before_2010_11_04_tells_no_time() -> None:
    assert moment_of("20") is None


@given(st.timedeltas(min_value=timedelta(days=1), max_value=timedelta(days=20_000)).map(lambda since: EPOCH + since))
def test_the_first_id_of_a_moment_is_of_that_millisecond(moment: datetime) -> None:
    told = moment_of(first_id(moment))
    assert told is not None
    assert timedelta(0) <= moment - told < timedelta(milliseconds=1)


def test_before_there_were_times_in_ids_the_first_id_is_the_least() -> None:
    assert first_id(EPOCH - timedelta(days=1)) == "1"
