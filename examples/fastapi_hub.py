"""A FastAPI application with the hub in it: a shop's webhooks come in, are answered, and a route sends.

Any ASGI server serves `app`. `python examples/fastapi_hub.py` plays the shop itself: `pip install fastapi httpx2`.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from queue import Queue
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel

from convergekit import Hub, MemoryStore, MessageReceived

SECRET = "whsec_" + base64.b64encode(b"only-for-this-example-and-no-other").decode()  # yours: from the environment
SHOP = "https://shop.example.org/inbox"
inbox: Queue[str] = Queue()


def shop_server(request: httpx.Request) -> httpx.Response:
    inbox.put(json.loads(request.content)["data"]["text"])
    return httpx.Response(204)


# [app]
hub = Hub(store=MemoryStore())  # without store= it is a file, and what was taken outlives the process


@hub.on_message(channel="shop")
async def answer(message: MessageReceived) -> str:
    return f"Thanks, we have your message: {message.text!r}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    settings = {"adapter": "webhook", "url": SHOP, "secrets": [SECRET]}
    async with hub:
        await hub.add_channel("shop", settings, transport=httpx.MockTransport(shop_server))  # no network here
        yield  # the server stops taking calls first; then leaving the hub finishes what is due


app = FastAPI(lifespan=lifespan)
app.mount("/hooks", hub.asgi())  # the shop calls POST /hooks/shop


class Notice(BaseModel):
    order: int
    text: str


async def the_hub() -> Hub:  # in tests of your own: app.dependency_overrides[the_hub]
    return hub


@app.post("/notices", status_code=202)
async def notify(notice: Notice, hub: Annotated[Hub, Depends(the_hub)]) -> dict[str, str]:
    """Answers as soon as the message is in the store; who asks twice sends once."""
    dispatch = await hub.submit(notice.text, to=SHOP, key=f"order-{notice.order}:notice")
    return {"dispatch": dispatch.id}


@app.get("/health")
async def health(response: Response, hub: Annotated[Hub, Depends(the_hub)]) -> dict[str, str]:
    now = hub.health()
    response.status_code = 200 if now.ready else 503
    return {name: channel.state for name, channel in now.channels.items()}


# [app end]


def signed(id: str, body: bytes) -> dict[str, str]:
    """What the shop sends along: Standard Webhooks, with nothing but the standard library."""
    key, now = base64.b64decode(SECRET.removeprefix("whsec_")), str(int(time.time()))
    signature = hmac.digest(key, f"{id}.{now}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": id,
        "webhook-timestamp": now,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


def main() -> None:
    body = json.dumps({"type": "message.created", "data": {"text": "Where is it?", "sender": SHOP}}).encode()
    with TestClient(app) as client:
        print("health:", client.get("/health").json())
        print("genuine:", client.post("/hooks/shop", content=body, headers=signed("msg_1", body)).status_code)
        print("again:", client.post("/hooks/shop", content=body, headers=signed("msg_1", body)).status_code)
        print("forged:", client.post("/hooks/shop", content=body + b" ", headers=signed("msg_2", body)).status_code)
        print("the shop gets:", inbox.get(timeout=30))
        notice = {"order": 42, "text": "Your parcel is on its way."}
        first, second = (client.post("/notices", json=notice) for _ in range(2))
        print("notice:", first.status_code, "the same:", first.json() == second.json())
        print("the shop gets:", inbox.get(timeout=30))
    print("left over:", inbox.qsize())


if __name__ == "__main__":
    main()
