"""A few lines send a message, a few more answer one: `python examples/quickstart.py`."""

from pathlib import Path

import anyio

from convergekit import Conversation, Hub, MessageReceived
from convergekit.adapters.loopback import LoopbackAdapter

hub = Hub.from_toml(Path(__file__).with_name("convergekit.toml"))
answered = anyio.Event()


@hub.on_message(channel="support-*")
async def answer(message: MessageReceived, conversation: Conversation) -> None:
    reply = await conversation.reply(f"Thanks, we have your message: {message.text!r}")
    await reply.wait()  # only so that this example knows when to end
    answered.set()


async def main() -> None:
    async with hub:
        sent = await hub.send("Your parcel is on its way.", to="loopback:ann", key="order-42:shipped")
        print("sent:", sent.status)

        ann = the_other_side()
        ann.say(sender="loopback:ann", text="Where is it?")
        await answered.wait()  # an application serves until it is told to stop: await hub.run()
        print("Ann has got:", *ann.texts(to="loopback:ann"), sep="\n  ")


def the_other_side():
    """The loopback medium is on this side of the screen, so we can play Ann; other channels have real people."""
    adapter = hub.channel("support-chat").adapter
    assert isinstance(adapter, LoopbackAdapter)
    return adapter.medium


if __name__ == "__main__":
    anyio.run(main)
