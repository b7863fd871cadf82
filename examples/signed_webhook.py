"""A partner calls with a signed webhook, and is answered at its own address: `python examples/signed_webhook.py`.

Nothing listens here: the partner calls the app directly, and a transport stands in for its server.
"""

import base64
import hashlib
import hmac
import json
import time

import anyio
import httpx

from convergekit import Hub, MemoryStore, MessageReceived

SECRET = "whsec_" + base64.b64encode(b"only-for-this-example-and-no-other").decode()  # yours: from the environment

hub = Hub(store=MemoryStore())


@hub.on_message(channel="shop")
async def answer(message: MessageReceived) -> str:
    return f"Thanks, we have your message: {message.text!r}"


# [sign]
def sign(secret: str, id: str, body: bytes) -> dict[str, str]:
    """The headers that the other side sends along, with nothing but the standard library."""
    key, now = base64.b64decode(secret.removeprefix("whsec_")), str(int(time.time()))
    signed = hmac.digest(key, f"{id}.{now}.".encode() + body, hashlib.sha256)
    signature = "v1," + base64.b64encode(signed).decode()
    return {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature}


async def call(client: httpx.AsyncClient, secret: str) -> int:
    document = {"type": "message.created", "data": {"text": "Where is it?", "sender": "mailto:ann@example.org"}}
    body = json.dumps(document).encode()
    return (await client.post("/shop", content=body, headers=sign(secret, "msg_1", body))).status_code


# [sign end]


async def main() -> None:
    settings = {"adapter": "webhook", "url": "https://shop.example.org/inbox", "secrets": [SECRET]}
    replied = anyio.Event()

    def partner(request: httpx.Request) -> httpx.Response:
        print("the partner gets:", json.loads(request.content)["data"]["text"])
        replied.set()
        return httpx.Response(204)

    async with hub:
        await hub.add_channel("shop", settings, transport=httpx.MockTransport(partner))
        app = httpx.ASGITransport(app=hub.asgi())
        async with httpx.AsyncClient(transport=app, base_url="https://we.example.org") as client:
            print("forged:", await call(client, "whsec_" + "A" * 44))
            taken = await call(client, SECRET)
            await replied.wait()
            print("signed:", taken)


if __name__ == "__main__":
    anyio.run(main)
