"""Two SMS gateways, of which the second takes over when the first refuses: `python examples/two_gateways.py`.

No SMS leaves this machine: transports stand in for the gateways, and answer as their documents say.
"""

from typing import Any

import anyio
import httpx

from convergekit import Hub, MemoryStore, first_of
from convergekit.errors import DeliveryError

# [settings]
SETTINGS: dict[str, dict[str, Any]] = {
    "twilio": {
        "adapter": "sms",
        "gateway": "twilio",
        "account": {"account_sid": "AC0123", "auth_token": "from the environment"},
        "from": "+15005550006",
        "default": True,  # who does not say which gets the first
    },
    "messagebird": {
        "adapter": "sms",
        "gateway": "messagebird",
        "account": {"access_key": "from the environment"},
        "from": "Lantern",
    },
}
# [settings end]

# [route]
alerts = first_of("twilio", "messagebird")
# [route end]


def twilio(request: httpx.Request) -> httpx.Response:
    """It sends to Germany, and the account has not enabled Kenya; what is for Austria gets lost on the way back."""
    to = dict(httpx.QueryParams(request.content.decode()))["To"]
    print("twilio is asked:", to)
    if to.startswith("+254"):
        return httpx.Response(400, json={"code": 21408, "message": "Permission to send has not been enabled"})
    if to.startswith("+43"):
        raise httpx.ReadError("the connection was lost")
    return httpx.Response(201, json={"sid": "SM1", "status": "queued"})


def messagebird(request: httpx.Request) -> httpx.Response:
    print("messagebird is asked")
    return httpx.Response(201, json={"id": "mb1"})


async def main() -> None:
    async with Hub(store=MemoryStore()) as hub:
        for name, gateway in (("twilio", twilio), ("messagebird", messagebird)):
            await hub.add_channel(name, SETTINGS[name], transport=httpx.MockTransport(gateway))

        for number in ("+4915112345678", "+254700000041", "+4366412345678"):
            # [send]
            try:
                sent = await hub.send("The lamp is on again.", to=f"sms:{number}", via=alerts)
                print(f"{number}: {sent.status}")
            except DeliveryError as exc:
                print(f"{number}: {exc}")  # may have gone out, so nobody else is asked
            # [send end]


anyio.run(main)
