"""What was given up waits for a person, who is told: `python examples/dead_letters.py`."""

import anyio

from convergekit import Hub, MemoryStore
from convergekit.adapters.loopback import Medium
from convergekit.errors import NotSentError
from convergekit.model import DeadLettered

hub = Hub(store=MemoryStore())
told = anyio.Event()


# [dead]
@hub.on_event(DeadLettered)
async def tell_somebody(letter: DeadLettered) -> None:
    print(f"dead letter, {letter.direction}, {letter.channel}: {letter.reason}")
    told.set()


async def look() -> None:
    for delivery in await hub.store.dead_deliveries():
        print("to", delivery.address, [attempt.outcome for attempt in delivery.history])
    for entry in await hub.store.dead_entries():
        print("from", entry.event.sender, entry.reason)


# [dead end]


async def main() -> None:
    medium = Medium()
    async with hub:
        await hub.add_channel("chat", {"adapter": "loopback", "attempts": 1}, medium=medium)
        medium.script(NotSentError("the line is down"))
        try:
            await hub.send("Disk full.", to="loopback:bob")
        except NotSentError as gone:
            print("given up:", gone)
        await told.wait()
        await look()


if __name__ == "__main__":
    anyio.run(main)
