"""A hub that closes while its ledger fails."""

from __future__ import annotations

import anyio
import pytest

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.abc import Lease
from convergekit.adapters.loopback import Medium
from convergekit.errors import StoreError

pytestmark = pytest.mark.anyio


class NoWayBack(MemoryStore):
    """A ledger that takes nothing back."""

    async def release(self, lease: Lease) -> None:
        raise StoreError("the disk is full")


async def test_a_ledger_that_fails_while_handlers_are_cut_off_does_not_come_out_of_the_hub() -> None:
    """It came out as a group in a group in a group, in place of the end of the hub; now the event is handled again."""
    store, medium, handled = NoWayBack(), Medium(), list[str]()

    for last in (False, True):
        begun = anyio.Event()
        with anyio.fail_after(60):
            async with Hub(store=store, drain=0.01) as hub:

                @hub.on_message
                async def handle(message: MessageReceived, begun: anyio.Event = begun, last: bool = last) -> None:
                    begun.set()
                    if not last:
                        await anyio.sleep_forever()
                    handled.append(message.text or "")

                await hub.add_channel("loop", {"adapter": "loopback"}, medium=medium)
                if not last:
                    medium.say(text="hello", sender="loopback:ann")
                await begun.wait()

    assert handled == ["hello"]
