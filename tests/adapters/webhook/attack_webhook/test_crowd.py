"""Thousands of messages that wait for one endpoint, and what that costs all others."""

from __future__ import annotations

from random import Random

import pytest

from convergekit.adapters.webhook.endpoints import EndpointState
from convergekit.errors import ThrottledError, UncertainError
from convergekit.testing import FakeClock


def put_off(state: EndpointState, messages: int) -> list[float]:
    found = []
    for _ in range(messages):
        with pytest.raises(ThrottledError) as caught:
            state.check()
        found.append(caught.value.retry_after)
    return sorted(found)


def test_a_crowd_does_not_come_back_at_once_nor_look_every_few_seconds_while_one_asks() -> None:
    """Three thousand of them kept the ledger busy for all of the time that a request which hangs may take."""
    clock, random = FakeClock(), Random(7)
    state = EndpointState(1, clock, random.random)
    with pytest.raises(UncertainError), state:
        raise UncertainError("lost")
    waits = put_off(state, 3000)
    assert waits[0] >= 30
    assert max(sum(start <= wait < start + 1 for wait in waits) for start in range(30, 60)) <= 250

    clock.advance(30)
    with state:
        assert put_off(state, 3000)[0] >= 20, "as long as one request may take"
    with state:
        pass
    with pytest.raises(UncertainError), state:
        raise UncertainError("lost")
    assert put_off(state, 1)[0] <= 36, "once it was there, nobody waits for who came before"
