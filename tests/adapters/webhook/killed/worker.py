"""A worker of one side, over a ledger of its own, until somebody kills it: `sends` or `takes`."""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Any, ClassVar, Final

import anyio

from convergekit import Hub, Message
from convergekit.abc import EntryState, RetryPolicy
from convergekit.adapters.webhook import WebhookAdapter, endpoints
from convergekit.model import DeliveryState
from tests.asgi_kit import served
from tests.killing import handles, tell

__all__: list[str] = []

_AGAIN: Final = 20
_OPEN: Final = (DeliveryState.QUEUED, DeliveryState.SENDING)


class _Quick(WebhookAdapter):
    """The same in seconds, where it has days."""

    retry = RetryPolicy(schedule=(0.2,) * 200, jitter=0.2)
    send_timeout: ClassVar[float] = 1.5  # a lease is longer, and is waited for after each kill


async def _send(terms: dict[str, Any], backend: str) -> None:
    """Submit all of it, in order; after a kill the last ones again, and what is there is not there twice."""
    endpoints._FIRST, endpoints._LONGEST, endpoints._ASKING = 0.3, 1.0, 0.1  # type: ignore[misc]
    async with Hub(store=f"sqlite:///{terms['ledger']}", lease=terms["lease"]) as hub:
        await hub.add_channel("hooks", terms["settings"], adapter=_Quick)
        tell(open=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch_deliveries, hub)
            submitted = sum((await hub.store.counts()).deliveries.values())
            for number in range(max(0, submitted - _AGAIN), terms["messages"]):
                lane = number % terms["lanes"]
                # One lane of four has no key: nothing there is promised but that all arrives.
                key = f"lane-{lane}" if lane % 4 else None
                message = Message(f"{lane}/{number}", order_key=key, thread=f"lane-{lane}")
                await hub.submit(message, to=terms["url"], key=f"message-{number}")
                await anyio.sleep(terms["pause"])
            tell(submitted=1)
            await anyio.sleep_forever()


async def _watch_deliveries(hub: Hub) -> None:
    while True:
        counts = (await hub.store.counts()).deliveries.items()
        tell(left=sum(number for (_, state), number in counts if state in _OPEN))
        await anyio.sleep(0.1)


async def _take(terms: dict[str, Any], backend: str) -> None:
    chance = Random(terms["seed"])
    hub = Hub(store=f"sqlite:///{terms['ledger']}", handlers=16, lease=terms["lease"])
    handles(hub, terms["ledger"], chance)

    async with hub, served(hub.asgi(), backend, port=terms["port"]):
        await hub.add_channel("shop", terms["settings"], adapter=_Quick)
        tell(open=True)
        while True:
            entries = (await hub.store.counts()).entries.items()
            left = sum(number for (_, state), number in entries if state is EntryState.READY)
            tell(left=left, all=sum(number for _, number in entries))
            await anyio.sleep(0.1)


if __name__ == "__main__":
    work = {"sends": _send, "takes": _take}[sys.argv[1]]
    anyio.run(work, json.loads(sys.argv[3]), sys.argv[2], backend=sys.argv[2])
