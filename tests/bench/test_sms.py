"""The benchmark of SMS does the same work on both sides, and says what it promises to say."""

from __future__ import annotations

import pytest

from bench.sms import SMS, callbacks
from bench.sms.bodies import CALLS, Call
from tests.bench.running import figures


def test_each_part_runs_and_says_what_it_found() -> None:
    assert figures(*(f"sms.{part}" for part in SMS))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.title)
def test_what_is_read_for_one_gateway_alone_is_read_by_its_profile_too(call: Call) -> None:
    """Each body is an event, or as many as it has; and a host's own model finds nothing wrong with it."""
    callbacks.check(call, call.bodies(5))
