"""Five lines that send, over a medium in memory: `python examples/five_lines.py`. No account, no network."""

import anyio

from convergekit import Hub, MemoryStore


async def main() -> None:
    store = MemoryStore()
    async with Hub(store=store) as hub:
        await hub.add_channel("chat", "loopback://")
        sent = await hub.send("Your parcel is on its way.", to="loopback:ann", key="order-42:shipped")
        print("sent:", sent.status)


if __name__ == "__main__":
    anyio.run(main)
