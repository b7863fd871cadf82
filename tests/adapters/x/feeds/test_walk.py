"""The way back through a feed: what is taken, in which order, and when it ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.feeds.walk import Walk, pages
from convergekit.errors import InvalidInputError


def page(ids: Iterable[object], token: str | None = None, **beside: Any) -> dict[str, Any]:
    data = [{"id": str(each)} if isinstance(each, int) else each for each in ids]
    meta: dict[str, Any] = {"result_count": len(data)} | ({"next_token": token} if token else {})
    return {"data": data, "meta": meta, **beside}


def walked(since: int, *taken: Any, most_pages: int = 16, shown: int | None = 800) -> Walk:
    walk = Walk(since, most_pages=most_pages, shown=shown)
    for each in taken:
        walk.take(each)
    return walk


def ids(walk: Walk, since: int = 0, most: int = 100) -> list[int]:
    return [item.id for item in walk.new(lambda id: id > since, most)]


def test_pages_are_walked_back_and_handed_on_oldest_first() -> None:
    walk = walked(0, page([9, 8, 7], "a"), page([6, 5]))

    assert walk.is_done
    assert ids(walk) == [5, 6, 7, 8, 9]


def test_it_ends_where_it_meets_what_is_known_though_there_are_more_pages() -> None:
    walk = walked(7, page([9, 8, 7], "more"))

    assert walk.is_done
    assert walk.has_met
    assert walk.cut is None
    assert ids(walk) == [8, 9]


def test_ids_are_put_in_order_as_numbers() -> None:
    assert ids(walked(0, page([10_000, 9_999]))) == [9_999, 10_000]


def test_an_empty_page_with_a_token_is_not_the_last() -> None:
    walk = walked(1, page([], "a"))
    assert not walk.is_done
    assert walk.token == "a"

    walk.take(page([5]))

    assert walk.is_done
    assert ids(walk) == [5]


def test_what_has_shifted_to_the_next_page_is_there_once() -> None:
    walk = walked(0, page([9, 8, 7], "a"), page([8, 7, 6]))

    assert ids(walk) == [6, 7, 8, 9]


def test_a_token_that_comes_twice_ends_it_with_a_gap() -> None:
    walk = walked(1, page([9], "a"), page([8], "b"), page([7], "a"))

    assert walk.is_done
    assert walk.cut is not None


def test_tokens_without_end_end_with_a_gap() -> None:
    walk = walked(1, *(page([100 - number], f"t{number}") for number in range(5)), most_pages=5)

    assert walk.is_done
    assert walk.cut is not None
    assert len(ids(walk)) == 5


def test_all_that_x_shows_is_a_gap_where_what_is_known_was_not_met() -> None:
    full = [page(range(2000 - 100 * n, 1900 - 100 * n, -1), f"t{n}" if n < 7 else None) for n in range(8)]

    assert walked(1, *full).cut == "X shows no more than the newest 800"
    assert walked(0, *full).cut is None  # nothing was known, so nothing is missing
    assert walked(1, *full[:3], page([3])).cut is None
    assert walked(1201, *full).cut is None


def test_what_has_no_id_is_kept_where_it_stood() -> None:
    walk = walked(0, page([9, {"text": "?"}, 7, "nonsense"], "a"), page([None, 5]))

    assert [item.raw for item in walk.new(lambda id: True)] == [
        {"id": "5"},
        None,
        "nonsense",
        {"id": "7"},
        {"text": "?"},
        {"id": "9"},
    ]
    assert [item.id for item in walk.new(lambda id: True)] == [5, 7, 7, 7, 9, 9]


def test_a_slice_does_not_part_what_stands_under_one_id() -> None:
    walk = walked(0, page([9, "?", "??", 8]))

    assert ids(walk, most=2) == [8, 9, 9, 9]


def test_it_goes_on_after_what_was_handed_on() -> None:
    walk = walked(0, page(range(9, 0, -1)))

    assert ids(walk, most=4) == [1, 2, 3, 4]
    assert ids(walk, 4, 4) == [5, 6, 7, 8]
    assert ids(walk, 8) == [9]
    assert ids(walk, 9) == []


@pytest.mark.parametrize("answer", [None, [], "x", {}, {"data": "x"}, {"data": None, "meta": {}}, {"errors": [{}]}])
def test_what_is_no_page_changes_nothing(answer: Any) -> None:
    walk = walked(0, page([9], "a"))

    with pytest.raises(InvalidInputError):
        walk.take(answer)

    assert (walk.pages, walk.token, walk.is_done) == (1, "a", False)


def test_a_feed_with_nothing_in_it_has_no_data() -> None:
    walk = walked(5, {"meta": {"result_count": 0}})

    assert walk.is_done
    assert ids(walk) == []


def test_pages_are_put_together_again_with_what_they_tell_beside() -> None:
    walk = walked(0, page([9, 8], "a", includes={"users": [1]}), page([7], includes={"users": [2]}))

    assert list(pages(walk.new(lambda id: True))) == [
        {"data": [{"id": "7"}], "includes": {"users": [2]}},
        {"data": [{"id": "8"}, {"id": "9"}], "includes": {"users": [1]}},
    ]


@given(
    st.lists(st.integers(1, 300), unique=True, max_size=60),
    st.integers(0, 300),
    st.integers(1, 10),
    st.integers(0, 5),
)
def test_nothing_is_lost_and_nothing_doubled_however_pages_are_cut(
    present: list[int], since: int, size: int, shift: int
) -> None:
    """New items push what is there into the pages behind, so that each page may begin with what the last ended with."""
    newest_first = sorted(present, reverse=True)
    walk = Walk(since, most_pages=200)
    start = 0
    while not walk.is_done:
        end = start + size
        walk.take(page(newest_first[max(0, start - shift) : end], f"t{end}" if end < len(newest_first) else None))
        start = end

    assert ids(walk, since, 1000) == sorted(each for each in present if each > since)
    assert walk.cut is None
