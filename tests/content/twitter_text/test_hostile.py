"""Whatever comes, it is read in the time that its length asks for: the patterns of the reference take seconds."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content.split import split
from convergekit.content.twitter_text import entities, is_url, parse, replied_to, weighted_length

SIZE = 60_000


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a",
            ".",
            "a.",
            "a.co",
            "a.co.",
            "a.co ",
            "..co",
            "a..co",
            "_a.",
            "a-.",
            "日.",
            "日",
            "日.co",
            "a.co日_.",
            "xn--a.",
        ),
        *(
            "a.co/(",
            "a.co/((",
            "a.co/a!",
            "a.co/!(a)",
            "a.co?a.",
            "http://a.",
            "http://",
            "(",
            "x@a.co日_",
            "x" * 64 + ".co ",
        ),
        *(
            "@",
            "@a",
            "@a/",
            "RT@",
            "#",
            "#1",
            "#a#",
            "1",
            "$",
            "$a ",
            "e\u0301",
            "\u0301",
            "\ud800",
            "\uffff",
            "\u200b",
        ),
        *("👨\u200d", "👨\u200d👩\u200d👧\u200d👦", "🇩", "👍🏽", "1\ufe0f", "a.co/1\u20e3", "\u1100"),
    ],
)
def test_time_is_linear(unit: str) -> None:
    """Ten times the text takes about ten times the time; what is quadratic takes a hundred times.

    What stands at both ends makes patterns begin everywhere, and fail at the end only.
    """
    text = "x.co" + unit * (SIZE // len(unit)) + "_"
    short = text[: SIZE // 10] + "_"

    assert seconds(text) < 30 * seconds(short) + 0.2


def seconds(text: str) -> float:
    """Of this process alone, whatever else the machine has to do."""
    start = process_time()
    assert parse(text).length == weighted_length(text)
    entities(text)
    replied_to(text)
    is_url(text)
    return process_time() - start


@pytest.mark.parametrize(
    "unit", ["a.co", "a.co日", "x@a.co.", "日.co_", "a.co ", "👍🏽", "e\u0301", "#a", "http://a.co/a"]
)
def test_splitting_it_is_linear_too(unit: str) -> None:
    parts = split(unit * (SIZE // len(unit)), 280, "weighted")

    assert all(weighted_length(part) <= 280 for part in parts)


@given(st.text(st.characters(), max_size=60))
def test_any_string_is_read(text: str) -> None:
    """Lone surrogates among them."""
    assert parse(text).length == weighted_length(text)
    entities(text)
