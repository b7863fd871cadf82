"""Where reading goes on, whatever becomes of the UIDs."""

import json
from datetime import UTC, datetime

import pytest

from convergekit.adapters.email.imap.cursor import First, Place

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("first", ["all", "unseen", "new"])
def test_a_place_is_the_same_after_it_was_stored(first: First) -> None:
    place = Place.at_first(7, 40, first, NOW).under(8, 30).past(12, [11, 12])
    assert Place.from_value(json.loads(json.dumps(place.to_value()))) == place


def test_a_cursor_that_says_only_where_we_are_is_understood() -> None:
    assert Place.from_value({"uidvalidity": 7, "uid": 12}) == Place(7, 12)
    assert Place.from_value(None) is None


def test_the_last_mail_is_not_new_because_the_server_always_finds_it() -> None:
    """`UID SEARCH n:*` finds the last mail also where n is beyond it."""
    assert Place(7, 12).new([12]) == []
    assert Place(7, 12).new([15, 12, 13, 13, 2**40, 0]) == [13, 15]


def test_all_is_read_from_the_start() -> None:
    assert Place.at_first(7, 40, "all", NOW).criteria == "UID 1:*"


def test_of_what_was_there_before_us_only_the_unseen_is_read() -> None:
    place = Place.at_first(7, 40, "unseen", NOW)
    assert place.criteria == "UID 1:* OR UNSEEN NOT UID 1:40"


def test_that_holds_from_one_process_to_the_next() -> None:
    """A crash in the middle of the first reading does not have the rest read whole."""
    place = Place.from_value(Place.at_first(7, 40, "unseen", NOW).past(20, []).to_value())
    assert place is not None
    assert place.criteria == "UID 21:* OR UNSEEN NOT UID 1:40"


def test_and_what_comes_later_is_read_seen_or_not() -> None:
    assert Place.at_first(7, 40, "unseen", NOW).past(40, []).criteria == "UID 41:*"


def test_new_begins_behind_what_is_there() -> None:
    assert Place.at_first(7, 40, "new", NOW).criteria == "UID 41:*"


def test_other_uids_are_read_from_the_start_and_nothing_is_done_to_them() -> None:
    """UIDs of before name other mail now."""
    place = Place(7, 40, (39, 40)).under(8, 50)
    assert (place.uidvalidity, place.criteria, place.unsettled) == (8, "UID 1:*", ())


def test_the_same_uids_go_on() -> None:
    assert Place(7, 40, (39, 40)).under(7, 50) == Place(7, 40, (39, 40))


def test_old_mail_that_was_left_out_stays_so_when_the_uids_change() -> None:
    """Ten thousand people would be answered who wrote before we were there."""
    assert Place.at_first(7, 40, "new", NOW).under(8, 50).criteria == "UID 1:* OR SINCE 28-Feb-2026 NOT UID 1:50"
    again = Place.at_first(7, 40, "unseen", NOW).under(8, 50)
    assert again.criteria == "UID 1:* OR (OR UNSEEN SINCE 28-Feb-2026) NOT UID 1:50"
