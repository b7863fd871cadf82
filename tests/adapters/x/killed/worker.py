"""A worker: a hub over SQLite with one x channel, and the app that X calls, until somebody kills it."""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Any, ClassVar

import anyio

from convergekit import Hub
from convergekit.abc import EntryState
from convergekit.adapters.x import XAdapter
from convergekit.adapters.x.feeds import feeds
from tests.asgi_kit import served
from tests.killing import handles, tell

__all__: list[str] = []


class _Quick(XAdapter):
    send_timeout: ClassVar[float] = 1.0  # a lease is longer, and is waited for after each kill


async def _run(terms: dict[str, Any], backend: str) -> None:
    # Polls as if X told nothing by itself: all comes both ways.
    feeds._SLOW = feeds._TICK = 1.0  # type: ignore[misc]
    chance = Random(terms["seed"])
    hub = Hub(store=f"sqlite:///{terms['ledger']}", handlers=16, lease=terms["lease"])
    handles(hub, terms["ledger"], chance)

    async with hub, served(hub.asgi(), backend, port=terms["port"]):
        await hub.add_channel("x", terms["settings"], adapter=_Quick)
        tell(open=True)
        while True:
            counts = await hub.store.counts()
            entries = counts.entries.items()
            left = sum(number for (_, state), number in entries if state is EntryState.READY)
            tell(left=left, all=sum(number for _, number in entries))
            await anyio.sleep(0.2)


if __name__ == "__main__":
    backend = sys.argv[1]
    anyio.run(_run, json.loads(sys.argv[2]), backend, backend=backend)
