"""Where reading a feed goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from convergekit.adapters.x.feeds.place import Place
from convergekit.adapters.x.snowflakes import first_id

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
THIRTY_DAYS = timedelta(days=30)


def test_it_comes_back_from_its_cursor() -> None:
    place = Place(2**62).looked_at(NOW)

    assert Place.of(place.to_cursor()) == place
    assert place.to_cursor() == {"since": str(2**62), "looked": "2026-03-04"}
    assert Place.of({"since": "0"}) == Place(0)


@pytest.mark.parametrize("cursor", [None, "12", {}, {"since": None}, {"since": "x"}, {"since": "-1"}, ["12"], 12])
def test_what_makes_no_sense_is_a_feed_that_is_new(cursor: Any) -> None:
    assert Place.of(cursor) is None


def test_a_day_that_makes_no_sense_is_none() -> None:
    assert Place.of({"since": "5", "looked": "yesterday"}) == Place(5)


def test_a_silent_feed_is_written_once_a_day() -> None:
    morning, evening = (Place(5).looked_at(NOW.replace(hour=hour)).to_cursor() for hour in (0, 23))

    assert morning == evening
    assert Place(5).looked_at(NOW + timedelta(days=1)).to_cursor() != morning


def test_more_than_a_day_in_the_future_is_ahead() -> None:
    assert not Place(int(first_id(NOW + timedelta(hours=23)))).is_ahead(NOW)
    assert Place(int(first_id(NOW + timedelta(hours=25)))).is_ahead(NOW)


def test_what_x_keeps_has_gone_by_the_day_on_which_we_looked_and_not_by_the_last_message() -> None:
    long_ago = int(first_id(NOW - timedelta(days=300)))

    assert not Place(long_ago).looked_at(NOW - timedelta(days=30)).is_out_of(THIRTY_DAYS, NOW)
    assert Place(long_ago).looked_at(NOW - timedelta(days=32)).is_out_of(THIRTY_DAYS, NOW)
    assert not Place(long_ago).is_out_of(THIRTY_DAYS, NOW)
