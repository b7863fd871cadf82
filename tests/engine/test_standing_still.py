"""A process that stands still for longer than its lease: whoever took over is not disturbed when it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit import Hub, MemoryStore, MessageReceived, Status
from convergekit.abc import Claim
from convergekit.errors import ConfigurationError
from convergekit.model import DeliveryState, Dispatch
from convergekit.testing import FakeClock

pytestmark = pytest.mark.anyio

ANN = "loopback:ann"
LONG = 1000.0


class StandsStill(MemoryStore):
    """A ledger whose answer to one question is read only after a long time.

    Args:
        clock: On which that time passes.
        when: Which answer.
    """

    def __init__(self, clock: FakeClock, when: Any) -> None:
        super().__init__()
        self._clock_of_all = clock
        self._when = when

    def _stands(self, answer: Any) -> None:
        if self._when(answer):
            self._clock_of_all.advance(LONG)

    async def claim(self, *args: Any, **options: Any) -> Claim:
        claim = await super().claim(*args, **options)
        self._stands(claim)
        return claim

    async def find(self, *args: Any, **options: Any) -> tuple[str, str] | None:
        found = await super().find(*args, **options)
        self._stands("found")
        return found

    async def save(self, dispatch: Dispatch, **options: Any) -> Dispatch | None:
        saved = await super().save(dispatch, **options)
        self._stands(saved)
        return saved


async def test_what_was_claimed_long_ago_is_not_begun(bench: Any) -> None:
    """Its handler would run beside that of whoever has the lane now; it is claimed again first."""
    clock = FakeClock()
    claims: list[Claim] = []
    begun_after: list[int] = []

    def inbound(answer: Any) -> bool:
        found = isinstance(answer, Claim) and any(lease.entry is not None for lease in answer.leases)
        claims.extend([answer] if found else [])
        return found and len(claims) == 1

    async with bench(clock=clock, store=StandsStill(clock, inbound)) as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            begun_after.append(len(claims))

        medium = await b.add()
        medium.say(text="hello", sender=ANN)
        await b.settle()
        await b.pass_time(10)

    assert len(begun_after) == 1
    assert begun_after[0] > 1


async def test_what_was_looked_at_long_ago_is_not_handled(bench: Any) -> None:
    """What the engine itself does about an event comes before its handler, and takes its time."""
    clock = FakeClock()
    looks: list[str] = []
    begun: list[int] = []

    def first_look(answer: Any) -> bool:
        looks.extend([answer] if answer == "found" else [])
        return answer == "found" and len(looks) == 1

    async with bench(clock=clock, store=StandsStill(clock, first_look)) as b:

        @b.hub.on_message
        async def handle(message: MessageReceived) -> None:
            begun.append(len(looks))

        medium = await b.add()
        medium.say(text="hello", sender=ANN, reply_to="m1")
        await b.settle()
        await b.pass_time(10)

    assert begun == [2]


def marked_once() -> Any:
    """For the first mark of a part that is about to be sent."""
    marks: list[Dispatch] = []

    def when(answer: Any) -> bool:
        is_mark = isinstance(answer, Dispatch) and answer.deliveries[0].state is DeliveryState.SENDING
        marks.extend([answer] if is_mark else [])
        return is_mark and len(marks) == 1

    return when


async def test_what_was_marked_long_ago_is_not_sent_but_claimed_again(bench: Any) -> None:
    """Nobody has come meanwhile, and nothing has left: that is certain, so it is sent now."""
    clock = FakeClock()
    async with bench(clock=clock, store=StandsStill(clock, marked_once())) as b:
        medium = await b.add()
        sent = await b.hub.submit("hello", to=ANN)
        await b.settle()
        assert medium.sent == []
        await b.pass_time(10)

    assert medium.texts() == ["hello"]
    assert sent.status is Status.ACCEPTED


async def test_a_lease_that_a_send_may_outlast_is_refused() -> None:
    """Where it cannot be renewed, another worker would take over what is still being sent."""
    with pytest.raises(ConfigurationError, match=r"'loop': a send of loopback may take 60 s.*Hub\(lease=\.\.\.\)"):
        await Hub(store="memory:", lease=60).add_channel("loop", {"adapter": "loopback"})

    await Hub(store="memory:", lease=61).add_channel("loop", {"adapter": "loopback"})
    await Hub(store="memory:", lease=1, role="submit").add_channel("loop", {"adapter": "loopback"})
