"""A system that signs in a way of its own is taken by a webhook channel: `python examples/own_signature.py`.

Nothing listens here: the system calls the app directly.
"""

import json
from datetime import UTC, datetime

import anyio
import httpx

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.errors import ConfigurationError, SignatureError
from convergekit.http.signatures import (
    Challenge,
    Incoming,
    Secrets,
    Verified,
    agree,
    fresh,
    header_of,
    hmac_signature,
    secrets_of,
)

hub = Hub(store=MemoryStore())


# [scheme]
class Lighthouse:
    """`Lighthouse-Signature: <time>.<id>.<signature>`: an HMAC-SHA256 over time, id and body."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets_of(secrets)  # one or several, as text or SecretStr; none of them is empty

    def sign(self, id: str, at: datetime, body: bytes, **_: object) -> dict[str, str]:
        if not self._secrets or "." in id:  # the dot parts id and signature
            raise ConfigurationError("an id without dots, and a secret, are needed to sign")
        signed = f"{int(at.timestamp())}.{id}".encode()
        signature = hmac_signature(self._secrets[0], signed + b"." + body)
        return {"lighthouse-signature": f"{signed.decode()}.{signature.decode()}"}

    def verify(self, request: Incoming, now: datetime) -> Verified:
        given = header_of(request, "lighthouse-signature").split(b".", 3)  # there, and not longer than 8 KiB
        if len(given) != 3:
            raise SignatureError("the signature has another form")
        seconds, id, signature = given
        timestamp = fresh(seconds, now.timestamp(), tolerance=300)  # the replay window
        signed = seconds + b"." + id + b"." + request.body
        key = agree(signature, [hmac_signature(secret, signed) for secret in self._secrets])  # in constant time
        return Verified(id.decode("latin-1"), timestamp, key)

    def challenge(self, request: Incoming, now: datetime) -> Challenge | None:
        return None  # it asks nothing before it calls


# [scheme end]


@hub.on_message(channel="lighthouse")
async def answer(message: MessageReceived) -> None:
    print(f"{message.key}: {message.text}")


async def call(client: httpx.AsyncClient, scheme: Lighthouse, id: str) -> int:
    body = json.dumps({"type": "message.created", "data": {"text": "The lamp is out."}}).encode()
    headers = scheme.sign(id, datetime.now(UTC), body)
    return (await client.post("/lighthouse", content=body, headers=headers)).status_code


async def main() -> None:
    async with hub:
        # [add]
        scheme = Lighthouse(["a-secret-of-both-sides"])  # yours: from the environment
        await hub.add_channel("lighthouse", {"adapter": "webhook", "scheme": "own"}, scheme=scheme)
        # [add end]
        app = httpx.ASGITransport(app=hub.asgi())
        async with httpx.AsyncClient(transport=app, base_url="https://we.example.org") as client:
            print("forged:", await call(client, Lighthouse("another"), "1"))
            print("signed:", await call(client, scheme, "2"))
        await hub.idle()


if __name__ == "__main__":
    anyio.run(main)
