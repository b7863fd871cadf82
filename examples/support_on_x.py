"""Support on X: mentions are answered in public, and moved to private. `python examples/support_on_x.py`.

Nothing leaves this machine: a server of our own plays X.
"""

from collections.abc import Callable
from typing import Any

import anyio

from convergekit import Conversation, Hub, MemoryStore, MessageReceived
from convergekit.adapters.x import X, XAdapter
from convergekit.testing import XServer

# [bot]
hub = Hub(store=MemoryStore())


@hub.on_message(channel="x", kind="public")
async def in_public(message: MessageReceived, conversation: Conversation) -> str | None:
    if "order" in (message.text or ""):  # whose order it is, nobody else has to read
        await conversation.hand_over("We will look into it. Please write to us here, with the number:")
        return None
    return "We are open from nine to six."


@hub.on_message(channel="x", kind="direct")
async def in_private(message: MessageReceived) -> str:
    x = X.of(message)
    if x.encrypted:
        return "We cannot read encrypted messages. Please write by email: help@example.org"
    if x.handed_over_from:  # the public conversation in which we invited them
        return f"Thank you, {x.name}. A person looks into it."
    return "How can we help?"


# [bot end]


# [permission]
async def look_before(post: str) -> None:
    x = hub.channel("x").adapter
    assert isinstance(x, XAdapter)  # it is open
    permission = await x.can_reply(post)
    if not permission:
        print(f"not in public: {permission.reason}; instead: {permission.alternative}")


# [permission end]

server = XServer()
support = server.account("shop")
settings: dict[str, Any] = {
    "adapter": "x",
    "oauth1": support.oauth1,
    "bearer_token": server.bearer_token,
    "activity": "stream",  # X tells at once; polls find what it did not tell
    "start": "recent",
}


class Asked:
    """Something was asked of X: time to look again."""

    def __init__(self) -> None:
        self.event = anyio.Event()
        server.observers.append(self.note)

    def note(self, request: object, response: object) -> None:
        self.event.set()
        self.event = anyio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(30):
            while not condition():
                await self.event.wait()


async def main() -> None:
    asked = Asked()
    ann, bob = server.user("ann", name="Ann"), server.user("bob", name="Bob")
    ann.mention("are you open?")
    async with hub:
        await hub.add_channel("x", settings, transport=server.transport)
        await asked.until(lambda: len(server.posts) == 2 and server.count("GET", "/2/activity/stream") == 1)
        bob.mention("where is my order?")
        await asked.until(lambda: len(server.posts) == 4)
        bob.direct("It is 42.")
        await asked.until(lambda: len(server.directs) == 2)
        await look_before(server.user("carol").post("Lantern is a nice word.").id)
    for post in server.posts[:4]:
        print(f"@{post.author.username} in public: {post.text}")
    for direct in server.directs:
        print(f"@{direct.sender.username} in private: {direct.text}")


anyio.run(main)
