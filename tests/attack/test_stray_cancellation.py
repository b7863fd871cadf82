"""A cancellation that is nobody's of ours: awaiting a task that somebody else has cancelled raises one on asyncio.

Client libraries let it out when they close a connection, and so do handlers that wait for a task of the host's.
Taken for our own, it ended the worker, and its whole pool with it, without a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import Hub, MemoryStore, MessageReceived, Status
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import Medium
from convergekit.errors import UncertainError
from convergekit.model import Receipt
from convergekit.testing import FakeClock
from tests.engine.kit import ListeningConfig

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]  # Trio has no such thing

ANN, BOB = "loopback:ann", "loopback:bob"


async def cancelled_elsewhere() -> None:
    task = asyncio.ensure_future(asyncio.sleep(100))
    task.cancel()
    await task


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()  # it shows at the next await, which is one of ours


@asynccontextmanager
async def opened(clock: FakeClock) -> AsyncGenerator[Hub]:
    with anyio.fail_after(60):
        async with Hub(store=MemoryStore(), clock=clock, drain=1) as hub:
            yield hub


async def settle(hub: Hub, clock: FakeClock, seconds: float = 0) -> None:
    for _ in range(int(seconds) + 1):
        for _ in range(20):
            await checkpoint()
        await hub.idle()
        clock.advance(1)


@pytest.mark.parametrize("trick", [cancelled_elsewhere, cancels_itself])
async def test_a_handler_that_lets_one_out_is_tried_again_and_others_are_served(trick: Any) -> None:
    clock, medium, handled = FakeClock(), Medium(), []
    async with opened(clock) as hub:

        @hub.on_message
        async def handle(message: MessageReceived) -> None:
            handled.append(message.text)
            if handled == ["bad"]:
                await trick()

        await hub.add_channel("loop", {"adapter": "loopback", "poll_interval": 1}, medium=medium)
        medium.say(text="bad", sender=ANN)
        await settle(hub, clock, 3)
        medium.say(text="good", sender=BOB)
        await settle(hub, clock, 10)

        assert "good" in handled
        if trick is cancelled_elsewhere:
            assert handled.count("bad") == 2


@pytest.mark.parametrize("trick", [cancelled_elsewhere, cancels_itself])
async def test_a_send_that_lets_one_out_is_uncertain_and_others_go_out(trick: Any) -> None:
    clock, medium = FakeClock(), Medium()

    async def send(out: Outgoing) -> Receipt | None:
        await trick()
        return None

    async with opened(clock) as hub:
        await hub.add_channel("loop", {"adapter": "loopback", "poll_interval": 1}, medium=medium)
        medium.script(send)
        bad = await hub.submit("bad", to=ANN)
        await settle(hub, clock, 3)
        good = await hub.submit("good", to=BOB)
        await settle(hub, clock, 10)

        assert good.status >= Status.ACCEPTED
        if trick is cancelled_elsewhere:
            assert isinstance(bad.error, UncertainError)


async def test_a_listen_that_lets_one_out_is_started_again() -> None:
    clock, tries = FakeClock(), 0

    async def listening(adapter: Any, task_status: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await cancelled_elsewhere()
        task_status.started()
        await asyncio.Event().wait()

    async with opened(clock) as hub:
        await hub.add_channel("ear", ListeningConfig(), listening=listening)
        await settle(hub, clock, 10)

        assert (tries, hub.health().channels["ear"].state) == (2, "up")


async def test_an_adapter_that_lets_one_out_while_it_opens_is_opened_again() -> None:
    clock, tries = FakeClock(), 0

    async def opening() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await cancelled_elsewhere()

    async def listening(adapter: Any, task_status: Any) -> None:
        task_status.started()
        await asyncio.Event().wait()

    async with opened(clock) as hub:
        await hub.add_channel("ear", ListeningConfig(), opening=opening, listening=listening)
        await settle(hub, clock, 10)

        assert (tries, hub.health().channels["ear"].state) == (2, "up")
