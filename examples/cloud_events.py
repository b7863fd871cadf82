"""CloudEvents in and out: a shop tells of its orders, and is told of them: `python examples/cloud_events.py`.

Nothing listens here: the shop calls the app directly, and a transport stands in for its server.
"""

import base64
import json
from datetime import UTC, datetime

import anyio
import httpx

from convergekit import Hub, MemoryStore, Message
from convergekit.http import StandardWebhooks
from convergekit.model import CustomReceived

SECRET = "whsec_" + base64.b64encode(b"only-for-this-example-and-no-other").decode()  # yours: from the environment
SHOP = "https://shop.example/events"

# [events]
SETTINGS = {
    "adapter": "webhook",
    "url": SHOP,
    "secrets": [SECRET],
    "format": "cloudevents-structured",
    "source": "https://we.example/support",
    "allowed_origins": ["shop.example"],
}

hub = Hub(store=MemoryStore())


@hub.on_event(CustomReceived, channel="shop")
async def happened(event: CustomReceived) -> Message:
    print("in: ", event.name, "of", event.native["subject"], "from", event.native["source"])
    order = {"type": "order.noted", "data": {"order": event.data["order"]}, "attributes": {"subject": "orders/42"}}
    return Message("Noted.", native={"webhook": order})


# [events end]


async def main() -> None:
    said = anyio.Event()

    def shop(request: httpx.Request) -> httpx.Response:
        event = json.loads(request.content)
        print("out:", event["type"], "of", event["subject"], "from", event["source"])
        said.set()
        return httpx.Response(204)

    body = b'{"order": 42}'
    event = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": SHOP,
        "ce-type": "order.placed",
        "ce-subject": "orders/42",
    }
    signed = StandardWebhooks([SECRET]).sign("call_1", datetime.now(UTC), body)
    async with hub:
        await hub.add_channel("shop", SETTINGS, transport=httpx.MockTransport(shop))
        app = httpx.ASGITransport(app=hub.asgi())
        async with httpx.AsyncClient(transport=app, base_url="https://we.example") as client:
            asked = await client.options("/shop", headers={"webhook-request-origin": "shop.example"})
            print("may call:", asked.headers["webhook-allowed-origin"])
            json_type = {"content-type": "application/json"}
            await client.post("/shop", content=body, headers={**event, **json_type, **signed})
            await said.wait()


if __name__ == "__main__":
    anyio.run(main)
