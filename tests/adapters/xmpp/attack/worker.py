"""A process with a hub, that echoes in a file what its handlers have heard, and sends; to be killed at any moment.

python -m tests.adapters.xmpp.attack.worker JSON
"""

from __future__ import annotations

import json
import os
import sys
from random import Random
from typing import Any

import anyio

from convergekit import Hub, MessageReceived
from convergekit.adapters.xmpp import XmppAdapter
from convergekit.stores import SqlStore


class _Quick(Random):
    """Between two tries a hub waits for a small part of the time."""

    def random(self) -> float:
        return super().random() / 200


async def main(given: dict[str, Any]) -> None:
    """Work until killed."""
    XmppAdapter.send_timeout = given["lease"] - 1
    hub = Hub(store=SqlStore(f"sqlite:///{given['ledger']}"), random=_Quick(), lease=given["lease"])
    heard = os.open(given["heard"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def handle(message: MessageReceived) -> None:
        os.write(heard, f"{message.text}\n".encode())

    hub.on_message(handle)
    async with hub:
        await hub.add_channel("im", {"adapter": "xmpp", **given["channel"]})
        for number in range(given["count"]):
            await hub.submit(str(number), to=given["to"], via="im", key=f"n{number}")
            await anyio.sleep(given["pause"])
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.argv[1]))
