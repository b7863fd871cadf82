"""An SMS gateway that nobody has heard of, described in TOML only, both ways: `python examples/own_gateway.py`.

No SMS leaves this machine: a transport stands in for the gateway, which calls back as its documents say.
"""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import anyio
import httpx

from convergekit import Hub, MemoryStore, MessageReceived, Status
from convergekit.adapters.sms import Sms

PROFILE = Path(__file__).parent / "drum" / "src" / "convergekit_drum" / "drum.toml"

SIGNING_KEY = "yours: from the environment"

SETTINGS = {
    "adapter": "sms",
    "profile": str(PROFILE),
    "from": "+15005550006",
    "account": {"token": "from the environment, too", "signing_key": SIGNING_KEY},
    "callback_url": "https://example.org/hooks/alerts",
}

hub = Hub(store=MemoryStore())


# [answer]
@hub.on_message(channel="alerts")
async def answer(message: MessageReceived) -> str | None:
    if Sms.of(message).keyword is not None:
        return None  # STOP, START or HELP: what it means is kept already
    return f"You wrote {message.text!r}."


# [answer end]


class Drum:
    """The gateway: what it was sent, and how it calls back."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answered = anyio.Event()
        self.calls = httpx.ASGITransport(app=hub.asgi())

    def take(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        if len(self.sent) == 2:
            self.answered.set()
        return httpx.Response(202, json={"message": {"id": f"drum-{len(self.sent)}", "segments": 1}})

    async def call(self, *events: dict[str, object]) -> None:
        body, now = json.dumps({"events": events}).encode(), str(int(time.time()))
        signature = hmac.digest(SIGNING_KEY.encode(), f"{now}.".encode() + body, hashlib.sha256).hex()
        headers = {"X-Drum-Signature": signature, "X-Drum-Time": now, "Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=self.calls, base_url="https://example.org") as client:
            answered = await client.post("/alerts", content=body, headers=headers)
        print("we say:", answered.status_code, answered.text)


async def main() -> None:
    drum = Drum()
    async with hub:
        await hub.add_channel("alerts", SETTINGS, transport=httpx.MockTransport(drum.take))
        # [send]
        sent = await hub.send("Your parcel is on its way.", to="sms:+4915112345678")
        # [send end]
        ours = {"message_id": "drum-1", "client_ref": drum.sent[0]["client_ref"]}
        them = {"sender": {"number": "4915112345678"}, "recipient": {"number": "15005550006"}}
        await drum.call(
            {"kind": "report", "state": "delivered", **ours},
            {"kind": "message", "id": "in-1", "text": "Thanks!", **them},
        )
        await sent.wait(Status.DELIVERED, timeout=5)
        print("then:", sent.status)
        await drum.answered.wait()
    for each in drum.sent:
        print(f"to {each['recipient']['number']}: {each['text']}")


anyio.run(main)
