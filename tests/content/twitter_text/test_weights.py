"""What a text weighs on X, in whatever form it comes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content.twitter_text import parse, utf16_index, weighted_length
from convergekit.content.twitter_text._weights import sums

from .strategies import posts


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0),
        ("hello", 5),
        ("Grüße", 5),
        ("Здравствуйте", 12),
        ("สวัสดี", 6),
        ("“quoted” — so", 13),
        ("…", 2),
        ("€", 2),
        ("→", 2),
        ("日本", 4),
        ("\ud800", 2),
        ("e\u0301", 1),
        ("\u1112\u1161\u11ab", 2),
        ("example.com", 23),
        ("https://example.com/" + "a" * 1000, 23),
        ("see example.com, a.co", 4 + 23 + 2 + 23),
        ("example.comfoo", 14),
        ("example.com日本", 27),
        ("name@example.com", 16),
        ("file.txt", 8),
    ],
)
def test_what_a_text_weighs(text: str, weight: int) -> None:
    assert weighted_length(text) == weight


@pytest.mark.parametrize(
    "emoji",
    [
        *("😀", "☺", "☺\ufe0f", "❤\ufe0f", "⭐\ufe0f", "©\ufe0f", "1\ufe0f\u20e3", "#\u20e3", "🇩🇪", "👍🏽", "☝🏿"),
        *(
            "👨\u200d👩\u200d👧\u200d👦",
            "👩🏽\u200d💻",
            "🏃🏿\u200d♀\ufe0f\u200d➡\ufe0f",
            "🏳\ufe0f\u200d🌈",
            "🧑🏻\u200d🤝\u200d🧑🏿",
        ),
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ],
)
def test_any_emoji_weighs_two(emoji: str) -> None:
    assert weighted_length(emoji) == 2
    assert weighted_length(f"a{emoji}b{emoji}") == 6


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("🇽🇽", 4),  # no region
        ("🐱🏽", 4),  # cats have no tones of skin
        ("😀\ufe0f", 4),
        ("👨\u200d👨\u200d👨", 8),  # no family that anybody draws
        ("🏃\u200d♀", 5),  # not fully qualified
        ("1\ufe0f", 3),
        ("©", 1),
        ("#", 1),
    ],
)
def test_what_only_looks_like_an_emoji_weighs_what_it_is_made_of(text: str, weight: int) -> None:
    """Rather more than X counts than less: what weighs too much there is refused."""
    assert weighted_length(text) == weight


def test_emoji_may_be_counted_as_they_once_were() -> None:
    assert weighted_length("👍🏽", emoji=False) == 4


def test_an_emoji_inside_a_url_is_a_part_of_it() -> None:
    assert weighted_length("https://example.com/1\ufe0f\u20e3") == 23 + 2 + 2


@given(posts)
def test_the_form_of_composition_does_not_matter(text: str) -> None:
    assert weighted_length(unicodedata.normalize("NFD", text)) == weighted_length(unicodedata.normalize("NFC", text))


@given(posts)
def test_what_is_counted_at_once_and_position_by_position_is_the_same(text: str) -> None:
    total = sums(text)

    assert len(total) == len(text) + 1
    assert total == sorted(total)
    assert total[-1] == weighted_length(text) == parse(text).length


@given(posts, st.integers(1, 60))
def test_what_may_be_posted_is_a_beginning_that_weighs_at_most_the_limit(text: str, limit: int) -> None:
    found = parse(text, limit=limit)
    start, end = found.valid_range

    assert start == 0
    assert sums(text)[end] <= limit
    assert found.valid == (end == len(text) > 0)
    assert found.display_range == (0, len(text))
    assert found.permillage == found.length * 1000 // limit


@pytest.mark.parametrize("character", ["\ufffe", "\ufeff", "\uffff"])
def test_some_characters_are_not_to_be_posted(character: str) -> None:
    found = parse(f"ab{character}c")

    assert not found.valid
    assert found.valid_range == (0, 2)
    assert found.length == 5


def test_nothing_is_no_post() -> None:
    assert parse("") == (0, 0, False, (0, 0), (0, 0))


def test_a_long_post_has_a_limit_of_its_own() -> None:
    assert not parse("a" * 281).valid
    assert parse("a" * 281, limit=25_000).valid


def test_a_composed_character_is_in_the_range_as_a_whole() -> None:
    """Here two code points, that X makes one of."""
    assert parse("e\u0301" * 300).valid_range == (0, 560)


@pytest.mark.parametrize(("index", "expected"), [(0, 0), (1, 1), (2, 3), (3, 4)])
def test_an_index_in_utf_16(index: int, expected: int) -> None:
    assert utf16_index("a😀\ud800", index) == expected
