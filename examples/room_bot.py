"""A bot in a room that does what it is told there: `python examples/room_bot.py`.

Nothing leaves this machine: a server of convergekit's own stands in. `SETTINGS` is what a real account needs.
"""

from typing import Any

import anyio

from convergekit import Channel, Hub, MemoryStore, MessageReceived
from convergekit.adapters.xmpp import Xmpp
from convergekit.adapters.xmpp.subject import XmppSubject

LOBBY = "xmpp:lobby@conference.example.org"

# [bot]
SETTINGS: dict[str, Any] = {
    "adapter": "xmpp",
    "jid": "bot@example.org",
    "password": "from the environment",
    "nickname": "Lamp",
    "rooms": [{"room": "lobby@conference.example.org"}],
}
hub = Hub(store=MemoryStore())
lamp = {"is": "off"}


@hub.on_message(channel="chat", kind="group", command="who")
async def who(message: MessageReceived, channel: Channel) -> str:
    members = await channel.members(LOBBY)
    return f"{len(members)} of us: {', '.join(sorted(member.value.partition('/')[2] for member in members))}"


@hub.on_message(channel="chat", kind="group", command="lamp")
async def switch(message: MessageReceived) -> str:
    word = (message.text or "").removeprefix("/lamp").strip()
    if word in ("on", "off"):
        lamp["is"] = word
    return f"{Xmpp.of(message).nickname}, the lamp is {lamp['is']}."


# What else is said in the room is none of its business, and what it says itself is no message to it.
# [bot end]


async def main() -> None:
    outside = XmppSubject()
    room = outside.server.rooms.open("lobby@conference.example.org", Ann="ann@example.net/phone", Bob="bob@example.net")
    async with outside.opened(), hub:
        await hub.add_channel("chat", {**SETTINGS, **outside.settings})

        async def says(name: str, text: str, *, answers: int) -> None:
            await outside.push(outside.message(id=text, sender=f"{LOBBY}/{name}", text=text))
            await outside.server.until(lambda: len(outside.received()) == answers)

        await says("Ann", "/who", answers=1)
        await says("Bob", "It is dark in here.", answers=1)
        await says("Bob", "/lamp on", answers=2)
        await says("Ann", "/lamp", answers=3)
    for line in room.transcript():
        print(line)


anyio.run(main)
