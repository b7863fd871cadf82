"""Two SMS gateways, of which the second takes over when the first refuses: `python examples/two_gateways.py`.

No SMS leaves this machine: transports stand in for the gateways, and answer as their documents say.
"""

from typing import Any

import anyio
import httpx

from convergekit import Hub, MemoryStore, MessageReceived, first_of
from convergekit.errors import UncertainError

TOKEN = "yours-from-the-environment"  # in the path by which the second gateway calls us

# [settings]
SETTINGS: dict[str, dict[str, Any]] = {
    "sms-main": {
        "adapter": "sms",
        "gateway": "twilio",
        "account": {"account_sid": "AC0123", "auth_token": "from the environment"},
        "from": "+15005550006",
        "callback_url": "https://example.org/hooks/sms-main",
        "default": True,  # who does not say which gets this one
    },
    "sms-spare": {
        "adapter": "sms",
        "gateway": "vonage",
        "account": {"api_key": "abcd", "api_secret": "from the environment"},
        "from": "+447700900123",
        "callback_url": "https://example.org/hooks/sms-spare",
        "callback_token": TOKEN,
    },
}
# [settings end]

# [route]
alerts = first_of("sms-main", "sms-spare")
# [route end]

hub = Hub(store=MemoryStore())
answered = anyio.Event()


# [reply]
@hub.on_message(channel="sms-*")  # who got the alert from the spare number answers that one
async def answer(message: MessageReceived) -> str:
    return f"Noted, over {message.channel}."  # and hears from it: a reply goes back where the message came in


# [reply end]


def main_gateway(request: httpx.Request) -> httpx.Response:
    to = httpx.QueryParams(request.content.decode())["To"]
    print("  (the main one is asked)")
    if to.startswith("+254"):
        return httpx.Response(400, json={"code": 21408, "message": "Permission to send has not been enabled"})
    if to.startswith("+43"):
        raise httpx.ReadTimeout("it was written, and no answer came")
    if to.startswith("+33"):
        return httpx.Response(401, json={"code": 20003, "message": "Authenticate"})
    return httpx.Response(201, json={"sid": "SM1", "status": "queued"})


def spare_gateway(request: httpx.Request) -> httpx.Response:
    said = httpx.QueryParams(request.content.decode())
    print(f"  (the spare one is asked for {said['text']!r})")
    if said["text"].startswith("Noted"):
        answered.set()
    return httpx.Response(200, json={"messages": [{"status": "0", "message-id": "v1", "to": said["to"]}]})


async def send(number: str) -> None:
    print(number)
    # [send]
    try:
        sent = await hub.send("The lamp is out.", to=f"sms:{number}", via=alerts)
        print(f"  {sent.status}")
        for leg in sent.deliveries:
            if leg.reason is not None:
                print(f"  {leg.channel}: {leg.reason}")
    except UncertainError as exc:
        print(f"  UNKNOWN, {exc}")  # it may have gone out: to ask the other one now might make two of it
    # [send end]


async def reply_comes_in() -> None:
    print("they answer")
    query = {"msisdn": "254700000041", "to": "447700900123", "messageId": "in-1", "text": "On my way."}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=hub.asgi()), base_url="https://example.org") as they:
        await they.get(f"/sms-spare/{TOKEN}", params=query)
    await answered.wait()


async def run() -> None:
    async with hub:
        await hub.add_channel("sms-main", SETTINGS["sms-main"], transport=httpx.MockTransport(main_gateway))
        await hub.add_channel("sms-spare", SETTINGS["sms-spare"], transport=httpx.MockTransport(spare_gateway))

        print(await hub.plan("The lamp is out.", to="sms:+4915112345678", via=alerts))
        await send("+4915112345678")  # all is well
        await send("+254700000041")  # refused: the account may not send there
        await reply_comes_in()
        await send("+4366412345678")  # the answer is lost
        await send("+33612345678")  # the account is refused, and the channel is down ...
        await send("+4915112345678")  # ... so it is not even asked
        print({name: str(each.state) for name, each in hub.health().channels.items()})


anyio.run(run)
