"""What has an order key goes one by one: whatever waits, fails, is given up or dies, the next one comes after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from convergekit import ChannelOptions, Hub, MemoryStore, Message
from convergekit.abc import Outgoing
from convergekit.errors import NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.model import Capabilities, DeliveryState, Status, TextLimit
from convergekit.testing import FakeClock
from tests.engine.kit import Probe, ProbeConfig

pytestmark = pytest.mark.anyio

ANN = "probe:ann"
BOB = "probe:bob"


class Short(Probe):
    """Longer texts become several parts."""

    capabilities = Capabilities(text=TextLimit(max=10))


class Line:
    """The far side: what came, in order, and what it answers to which text."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.asked: list[str] = []
        self.answers: dict[str, BaseException] = {}

    async def sending(self, out: Outgoing) -> None:
        self.asked.append(out.text)
        if (error := self.answers.get(out.text)) is not None:
            raise error
        self.taken.append(out.text)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, quick_path: Path) -> Callable[[], Any]:
    """Makes a store; all that one test makes hold the same ledger."""
    if request.param == "memory":
        ledger = MemoryStore()
        return lambda: ledger
    return lambda: f"sqlite:///{quick_path}/ledger.db"


@pytest.fixture
def opened(bench: Any, store: Callable[[], Any]) -> Callable[..., Any]:
    """Opens a hub with one channel, "line"."""

    async def enter(stack: AsyncExitStack, line: Line, **more: Any) -> Any:
        adapter, options = more.pop("adapter", Probe), more.pop("options", None)
        b = await stack.enter_async_context(bench(store=store(), **more))
        await b.hub.add_channel("line", ProbeConfig(), adapter=adapter, sending=line.sending, options=options)
        return b

    return enter


def said(text: str, key: str | None = "order-1", **more: Any) -> Message:
    return Message(text, order_key=key, **more)


async def test_nothing_overtakes_what_waits_for_its_retry_and_nothing_else_waits_for_it(opened: Any) -> None:
    """However long it takes: a lane without a key lets others pass after a minute."""
    line = Line()
    line.answers["1"] = NotSentError("busy")
    async with AsyncExitStack() as stack:
        b = await opened(stack, line, options=ChannelOptions(hold=0, attempts=50))
        for message in (said("1"), said("2"), said("3", "order-2"), said("4", None), said("5")):
            await b.hub.submit(message, to=ANN)
        await b.hub.submit(said("6"), to=BOB)
        await b.settle()
        assert sorted(line.taken) == ["3", "4", "6"]

        await b.pass_time(1800, step=60)
        assert sorted(line.taken) == ["3", "4", "6"]
        assert set(line.asked) == {"1", "3", "4", "6"}

        del line.answers["1"]
        await b.pass_time(60)
        assert line.taken[3:] == ["1", "2", "5"]


async def test_urgency_does_not_break_the_order(opened: Any) -> None:
    line = Line()
    line.answers["normal"] = NotSentError("busy")
    async with AsyncExitStack() as stack:
        b = await opened(stack, line)
        await b.hub.submit(said("normal"), to=ANN)
        await b.hub.submit(said("urgent", importance="urgent"), to=ANN)
        await b.hub.submit(said("bulk", importance="bulk"), to=ANN)
        await b.settle()
        del line.answers["normal"]
        await b.pass_time(2)

    assert line.taken == ["normal", "urgent", "bulk"]


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (RejectedError("no"), DeliveryState.CLOSED),
        (NotSentError("busy"), DeliveryState.DEAD),
        (UncertainError("lost"), DeliveryState.UNKNOWN),
    ],
)
async def test_what_was_given_up_lets_the_next_go(opened: Any, error: Exception, ends: DeliveryState) -> None:
    line = Line()
    line.answers["1"] = error
    async with AsyncExitStack() as stack:
        b = await opened(stack, line)
        first = await b.hub.submit(said("1"), to=ANN)
        await b.hub.submit(said("2"), to=ANN)
        await b.settle()
        await b.pass_time(100, step=10)
        assert first.deliveries[0].state is ends

    assert line.taken == ["2"]


async def test_what_was_cancelled_lets_the_next_go(opened: Any) -> None:
    line = Line()
    line.answers["1"] = ThrottledError("slow", retry_after=10_000, scope="conversation")
    async with AsyncExitStack() as stack:
        b = await opened(stack, line)
        first = await b.hub.submit(said("1"), to=ANN)
        await b.hub.submit(said("2"), to=ANN)
        await b.settle()
        assert line.taken == []
        assert await first.cancel()
        await b.settle()
        assert line.taken == ["2"]


async def test_what_expires_while_it_waits_lets_the_next_go_then(opened: Any) -> None:
    """Not when its next attempt would have been due."""
    line = Line()
    line.answers["1"] = ThrottledError("slow", retry_after=10_000, scope="conversation")
    async with AsyncExitStack() as stack:
        b = await opened(stack, line)
        first = await b.hub.submit(said("1", expires_at=b.clock.now() + timedelta(seconds=60)), to=ANN)
        second = await b.hub.submit(said("2"), to=ANN)
        await b.pass_time(59, step=59)
        assert line.taken == []
        await b.pass_time(2)
        await second.wait()
        assert (line.taken, first.state) == (["2"], "expired")


async def test_the_parts_of_a_message_stand_together(opened: Any) -> None:
    line = Line()
    async with AsyncExitStack() as stack:
        b = await opened(stack, line, adapter=Short)
        line.answers["dddd"] = NotSentError("busy")
        await b.hub.submit(said("aaaa bbbb cccc dddd eeee"), to=ANN)
        await b.hub.submit(said("next"), to=ANN)
        await b.settle()
        before = list(line.taken)
        line.answers.clear()
        await b.pass_time(2)

    assert before == line.taken[: len(before)]
    assert line.taken[-1] == "next"
    assert " ".join(line.taken) == "aaaa bbbb cccc dddd eeee next"


async def test_what_is_scheduled_stands_in_line_from_then_on(opened: Any) -> None:
    line = Line()
    async with AsyncExitStack() as stack:
        b = await opened(stack, line)
        await b.hub.submit(said("later", not_before=b.clock.now() + timedelta(seconds=60)), to=ANN)
        await b.hub.submit(said("now"), to=ANN)
        await b.settle()
        line.answers["last"] = NotSentError("busy")
        await b.hub.submit(said("last"), to=ANN)
        await b.pass_time(61, step=61)
        line.answers.clear()
        await b.pass_time(120, step=10)

    assert line.taken == ["now", "last", "later"]


async def test_it_outlives_a_restart(opened: Any) -> None:
    """Also where the first one is in the middle of its retries."""
    line, clock = Line(), FakeClock()
    line.answers["1"] = NotSentError("busy")
    async with AsyncExitStack() as stack:
        b = await opened(stack, line, clock=clock, options=ChannelOptions(attempts=50))
        for text in ("1", "2", "3"):
            await b.hub.submit(said(text), to=ANN)
        await b.pass_time(600, step=30)
    async with AsyncExitStack() as stack:
        b = await opened(stack, line, clock=clock, options=ChannelOptions(attempts=50))
        await b.hub.submit(said("4"), to=ANN)
        await b.pass_time(60, step=30)
        assert line.taken == []
        line.answers.clear()
        await b.pass_time(60, step=30)

    assert line.taken == ["1", "2", "3", "4"]


async def test_several_workers_keep_it(quick_path: Path) -> None:
    """Forty lanes, two workers on one file, and an answer that is chance: all arrive, each lane in its order."""
    clock, chance, lines = FakeClock(), Random(5), Line()
    wanted: dict[str, list[str]] = defaultdict(list)

    async def sending(out: Outgoing) -> None:
        await anyio.lowlevel.checkpoint()
        if chance.random() < 0.3:
            raise NotSentError("busy") if chance.random() < 0.5 else ThrottledError("slow", scope="conversation")
        lines.taken.append(out.text)

    async with AsyncExitStack() as stack:
        url = f"sqlite:///{quick_path}/ledger.db"
        hubs = [await stack.enter_async_context(Hub(store=url, clock=clock, random=Random(n))) for n in range(2)]
        for hub in hubs:
            await hub.add_channel("line", ProbeConfig(), sending=sending, options=ChannelOptions(attempts=100))
        for number in range(120):
            key = f"order-{number % 40}"
            wanted[key].append(f"{key}/{number}")
            await hubs[number % 2].submit(said(f"{key}/{number}", key), to=ANN)
        with anyio.fail_after(60):
            while len(lines.taken) < 120:
                clock.advance(5)
                for hub in hubs:
                    await hub.idle()

    came: dict[str, list[str]] = defaultdict(list)
    for text in lines.taken:
        came[text.partition("/")[0]].append(text)
    assert came == wanted


async def test_a_person_who_sends_it_again_puts_it_to_the_end(opened: Any) -> None:
    """What was given up has let the others go; it does not hold them up a second time."""
    line = Line()
    line.answers["1"] = NotSentError("busy")
    async with AsyncExitStack() as stack:
        b = await opened(stack, line, options=ChannelOptions(attempts=1))
        first = await b.hub.submit(said("1"), to=ANN)
        await b.settle()
        line.answers = {"2": ThrottledError("slow", retry_after=60, scope="conversation")}
        await b.hub.submit(said("2"), to=ANN)
        await b.settle()
        again = await b.hub.dead_letters.resend(first.deliveries[0].id)
        await b.settle()
        assert (line.taken, again.status) == ([], Status.QUEUED)
        line.answers.clear()
        await b.pass_time(61, step=61)

    assert line.taken == ["2", "1"]
