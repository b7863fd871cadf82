"""Whether X is believed to tell us at once."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from convergekit.adapters.x.activity import Pulse
from convergekit.model import MessageReceived
from convergekit.testing import FakeContext

pytestmark = pytest.mark.anyio

POST = MessageReceived(key="post:5", sender="x:7", text="hi")
DIRECT = MessageReceived(key="dm:5", sender="x:7", text="hi")


async def test_it_is_not_believed_before_it_is_up() -> None:
    pulse = Pulse(FakeContext())

    assert not pulse.is_alive
    pulse.up()
    assert pulse.is_alive
    pulse.down("gone")
    assert (pulse.is_alive, pulse.trouble) == (False, "gone")


async def test_what_was_told_to_another_process_was_told() -> None:
    """The process that is called need not be the one that polls."""
    context = FakeContext()
    polls, called = Pulse(context), Pulse(context)
    polls.up()
    context.clock.advance(300)
    at = context.clock.now()
    await called.heard([POST])
    context.clock.advance(300)

    await polls.found("post", at)

    assert polls.is_alive


async def test_one_kind_says_nothing_of_the_other_for_each_is_subscribed_to_by_itself() -> None:
    context = FakeContext()
    pulse = Pulse(context)
    pulse.up()
    context.clock.advance(300)
    at = context.clock.now()
    context.clock.advance(200)
    await pulse.heard([DIRECT])
    context.clock.advance(100)

    await pulse.found("post", at)

    assert not pulse.is_alive
    assert pulse.silent_since == at


@pytest.mark.parametrize("ago", [30, 700])
async def test_what_is_just_on_its_way_or_from_before_is_no_reason(ago: float) -> None:
    context = FakeContext()
    context.clock.advance(1000)
    pulse = Pulse(context)
    pulse.up()
    context.clock.advance(600)

    await pulse.found("post", context.clock.now() - timedelta(seconds=ago))

    assert pulse.is_alive


async def test_distrust_ends_when_it_speaks_and_after_an_hour() -> None:
    context = FakeContext()
    pulse = Pulse(context)
    pulse.up()
    context.clock.advance(600)
    await pulse.found("post", context.clock.now() - timedelta(seconds=300))
    assert not pulse.is_alive

    await pulse.heard([DIRECT])
    assert not pulse.is_alive
    await pulse.heard([POST])
    assert pulse.is_alive

    context.clock.advance(600)
    await pulse.found("post", context.clock.now() - timedelta(seconds=300))
    assert not pulse.is_alive
    context.clock.advance(3600)
    assert pulse.is_alive


async def test_that_it_was_heard_is_written_once_a_minute_and_not_with_each_call() -> None:
    context = FakeContext()
    pulse = Pulse(context)
    await pulse.heard([POST])
    first = await context.state.get("heard")
    for _ in range(20):
        context.clock.advance(2)
        await pulse.heard([POST])
    assert await context.state.get("heard") == first

    context.clock.advance(60)
    await pulse.heard([POST])
    assert await context.state.get("heard") != first


async def test_who_rests_is_woken_where_somebody_should_have_a_look() -> None:
    context = FakeContext()
    pulse = Pulse(context)
    pulse.up()
    context.clock.advance(600)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pulse.rest, 10_000.0)
            await anyio.wait_all_tasks_blocked()
            await pulse.found("post", context.clock.now() - timedelta(seconds=300))
