"""The loft of the minimal adapter, played, and every promise of an adapter: `pytest examples/minimal_contract.py`."""

import json
from collections.abc import Mapping
from datetime import datetime

import httpx
import pytest
from minimal_adapter import PigeonAdapter

from convergekit.http import hmac_signature
from convergekit.model import MessageReceived
from convergekit.testing import AdapterContract
from convergekit.testing.adapter import Call, HttpSubject, Sample


# [subject]
class PigeonSubject(HttpSubject):
    adapter = PigeonAdapter
    secret = "how the loft signs"
    settings = {"url": "https://far.example/notes", "token": "t0ken-of-the-loft", "secret": secret}  # noqa: RUF012
    to = "pigeon:ann"
    senders = ("pigeon:ann", "pigeon:bob")
    samples = (
        Sample(
            "a note",
            b'{"id": "n1", "from": "ann", "text": "Coo."}',
            [MessageReceived(key="n1", message_id="n1", sender="pigeon:ann", text="Coo.")],
        ),
    )

    def accept(self, request: httpx.Request) -> httpx.Response:
        is_short = len(json.loads(request.content)["text"]) <= 500
        return httpx.Response(202 if is_short else 422)

    def text_of(self, message: bytes) -> str:
        text: str = json.loads(message.partition(b"\r\n\r\n")[2])["text"]
        return text

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        return json.dumps({"id": id, "from": sender.removeprefix("pigeon:"), "text": text}).encode()

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return {"pigeon-signature": hmac_signature(secret.encode(), call.body).decode()}


class TestPigeon(AdapterContract):
    @pytest.fixture
    def subject(self) -> PigeonSubject:
        return PigeonSubject()


# [subject end]
