"""What a careless host, a bad plugin and a hostile server can do to what goes out."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from pydantic import BaseModel

from convergekit import Hub, MemoryStore, Status
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import Medium
from convergekit.engine import channels
from convergekit.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    NotRunningError,
    RejectedError,
    ThrottledError,
)
from convergekit.model import Receipt
from convergekit.testing import FakeClock, FakeContext, outgoing
from tests.adapters.webhook.kit import HOME, adapter_over
from tests.engine.kit import Probe, ProbeConfig

pytestmark = pytest.mark.anyio

DAY = 86400


@asynccontextmanager
async def opened(clock: FakeClock) -> AsyncGenerator[Hub]:
    with anyio.fail_after(60):
        async with Hub(store=MemoryStore(), clock=clock, drain=1) as hub:
            yield hub


async def settle(hub: Hub, clock: FakeClock, seconds: float = 0, step: float = 1) -> None:
    for _ in range(int(seconds / step) + 1):
        for _ in range(20):
            await checkpoint()
        await hub.idle()
        clock.advance(step)


@pytest.mark.parametrize("scope", ["conversation", "channel"])
@pytest.mark.parametrize("seconds", [1e12, 1e9, math.inf])
async def test_a_server_that_says_come_back_in_a_century_is_asked_again_within_a_month(
    seconds: float, scope: Any
) -> None:
    """`Retry-After: 999999999999` was a date that does not exist; the message ended as unknown, and never went out."""
    clock, calls = FakeClock(), 0

    async def sending(out: Outgoing) -> None:
        nonlocal calls
        calls += 1
        out.started()
        if calls == 1:
            raise ThrottledError("slow down", retry_after=seconds, scope=scope)

    async with opened(clock) as hub:
        await hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await hub.submit("hello", to="probe:ann")
        await settle(hub, clock)
        assert (handle.status, calls) == (Status.QUEUED, 1)
        await settle(hub, clock, 33 * DAY, DAY)

        assert (handle.status, calls) == (Status.ACCEPTED, 2)


@pytest.mark.parametrize("key", ["", "a\nb", "a\0b", "\ud800", "x" * 8193])
async def test_a_key_that_cannot_tell_a_repeat_is_refused_and_nothing_goes_out(key: str) -> None:
    """An empty key was taken for none, so that what was to be sent once was sent twice, without a word."""
    clock, medium = FakeClock(), Medium()
    async with opened(clock) as hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)

        for _ in range(2):
            with pytest.raises(InvalidInputError, match="a key is one line"):
                await hub.submit("hello", to="loopback:ann", key=key)

        await settle(hub, clock)
        assert medium.sent == []


@pytest.mark.parametrize("wrong", [{"code": 550}, {"code": b"550"}, {"code": "\ud800"}])
async def test_a_refusal_whose_code_is_no_text_is_a_refusal(wrong: Any) -> None:
    """It was lost with the error that its code caused, and the message ended as unknown two minutes later."""
    clock = FakeClock()

    async def sending(out: Outgoing) -> None:
        out.started()
        raise RejectedError("no such user", **wrong)

    async with opened(clock) as hub:
        await hub.add_channel("probe", ProbeConfig(), sending=sending)
        handle = await hub.submit("hello", to="probe:ann")
        await settle(hub, clock)

        assert (handle.status, type(handle.error)) == (Status.FAILED, RejectedError)


async def test_a_hub_is_not_used_from_the_event_loop_of_another_thread() -> None:
    """On Trio that failed in the midst of the send, which ended as unknown; on asyncio nobody was woken."""
    clock, medium = FakeClock(), Medium()
    async with opened(clock) as hub:
        await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)

        for backend in ("asyncio", "trio"):
            with pytest.raises(ConfigurationError, match=r"convergekit\.sync\.Hub"):
                await anyio.to_thread.run_sync(partial(anyio.run, elsewhere, hub, backend=backend))

        await settle(hub, clock)
        assert medium.sent == []


async def elsewhere(hub: Hub) -> None:
    await hub.submit("hello", to="loopback:ann")


class HangingConfig(BaseModel, frozen=True, extra="forbid"):
    """For `Hanging`."""


class Hanging(Probe):
    """An adapter whose connection never closes."""

    name = "hanging"
    schemes = frozenset({"hanging"})
    Config = HangingConfig  # type: ignore[assignment]

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self.parts.setdefault("entered", []).append(self)
        try:
            yield self
        finally:
            await anyio.sleep_forever()


async def test_an_adapter_that_hangs_on_leaving_is_given_up_and_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was down for good, though its account was in order again, and `remove_channel` never returned."""
    monkeypatch.setattr(channels, "_LEAVING", 0.01)
    clock, entered, refused = FakeClock(), list[Any](), True

    async def sending(out: Outgoing) -> Receipt:
        if refused:
            raise AuthenticationError("bad password")
        return Receipt(Status.ACCEPTED)

    async with opened(clock) as hub:
        await hub.add_channel("hang", HangingConfig(), sending=sending, entered=entered)
        handle = await hub.submit("hello", to="hanging:ann")
        await settle(hub, clock)
        refused = False
        await anyio.sleep(0.05)
        await settle(hub, clock, 700, 10)

        assert (len(entered), handle.status) == (2, Status.ACCEPTED)
        await hub.remove_channel("hang")


async def test_an_endpoint_that_is_gone_is_a_refusal_also_while_the_hub_drains() -> None:
    """It was uncertain then, and so was sent again."""
    context = FakeContext(transport=httpx.MockTransport(lambda request: httpx.Response(410)))
    context.refuses_admission = NotRunningError("the hub is closing")
    adapter = adapter_over(lambda request: httpx.Response(410), context)

    with pytest.raises(RejectedError):
        await adapter.send(outgoing(HOME))
