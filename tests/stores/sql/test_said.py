"""What PostgreSQL is handed to search by."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from convergekit.stores.sql import said

WORDS = st.lists(st.sampled_from(["a", "parcel", "包", "裹", "é"]), max_size=400)


@given(WORDS)
def test_a_short_message_is_written_as_a_long_one_is(words: list[str]) -> None:
    assert said.vector(words) == said._long_vector(words)


def test_a_message_that_may_meet_a_limit_is_written_with_care() -> None:
    many = [f"word{number}" for number in range(20_000)]

    written = said.vector(many)

    assert written is not None
    assert written.endswith(f"'word19999':{said._PLACES}")


def test_no_words_are_no_vector() -> None:
    assert said.vector([]) is None
