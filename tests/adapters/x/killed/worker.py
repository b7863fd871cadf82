"""A worker: a hub over SQLite with one x channel, and the app that X calls, until somebody kills it."""

from __future__ import annotations

import json
import sqlite3
import sys
from random import Random
from typing import Any, ClassVar, Final

import anyio
from sqlalchemy import text

from convergekit import Hub, MessageReceived, Transaction
from convergekit.abc import EntryState
from convergekit.adapters.x import XAdapter
from convergekit.adapters.x.feeds import feeds
from tests.asgi_kit import served

__all__: list[str] = []

_TABLE: Final = "CREATE TABLE IF NOT EXISTS handled (said TEXT)"
_HANDLED: Final = text("INSERT INTO handled VALUES (:said)")


class _Quick(XAdapter):
    send_timeout: ClassVar[float] = 1.0  # a lease is longer, and is waited for after each kill


async def _run(terms: dict[str, Any], backend: str) -> None:
    # Polls as if X told nothing by itself: all comes both ways.
    feeds._SLOW = feeds._TICK = 1.0  # type: ignore[misc]
    chance = Random(terms["seed"])
    with sqlite3.connect(terms["ledger"], timeout=30) as database:
        database.execute(_TABLE)
    database.close()
    hub = Hub(store=f"sqlite:///{terms['ledger']}", handlers=16, lease=terms["lease"])

    @hub.on_message
    async def handle(message: MessageReceived, transaction: Transaction) -> None:
        await anyio.sleep(chance.random() * 0.02)
        said = message.text or ""
        transaction.add(lambda connection: connection.execute(_HANDLED, {"said": said}))

    async with hub, served(hub.asgi(), backend, port=terms["port"]):
        await hub.add_channel("x", terms["settings"], adapter=_Quick)
        print(json.dumps({"open": True}), flush=True)
        while True:
            counts = await hub.store.counts()
            entries = counts.entries.items()
            left = sum(number for (_, state), number in entries if state is EntryState.READY)
            print(json.dumps({"left": left, "all": sum(number for _, number in entries)}), flush=True)
            await anyio.sleep(0.2)


if __name__ == "__main__":
    backend = sys.argv[1]
    anyio.run(_run, json.loads(sys.argv[2]), backend, backend=backend)
