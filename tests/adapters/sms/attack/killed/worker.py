"""A worker: a hub over SQLite with one SMS channel, and the app that the gateway calls, until somebody kills it."""

from __future__ import annotations

import json
import signal
import sys
from random import Random
from typing import Any, ClassVar, Final

import anyio
import anyio.lowlevel

from convergekit import Hub
from convergekit.abc import EntryState
from convergekit.adapters.sms import SmsAdapter
from convergekit.model import ConversationRef
from tests.asgi_kit import served
from tests.killing import handles, tell

__all__: list[str] = []

_OPEN: Final = ("waiting", "queued", "sending")


class _Quick(SmsAdapter):
    send_timeout: ClassVar[float] = 3.0  # a lease is longer, and is waited for after each kill


async def _run(terms: dict[str, Any], backend: str) -> None:
    chance = Random(terms["seed"])
    hub = Hub(store=f"sqlite:///{terms['ledger']}", sends=8, handlers=16, lease=4.0)
    handles(hub, terms["ledger"], chance)

    async def submit() -> None:
        for number in range(terms["sends"]):
            to = ConversationRef(channel="phone", address=f"sms:+4917{number % 20:08}")
            await hub.submit(f"out {number}", to=to, key=f"out {number}")
            await anyio.lowlevel.checkpoint()

    async def look() -> None:
        while True:
            counts = await hub.store.counts()
            left = sum(number for (_, state), number in counts.entries.items() if state is EntryState.READY)
            left += sum(number for (_, state), number in counts.deliveries.items() if state in _OPEN)
            tell(left=left)
            await anyio.sleep(0.2)

    async with hub:
        await hub.add_channel("phone", terms["settings"], adapter=_Quick)
        async with served(hub.asgi(), backend, port=terms["port"]), anyio.create_task_group() as tasks:
            tell(open=True)
            await submit()
            tell(submitted=True)
            tasks.start_soon(look)
            with anyio.open_signal_receiver(signal.SIGTERM) as signals:
                async for _ in signals:
                    found = [[each.key, str(each.status)] for each in await hub.dispatches(limit=10_000)]
                    tell(statuses=found)
                    tasks.cancel_scope.cancel()
                    break


if __name__ == "__main__":
    backend = sys.argv[1]
    anyio.run(_run, json.loads(sys.argv[2]), backend, backend=backend)
