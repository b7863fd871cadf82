"""A worker: a hub over SQLite with one SMS channel, and the app that the gateway calls, until somebody kills it."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from random import Random
from typing import Any, ClassVar, Final

import anyio
import anyio.lowlevel
from sqlalchemy import text

from convergekit import Hub, MessageReceived, Transaction
from convergekit.abc import EntryState
from convergekit.adapters.sms import SmsAdapter
from convergekit.model import ConversationRef
from tests.asgi_kit import served

__all__: list[str] = []

_TABLE: Final = "CREATE TABLE IF NOT EXISTS handled (said TEXT)"
_HANDLED: Final = text("INSERT INTO handled VALUES (:said)")
_OPEN: Final = ("waiting", "queued", "sending")


class _Quick(SmsAdapter):
    send_timeout: ClassVar[float] = 3.0  # a lease is longer, and is waited for after each kill


async def _run(terms: dict[str, Any], backend: str) -> None:
    chance = Random(terms["seed"])
    with sqlite3.connect(terms["ledger"], timeout=30) as database:
        database.execute(_TABLE)
    database.close()
    hub = Hub(store=f"sqlite:///{terms['ledger']}", sends=8, handlers=16, lease=4.0)

    @hub.on_message
    async def handle(message: MessageReceived, transaction: Transaction) -> None:
        await anyio.sleep(chance.random() * 0.02)
        said = message.text or ""
        transaction.add(lambda connection: connection.execute(_HANDLED, {"said": said}))

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
            print(json.dumps({"left": left}), flush=True)
            await anyio.sleep(0.2)

    async with hub:
        await hub.add_channel("phone", terms["settings"], adapter=_Quick)
        async with served(hub.asgi(), backend, port=terms["port"]), anyio.create_task_group() as tasks:
            print(json.dumps({"open": True}), flush=True)
            await submit()
            print(json.dumps({"submitted": True}), flush=True)
            tasks.start_soon(look)
            with anyio.open_signal_receiver(signal.SIGTERM) as signals:
                async for _ in signals:
                    found = [[each.key, str(each.status)] for each in await hub.dispatches(limit=10_000)]
                    print(json.dumps({"statuses": found}), flush=True)
                    tasks.cancel_scope.cancel()
                    break


if __name__ == "__main__":
    backend = sys.argv[1]
    anyio.run(_run, json.loads(sys.argv[2]), backend, backend=backend)
