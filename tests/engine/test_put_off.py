"""What an adapter puts off without asking the medium: there was no attempt."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit import Status
from convergekit.abc import Outgoing
from convergekit.errors import NotSentError, ThrottledError
from convergekit.model import DispatchState
from tests.engine.kit import ProbeConfig

pytestmark = pytest.mark.anyio


async def test_it_waits_says_why_and_has_all_its_attempts(bench: Any) -> None:
    attempts: list[int] = []
    answers: list[Exception | None] = [
        *[ThrottledError("left alone", retry_after=10, scope="conversation", asked=False)] * 60,
        NotSentError("busy"),
        ThrottledError("left alone", retry_after=10, scope="conversation", asked=False),
        None,
    ]

    async def sending(out: Outgoing) -> None:
        attempts.append(out.attempt)
        if (answer := answers.pop(0)) is not None:
            raise answer

    async with bench() as b:
        await b.hub.add_channel("line", ProbeConfig(), sending=sending)
        handle = await b.hub.submit("hello", to="probe:ann")
        await b.settle()
        assert (handle.state, handle.status, handle.reason) == (
            DispatchState.PENDING,
            Status.QUEUED,
            "line: left alone",
        )
        assert handle.deliveries[0].history == ()
        await b.pass_time(700, step=10)
        (delivery,) = handle.deliveries
        assert handle.status is Status.ACCEPTED
        assert [each.outcome for each in delivery.history] == ["not_sent", "accepted"]
        assert delivery.attempts == 1
        assert attempts == [1] * 61 + [2, 2]
