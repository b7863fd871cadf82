"""The hub inside a web application: callers come in under /hooks, and a page of the host's own sends.

Any ASGI server serves `app`. `python examples/mounted.py` plays the callers itself: `pip install starlette httpx2`.
"""

import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.adapters.loopback import Medium

SECRET = "only-for-this-example"  # yours comes from the environment
medium = Medium()

# [app]
hub = Hub(store=MemoryStore())


@hub.on_message(channel="support-hook")
async def answer(message: MessageReceived) -> str:
    return f"Thanks, we have your message: {message.text!r}"


async def shipped(request: Request) -> JSONResponse:
    order = request.path_params["order"]
    sent = await hub.submit("Your parcel is on its way.", to="loopback:ann", key=f"order-{order}:shipped")
    return JSONResponse({"dispatch": sent.id}, status_code=202)


async def health(request: Request) -> JSONResponse:
    now = hub.health()
    return JSONResponse({name: each.state for name, each in now.channels.items()}, 200 if now.ok else 503)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    async with hub:
        await hub.add_channel("support-hook", {"adapter": "loopback", "secret": SECRET}, medium=medium)
        yield  # the server stops taking calls first; then leaving the hub finishes what is due


app = Starlette(
    routes=[
        Route("/orders/{order}/shipped", shipped, methods=["POST"]),
        Route("/health", health),
        Mount("/hooks", app=hub.asgi()),
    ],
    lifespan=lifespan,
)
# [app end]


def main() -> None:
    body = b'{"key": "m-1", "sender": "loopback:ann", "text": "Where is it?"}'
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    with TestClient(app) as client:
        print(client.get("/health").json())
        print(client.post("/orders/42/shipped").status_code)
        print(client.post("/hooks/support-hook", content=body, headers={"x-signature": signature}).status_code)
        print(client.post("/hooks/support-hook", content=body, headers={"x-signature": "forged"}).status_code)
    print(*medium.texts(), sep="\n")


if __name__ == "__main__":
    main()
