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


def test_what_was_admitted_just_before_the_newest_is_known_and_what_was_not_is_new() -> None:
    ids = [int(first_id(NOW - timedelta(seconds=seconds))) for seconds in (100, 20, 10, 0)]
    place = Place(1).after(ids)

    assert place.since == ids[-1]
    assert Place.of(place.to_cursor()) == place
    assert not any(map(place.is_new, ids))
    assert place.is_new(ids[2] + 1)
    assert not place.is_new(ids[0] + 1)
    assert place.is_new(ids[-1] + 1)
    assert place.floor(NOW + timedelta(seconds=60)) < ids[1]
    assert place.floor(NOW + timedelta(seconds=180)) == place.since


def test_an_id_that_tells_no_time_is_a_place_too() -> None:
    place = Place(0).after([5, 9])

    assert (place.since, place.floor(NOW)) == (9, 9)
    assert [id for id in (5, 8, 9, 10) if place.is_new(id)] == [10]


def test_what_is_kept_of_a_crowd_is_bounded_and_none_of_it_is_new_again() -> None:
    crowd = [int(first_id(NOW)) + number for number in range(5000)]
    place = Place(0).after(crowd)

    assert len(place.recent) == 200
    assert not any(map(place.is_new, crowd))


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
