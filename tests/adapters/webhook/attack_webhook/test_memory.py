"""What stays in memory of what strangers say."""

from __future__ import annotations

from convergekit.abc import Lane
from convergekit.stores.sql import rows, said


def test_long_names_of_strangers_are_not_remembered() -> None:
    """A thread of eight thousand characters, another for each message, would stay there sixty thousand times."""
    before = rows._hashed.cache_info().currsize, said._topic.cache_info().currsize
    rows.lane_key(Lane("in", "hooks", "z" * 513, "normal"))
    rows.address_key("hooks", "z" * 513)
    said.topic("conversation", "z" * 513)
    assert (rows._hashed.cache_info().currsize, said._topic.cache_info().currsize) == before
