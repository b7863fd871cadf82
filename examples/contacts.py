"""Conversations that go on, people however they are reached, and what they agreed to: `python examples/contacts.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from convergekit import Address, Contact, Conversation, ConversationRef, Hub, MemoryStore, Message, MessageReceived
from convergekit.adapters.loopback import Medium
from convergekit.errors import SuppressedError
from convergekit.model import ConsentChanged, ConversationKind, from_json, to_json

hub = Hub(store=MemoryStore())
tickets: dict[str, str] = {}  # stands in for the host's database
answered = anyio.Event()


# [conversation]
@hub.on_message(automated=False)
async def open_ticket(message: MessageReceived, conversation: Conversation, contact: Contact | None) -> None:
    await conversation.mark_read(message)
    await conversation.typing()
    name = contact.name if contact is not None else "stranger"
    reply = await conversation.reply(f"Hello {name}, we are looking into it.")
    tickets["ticket-1"] = to_json(conversation.ref)
    await reply.wait()
    answered.set()


async def solved(ticket: str) -> None:
    ref = from_json(ConversationRef, tickets[ticket])
    await hub.conversation(ref).send("It is solved.", key=f"{ticket}:solved")


# [conversation end]


# [hand-over]
async def not_in_public(mention: MessageReceived) -> Conversation:
    return await hub.conversation(mention).hand_over("We would rather discuss orders in private; please write to us.")


# [hand-over end]


# [contacts]
async def know_ann() -> Contact:
    addresses = (Address("loopback:ann"), Address("loopback:ann-at-home"))
    ann = Contact(id="ann", name="Ann", addresses=addresses, locale="de-AT")
    await hub.contacts.put(ann)  # unless the host has brought contacts of its own
    return ann


# [contacts end]


# [own]
@dataclass
class Customers:
    """The host's own contacts; what a hub asks of them are these two."""

    by_id: Mapping[str, Contact] = field(default_factory=dict)

    async def by_address(self, address: Address) -> Contact | None:
        return next((each for each in self.by_id.values() if address in each.addresses), None)

    async def get(self, id: str) -> Contact | None:
        return self.by_id.get(id)


customers = Customers({"bob": Contact(id="bob", addresses=(Address("loopback:bob"),))})
own = Hub(store=MemoryStore(), contacts=customers)
# [own end]


# [consent]
async def offer(ann: Contact) -> None:
    two_for_one = Message("Two for one, this week only!", category="offers")
    try:
        await hub.send(two_for_one, to=ann)
    except SuppressedError as no:
        print("not sent:", no.reason)

    agreed = ConsentChanged(key="form-7", address=ann.addresses[0], granted=True, category="offers")
    await hub.consents.record(agreed)
    print("now:", (await hub.send(two_for_one, to=ann)).status)


# [consent end]


async def main() -> None:
    medium = Medium()
    async with hub:
        await hub.add_channel("chat", "loopback://", medium=medium)
        ann = await know_ann()
        medium.say(sender="loopback:ann-at-home", text="My parcel is wet.")
        await answered.wait()
        await solved("ticket-1")
        print(*[text for text in medium.texts(to="loopback:ann-at-home") if text], sep="\n")
        await offer(ann)
        await say_it_in_private(medium)


async def say_it_in_private(medium: Medium) -> None:
    square = ConversationRef(channel="chat", address="loopback:bob", kind=ConversationKind.PUBLIC, thread="t-1")
    mention = MessageReceived(key="1", channel="chat", sender="loopback:bob", text="Where is #42?", conversation=square)
    private = await not_in_public(mention)
    await private.send("Order 42 is on its way.")
    print(*(f"{sent.out.conversation.kind.value}: {sent.text}" for sent in medium.arrived("loopback:bob")), sep="\n")


if __name__ == "__main__":
    anyio.run(main)
