"""GitHub and a system of one's own call, and what they say becomes messages: `python examples/webhook_rules.py`.

Nothing listens here: the other side calls the app directly.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx

from convergekit import Hub, MessageReceived
from convergekit.http.signatures import GitHub, Hmac
from convergekit.model import CustomReceived

SECRET = "only-for-this-example"

hub = Hub.from_toml(Path(__file__).with_name("webhook_rules.toml"))


# [handle]
@hub.on_message()
async def show(message: MessageReceived) -> None:
    who = "a program" if message.automated else message.sender
    print(f"{message.channel}: {who}: {message.text}")


@hub.on_event(CustomReceived)
async def note(event: CustomReceived) -> None:
    print(f"{event.channel}: {event.name}: {event.data}")


# [handle end]

COMMENT = {
    "action": "created",
    "issue": {"title": "Parcel is late", "html_url": "https://github.com/ann/parcel/issues/7"},
    "comment": {
        "body": "It has arrived.",
        "node_id": "IC_1",
        "user": {"login": "ann", "html_url": "https://github.com/ann", "type": "User"},
        "created_at": "2026-01-01T12:00:00Z",
    },
}
ALARM = {"kind": "alarm", "unit": "k2", "serial": 41, "what": "too hot", "degrees": 96, "time": 1767268800}
READINGS = {
    "kind": "readings",
    "serial": 42,
    "readings": [{"unit": "k1", "degrees": 61}, {"unit": "k2", "degrees": 97}],
}


async def main() -> None:
    now, app = datetime.now(UTC), httpx.ASGITransport(app=hub.asgi())
    async with hub, httpx.AsyncClient(transport=app, base_url="https://we.example.org") as client:

        async def call(channel: str, document: object, scheme: GitHub | Hmac, **headers: str) -> int:
            body = json.dumps(document).encode()
            signed = {**headers, **scheme.sign("d1", now, body)}
            answer = await client.post(f"/{channel}", content=body, headers=signed)
            await hub.idle()  # every handler has done its work
            return answer.status_code

        github, boiler = GitHub([SECRET]), Hmac([SECRET], header="X-Boiler-Signature")
        await call("code", COMMENT, github, **{"x-github-event": "issue_comment"})
        print("sent again:", await call("code", COMMENT, github, **{"x-github-event": "issue_comment"}))
        print("ignored:", await call("code", {"action": "started"}, github, **{"x-github-event": "watch"}))
        await call("boiler", ALARM, boiler)
        await call("boiler", READINGS, boiler)
        print("forged:", await call("boiler", ALARM, Hmac(["another"], header="X-Boiler-Signature")))


if __name__ == "__main__":
    anyio.run(main)
