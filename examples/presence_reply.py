"""An answer that depends on whether somebody is there: `python examples/presence_reply.py`.

Nothing leaves this machine: a server of convergekit's own stands in. `SETTINGS` is what a real account needs.
"""

from typing import Any

import anyio

from convergekit import Channel, Hub, MemoryStore, MessageReceived
from convergekit.adapters.xmpp.subject import XmppSubject
from convergekit.model import SubscriptionRequested

SETTINGS: dict[str, Any] = {"adapter": "xmpp", "jid": "bot@example.org", "password": "from the environment"}
hub = Hub(store=MemoryStore())

# [reply]
DESK = "xmpp:desk@example.net"


@hub.on_message(channel="chat", automated=False)
async def answer(message: MessageReceived, channel: Channel) -> str:
    desk = await channel.presence_of(DESK)
    if desk.presence == "available":
        return "Thank you. Somebody is reading this."
    return "Thank you. Nobody is here now: you will have an answer tomorrow."


# [reply end]


# [decide]
@hub.on_event(SubscriptionRequested)
async def decide(request: SubscriptionRequested, channel: Channel) -> None:
    if request.sender is not None and request.sender.uri == DESK:
        await channel.accept_subscription(request.sender)
        await channel.subscribe(request.sender)  # to see theirs, they have to let us
    elif request.sender is not None:
        await channel.refuse_subscription(request.sender)


# [decide end]


async def main() -> None:
    outside = XmppSubject()
    async with outside.opened(), hub:
        await hub.add_channel("chat", {**SETTINGS, **outside.settings})

        async def writes(text: str) -> None:
            answers = len(outside.received()) + 1
            await outside.push(outside.message(id=text, sender="xmpp:ann@example.net", text=text))
            await outside.server.until(lambda: len(outside.received()) == answers)
            print(f"{text} - {outside.text_of(outside.received()[-1])}")

        await outside.push(outside.presence("xmpp:mallory@example.net", type="subscribe"))
        await outside.server.until(lambda: len(outside.server.answers) == 1)
        await outside.push(outside.presence(DESK, type="subscribe"))
        await outside.server.until(lambda: len(outside.server.answers) == 3)
        for said, to in outside.server.answers:
            print(f"{to}: {said}")
        await writes("Hello?")
        await outside.push(outside.presence(DESK))
        await writes("And now?")
        await outside.push(outside.presence(DESK, "away"))
        await writes("Still?")


anyio.run(main)
