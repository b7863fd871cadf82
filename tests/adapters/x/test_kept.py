"""What stands in the channel's state is read as what it should be, or as nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from convergekit.adapters.x.kept import kept_moment


def test_a_moment_is_read_as_it_was_written() -> None:
    now = datetime(2026, 11, 22, 18, 5, 7, 250_000, tzinfo=UTC)

    assert kept_moment(now.isoformat()) == now


@pytest.mark.parametrize("said", [None, 5, [], {}, "", "soon", "2026-11-22", "2026-11-22T18:05:07"])
def test_what_is_no_moment_or_names_no_zone_is_none(said: Any) -> None:
    assert kept_moment(said) is None
