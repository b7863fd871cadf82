"""What is in the ledger when a hub is entered is served at once, also while a channel is still opening."""

from __future__ import annotations

from random import Random

import anyio
import pytest

from convergekit import Conversation, Hub, MemoryStore, MessageReceived
from convergekit.adapters.loopback import Medium
from convergekit.engine.intake import completed
from convergekit.testing import FakeClock
from tests.engine.kit import ANN, ProbeConfig

pytestmark = pytest.mark.anyio


async def test_a_handler_may_answer_while_a_channel_is_still_opening() -> None:
    """A backlog does not wait for the slowest medium, and its handlers have the whole hub."""
    clock, store, medium, answered = FakeClock(), MemoryStore(), Medium(), anyio.Event()
    async with store.opened(clock):
        await store.admit("loop", [completed(MessageReceived(key="k", text="hello", sender=ANN), "loop")])
    hub = Hub(store=store, clock=clock, random=Random(7))

    @hub.on_message
    async def handle(conversation: Conversation) -> None:
        await conversation.reply("here")
        answered.set()

    await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
    await hub.add_channel("slow", ProbeConfig(), opening=answered.wait)
    with anyio.fail_after(60):
        async with hub:
            await hub.idle()

    assert medium.texts(ANN) == ["here"]
