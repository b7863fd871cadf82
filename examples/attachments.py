"""Attachments, both ways: what is read when it is needed is in the ledger, also where the medium gave only a URL."""

import anyio

from convergekit import Attachment, Hub, Message, MessageReceived
from convergekit.adapters.loopback import Medium
from convergekit.model import MediaFetched

hub = Hub(store="memory:")
kept = anyio.Event()


@hub.on_message
async def look(message: MessageReceived, hub: Hub) -> None:
    for attachment in message.attachments:
        content = await hub.read(attachment, limit=1_000_000)  # fetched now, if it was not yet
        print(f"{attachment.name}: {len(content)} bytes")


@hub.on_event(MediaFetched)
async def safe(event: MediaFetched) -> None:
    print(f"{event.attachment.name} is in the ledger")
    kept.set()


async def main() -> None:
    medium = Medium()
    async with hub:
        await hub.add_channel("chat", {"adapter": "loopback", "fetch_media": 10_000_000}, medium=medium)
        medium.uploads["loopback:upload/cat"] = b"a picture of a cat"
        photo = {"url": "loopback:upload/cat", "name": "cat.png"}
        medium.say(sender="loopback:ann", text="Look!", attachments=[photo])
        await kept.wait()

        report = Attachment(data=b"x" * 100_000, name="report.pdf", media_type="application/pdf")
        sent = await hub.send(Message("Here it is.", attachments=[report]), to="loopback:ann")
        (stored,) = sent.dispatch.message.attachments
        print(f"{stored.name}: {stored.claim is not None}")


if __name__ == "__main__":
    anyio.run(main)
