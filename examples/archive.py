"""What was said is found again, exported, and in the end forgotten: `python examples/archive.py`."""

from datetime import timedelta

import anyio

from convergekit import Hub, MessageReceived
from convergekit.adapters.loopback import Medium
from convergekit.stores.formats import to_line

hub = Hub(store="memory:")
asked = anyio.Event()


@hub.on_message
async def answer(message: MessageReceived) -> str:
    asked.set()
    return "Your parcel is on its way."


# [search]
async def search() -> None:
    page = await hub.archive.search("parcel", contact="loopback:ann", limit=20)
    for found in page.found:  # the newest first
        arrow = "<-" if found.direction == "in" else "->"
        print(arrow, found.channel, found.address, marked(found.text, found.highlights))
    if page.next is not None:
        page = await hub.archive.search("parcel", contact="loopback:ann", after=page.next)


def marked(text: str, highlights: tuple[tuple[int, int], ...]) -> str:
    for start, end in reversed(highlights):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


# [search end]


# [export]
async def export() -> list[str]:
    return [to_line(found) async for found in hub.archive.export(contact="loopback:ann")]


# [export end]


# [forget]
async def forget() -> None:
    emptied = await hub.archive.retain(timedelta(days=90), channel="chat")
    erased = await hub.archive.erase("loopback:ann")
    print("emptied:", emptied, "erased:", erased.erased, "to be erased later:", erased.busy)


# [forget end]


async def main() -> None:
    medium = Medium()
    async with hub:
        await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
        medium.say(text="Where is my parcel?", sender="loopback:ann")
        await asked.wait()
        await hub.idle()  # the answer is sent
        await search()
        print("lines:", len(await export()))
        await forget()
        print("left:", len((await hub.archive.search()).found))


if __name__ == "__main__":
    anyio.run(main)
