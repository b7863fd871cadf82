"""What was given up waits for a person, who is told, and decides: `python examples/dead_letters.py`."""

import anyio

from convergekit import Hub
from convergekit.adapters.loopback import Medium
from convergekit.errors import NotSentError, UncertainError
from convergekit.model import DeadLettered

hub = Hub(store="memory:")
told = anyio.Event()


# [dead]
@hub.on_event(DeadLettered)
async def tell_somebody(letter: DeadLettered) -> None:
    print(f"dead letter, {letter.direction}, {letter.channel}: {letter.reason}")
    told.set()


async def look() -> None:
    async for letter in hub.dead_letters:
        print(letter.direction, letter.state, letter.channel, letter.attempts, letter.reason)


# [dead end]


# [decide]
async def decide() -> None:
    for letter in await hub.dead_letters.list(state="dead", direction="out"):
        handle = await hub.dead_letters.resend(letter.id, "The disk of db2 is full.")
        print("sent again:", await handle.wait())
    for letter in await hub.dead_letters.list(state="unknown"):
        await hub.dead_letters.settle(letter.id, sent=True)  # somebody has asked Bob


# [decide end]


async def main() -> None:
    medium = Medium()
    async with hub:
        await hub.add_channel("chat", {"adapter": "loopback", "attempts": 1}, medium=medium)
        medium.script(NotSentError("the line is down"), UncertainError("the answer was lost"))
        for text in ("Disk full.", "Are you there?"):
            try:
                await hub.send(text, to="loopback:bob")
            except (NotSentError, UncertainError) as error:
                await told.wait()
                print("not sent, as far as we know:", error)
        await look()
        await decide()
        print("left:", len(await hub.dead_letters.list()))


if __name__ == "__main__":
    anyio.run(main)
