import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import Unit, length
from convergekit.content.measure import fitting, searched

from .strategies import texts

UNITS = st.sampled_from(["codepoint", "utf16", "byte", "gsm7"])


@pytest.mark.parametrize(
    ("unit", "expected"), [("codepoint", 3), ("utf16", 4), ("byte", 7), ("gsm7", 9), ("weighted", 4)]
)
def test_length_is_in_the_unit_of_the_medium(unit: Unit, expected: int) -> None:
    assert length("aä😀", unit) == expected


@given(texts, UNITS, st.integers(1, 50), st.data())
def test_what_fits_is_the_most_that_fits(text: str, unit: Unit, limit: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = fitting(text, limit, unit)(start)

    assert length(text[start:end], unit) <= limit
    assert end == len(text) or length(text[start : end + 1], unit) > limit


@given(texts, UNITS, st.integers(2, 50), st.integers(1, 100))
def test_searching_finds_what_counting_finds(text: str, unit: Unit, limit: int, guess: int) -> None:
    found = searched(len(text), guess, lambda start, end: length(text[start:end], unit) <= limit)

    assert found(0) == fitting(text, limit, unit)(0)
