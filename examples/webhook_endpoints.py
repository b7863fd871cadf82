"""Webhooks to endpoints that customers have named: each with its own secret, in order, and one that wants no more.

Nothing leaves this machine when `python examples/webhook_endpoints.py` runs: a transport stands in for the customers.
"""

import base64
import json

import anyio
import httpx

from convergekit import Channel, Hub, MemoryStore, Message
from convergekit.errors import RejectedError
from convergekit.model import Address, EndpointDisabled

SHOP, BAKER = "https://shop.example/hooks", "https://baker.example/in"

# [secrets]
VAULT = {SHOP: ["whsec_" + base64.b64encode(b"of the shop" * 3).decode()]}  # yours: a table, or a vault


async def secrets_of(address: Address) -> list[str] | None:
    return VAULT.get(address.uri)  # the current one first; None: those of the settings


SETTINGS = {
    "adapter": "webhook",
    "own_secrets": True,
    "secrets": ["whsec_" + base64.b64encode(b"of all others" * 2).decode()],
}
# [secrets end]

hub = Hub(store=MemoryStore())
told = anyio.Event()


# [gone]
@hub.on_event(EndpointDisabled)
async def forget(event: EndpointDisabled) -> None:
    print(f"gone: {event.address.uri}")  # once, however many messages have run into it
    told.set()


# [gone end]


def customers(request: httpx.Request) -> httpx.Response:
    if str(request.url) == BAKER:
        return httpx.Response(410)
    told = json.loads(request.content)
    print("the shop gets:", told["data"].get("text", told["type"]))
    return httpx.Response(204)


async def orders() -> None:
    # [order]
    for change in ("placed", "paid", "shipped"):
        message = Message(f"Order 42 was {change}.", order_key="order-42")
        await hub.submit(message, to=SHOP, key=f"order-42:{change}")
    # [order end]
    await hub.idle()


async def run() -> None:
    async with hub:
        hooks: Channel = await hub.add_channel(
            "hooks", SETTINGS, secrets=secrets_of, transport=httpx.MockTransport(customers)
        )
        # [send]
        await hub.submit("The new prices are out.", to=SHOP, key="prices-2026:shop")
        # [send end]
        # [event]
        shipped = {"type": "order.shipped", "data": {"order": 42, "parcel": "DX1"}}
        await hub.submit(Message(native={"webhook": shipped}), to=SHOP, key="order-42:told")
        # [event end]
        await hub.idle()
        await orders()
        for news in ("prices", "holidays"):
            try:
                await hub.send(f"The {news} are out.", to=BAKER)
            except RejectedError as exc:
                print(f"the baker gets no {news}: {exc.code}")
            await told.wait()
        print("again:", await hooks.enable(BAKER))


anyio.run(run)
