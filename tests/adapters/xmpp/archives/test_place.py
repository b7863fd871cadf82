"""Where we are in an archive."""

from datetime import UTC, datetime

import pytest

from convergekit.abc import Cursor
from convergekit.adapters.xmpp.archives import Place, Places

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize("place", [Place(), Place("a1"), Place(None, AT), Place("a1", AT)])
def test_it_is_stored_and_read(place: Place) -> None:
    assert Place.from_value(place.to_value()) == place


@pytest.mark.parametrize("value", [None, "a1", 5, []])
def test_what_is_no_place_is_none(value: object) -> None:
    assert Place.from_value(value) is None


def test_what_is_damaged_is_the_beginning() -> None:
    assert Place.from_value({"id": 5, "at": "yesterday"}) == Place()


def test_only_what_is_live_moves() -> None:
    places = Places()
    places.move("a", Place("1"))
    places.go_live("a")
    places.move("a", Place("2"))
    places.move("a", Place("3"))

    assert places.next() == Cursor(Place("3").to_value(), "a")
    assert places.next() is None


def test_each_feed_has_its_turn() -> None:
    places = Places()
    places.go_live("a")
    places.go_live("b")
    for number in range(3):
        places.move("a", Place(f"a{number}"))
        places.move("b", Place(f"b{number}"))

    turns = [places.next(), places.next(), places.next()]

    assert [None if each is None else each.feed for each in turns] == ["a", "b", None]


def test_where_something_older_may_be_missing_nothing_is_stored() -> None:
    places = Places()
    places.go_live("a")
    places.move("a", Place("1"))

    places.stop("a")

    assert places.next() is None
    assert not places.is_live("a")
