"""What text costs in an SMS: 3GPP TS 23.038."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import gsm7, length

from .strategies import texts

ALPHABET = st.text(st.sampled_from(gsm7.BASIC + gsm7.EXTENSION), max_size=400)


def test_the_alphabet_is_complete() -> None:
    """127 characters and ESC; ten in the extension table."""
    assert len(set(gsm7.BASIC)) == len(gsm7.BASIC) == 127
    assert len(set(gsm7.EXTENSION)) == len(gsm7.EXTENSION) == 10
    assert not set(gsm7.BASIC) & set(gsm7.EXTENSION)


@pytest.mark.parametrize("text", ["ç", "`", "\t", "\u00a0", "“", "é".encode().decode("latin-1"), "e\u0301", "😀"])
def test_what_looks_at_home_but_is_not_in_the_alphabet(text: str) -> None:
    assert gsm7.septets(text) is None


@pytest.mark.parametrize(
    ("text", "units"),
    [("a" * 160, 160), ("€" * 80, 160), ("я" * 70, 160), ("я" * 71, 162), ("я" * 67, 153), ("я" * 66, 150)],
)
def test_units_compare_both_alphabets(text: str, units: int) -> None:
    assert length(text, "gsm7") == units


@pytest.mark.parametrize("count", range(1, 11))
def test_so_many_segments_hold_what_the_standard_says(count: int) -> None:
    """A limit of n times 153 septets never lets more UCS-2 pass than n segments hold, and wastes at most one unit."""
    fitting = gsm7.longest_prefix("я" * 700, 0, 153 * count)

    assert 67 * count - 1 <= fitting <= 67 * count


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("я" * 70, 1),
        ("я" * 71, 2),
        ("я" * 134, 2),
        ("я" * 135, 3),
        ("a" * 152 + "€" + "a" * 152, 3),  # ESC and its character stay together: one septet is wasted, 307 in all
        ("a" * 152 + "€" + "a" * 151, 2),
        ("я" * 66 + "😀" + "я" * 66, 3),  # and so do the halves of a surrogate pair
        ("я" * 66 + "👍🏽" + "я" * 64, 3),
        ("a" + "\u0301" * 200, 3),  # a cluster larger than a segment goes on in the next
    ],
)
def test_segments(text: str, segments: int) -> None:
    assert gsm7.segments(text) == segments


@given(st.one_of(texts, ALPHABET, st.tuples(ALPHABET, texts).map("".join)), st.integers(3, 200))
def test_the_longest_prefix_fits_and_so_do_all_shorter_ones(text: str, limit: int) -> None:
    end = gsm7.longest_prefix(text, 0, limit)

    assert all(gsm7.units(text[:shorter]) <= limit for shorter in range(end + 1))
    assert end == len(text) or gsm7.units(text[: end + 1]) > limit
