"""Support by SMS: people write, and are answered; STOP and HELP do what they say. `python examples/support_by_sms.py`.

No SMS leaves this machine: a transport stands in for the gateway, which calls back as its documents say.
"""

from typing import Any

import anyio
import httpx

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.adapters.sms import Sms
from convergekit.errors import SuppressedError
from convergekit.model import ConsentChanged

TOKEN = "yours-from-the-environment"  # in the path by which the gateway calls us
SETTINGS: dict[str, Any] = {
    "adapter": "sms",
    "gateway": "vonage",
    "account": {"api_key": "abcd", "api_secret": "from the environment"},
    "from": "+447700900123",
    "callback_url": "https://example.org/hooks/support",
    "callback_token": TOKEN,
}

# [bot]
hub = Hub(store=MemoryStore())
WORDS = {
    "help": "Lantern support. Tell us what is broken, or write STOP.",
    "stop": "You will hear no more of us. START takes that back.",
    "start": "Good to have you back.",
}


@hub.on_message(channel="support")
async def answer(message: MessageReceived) -> str | None:
    sms = Sms.of(message)
    if sms.keyword is not None:  # the word alone; what it means for their consent is kept without us
        return WORDS[sms.keyword]
    if sms.maybe_opt_out:  # it reads so, and is no such word: nothing was done about it
        print("a person decides about:", message.text)
        return None
    return "Thank you. A person will write to you today."


# [bot end]

changed = anyio.Event()
sent: list[str] = []


@hub.on_event(ConsentChanged)
async def noted(change: ConsentChanged) -> None:
    changed.set()


def gateway(request: httpx.Request) -> httpx.Response:
    sent.append(httpx.QueryParams(request.content.decode())["text"])
    return httpx.Response(200, json={"messages": [{"status": "0", "message-id": "v1"}]})


async def they_write(*texts: str) -> None:
    transport = httpx.ASGITransport(app=hub.asgi())
    async with httpx.AsyncClient(transport=transport, base_url="https://example.org") as client:
        for number, text in enumerate(texts):
            said = {"msisdn": "447700900456", "to": "447700900123", "messageId": f"in-{number}", "text": text}
            await client.post(f"/support/{TOKEN}", data=said)


async def main() -> None:
    async with hub:
        await hub.add_channel("support", SETTINGS, transport=httpx.MockTransport(gateway))
        await they_write("The lamp is broken.", "help", "Please stop writing to me", "Stop!")
        await changed.wait()
        try:
            await hub.send("Did the new lamp arrive?", to="sms:+447700900456")
        except SuppressedError as exc:
            print("not sent:", exc)
    for text in sent:
        print("we:", text)


anyio.run(main)
