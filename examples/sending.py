"""Send, and know what became of it: `python examples/sending.py`. The far side is a medium that we can script."""

from datetime import UTC, datetime, timedelta

import anyio

from convergekit import Hub, MemoryStore, Message, Status
from convergekit.adapters.loopback import Medium
from convergekit.errors import KeyConflictError, NotSentError, RejectedError, SuppressedError, UncertainError

ANN = "loopback:ann"
BOB = "loopback:bob"


# [ways]
async def ways(hub: Hub) -> None:
    sent = await hub.send("Your parcel is on its way.", to=ANN, key="order-42:shipped")
    print("taken:", sent.status, sent.state.value)

    stored = await hub.submit("And it is large.", to=ANN)
    print("stored:", stored.status, stored.state.value)
    print("waited for:", await stored.wait(Status.ACCEPTED, timeout=10))

    print(await hub.plan("Please ring twice.", to=[ANN, BOB]))


# [ways end]


# [errors]
async def alert(hub: Hub, text: str) -> str:
    try:
        sent = await hub.send(text, to=BOB)
    except SuppressedError as no:
        return f"a gate of ours said no: {no.reason}"
    except RejectedError as no:
        return f"refused for good: {no.reason}, code {no.code}"
    except NotSentError as gone:
        return f"given up, a person looks at the dead letters: {gone.reason}"
    except UncertainError as lost:
        return f"may have gone out, do not repeat it: {lost.reason}"
    if sent.status < Status.ACCEPTED:
        return f"still {sent.status}, and tried again at {sent.next_attempt:%H:%M}: {sent.reason}"
    return f"{sent.status}"


# [errors end]


# [several]
async def newsletter(hub: Hub) -> None:
    for each in await hub.send("We have moved.", to=[ANN, BOB], key="news:2026-11"):
        print(each.dispatch.recipient, each.status, each.error)


# [several end]


# [shown]
async def meeting(hub: Hub) -> None:
    seen = Message("When do we meet?", to=[ANN], cc=[BOB])
    for each in await hub.send(seen, to=[ANN, BOB]):
        print(each.dispatch.recipient, each.status)


# [shown end]


# [keys]
async def keys(hub: Hub) -> None:
    first = await hub.send("Your code is 1234.", to=ANN, key="login:77")
    again = await hub.send("Your code is 1234.", to=ANN, key="login:77")
    print("one message:", again.id == first.id)
    try:
        await hub.send("Your code is 5678.", to=ANN, key="login:77")
    except KeyConflictError as conflict:
        print("conflict:", conflict)


# [keys end]


# [later]
async def later(hub: Hub, now: datetime) -> None:
    tomorrow = now + timedelta(days=1)
    reminder = Message("Your appointment is at ten.", not_before=tomorrow, expires_at=tomorrow + timedelta(hours=2))
    scheduled = await hub.submit(reminder, to=ANN)
    print("scheduled:", scheduled.state.value, scheduled.next_attempt == tomorrow)
    print("cancelled:", await scheduled.cancel(), scheduled.state.value)


# [later end]


# [after]
async def after(hub: Hub) -> None:
    chat = hub.conversation(ANN)
    said = await chat.send("Your parcle is here.")
    await chat.edit(said, "Your parcel is here.")
    await chat.react(said, "🎉")
    await (await chat.retract(said)).wait()


# [after end]


async def main() -> None:
    medium = Medium()
    async with Hub(store=MemoryStore()) as hub:
        await hub.add_channel("chat", "loopback://", medium=medium)
        await ways(hub)

        medium.script(RejectedError("no such mailbox", code="550 5.1.1"), UncertainError("the answer was lost"))
        print(await alert(hub, "Disk full."))
        print(await alert(hub, "Disk full."))
        print(await alert(hub, "Disk full."))

        medium.script(RejectedError("no such mailbox", code="550 5.1.1"), to=BOB)
        await newsletter(hub)
        await meeting(hub)
        await keys(hub)
        await later(hub, datetime.now(UTC))

        await after(hub)
        print([sent.operation.value for sent in medium.sent[-4:]])


if __name__ == "__main__":
    anyio.run(main)
