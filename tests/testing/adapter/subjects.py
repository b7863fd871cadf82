"""Three adapters of different style, as the contract is told about them."""

# ruff: noqa: RUF012  the attributes of a subject are the same for each instance, and nobody changes them

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx

from convergekit.abc import Outgoing
from convergekit.adapters.loopback import LoopbackAdapter, Medium
from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import AuthenticationError, NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.http import StandardWebhooks, hmac_signature
from convergekit.model import Receipt
from convergekit.testing.adapter import Call, Cannot, Ending, Fault, HttpSubject, Subject

EXAMPLES = Path(__file__).parents[3] / "examples"


def example(name: str) -> Any:
    """A module of examples/."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pigeons = example("minimal_adapter")


class PigeonSubject(HttpSubject):
    """HTTP out, signed webhooks in: the least that a subject can be."""

    adapter = pigeons.PigeonAdapter
    secret = "how the loft signs"
    settings = {"url": "https://far.example/notes", "token": "t0ken-of-the-loft", "secret": secret}
    to = "pigeon:ann"
    senders = ("ann", "bob")

    def accept(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(202)

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        return json.dumps({"id": id, "from": sender, "text": text}).encode()

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return {"pigeon-signature": hmac_signature(secret.encode(), call.body).decode()}


class WebhookSubject(HttpSubject):
    """Standard Webhooks both ways."""

    adapter = WebhookAdapter
    secret = "whsec_" + base64.b64encode(b"1" * 32).decode()
    other_secret = "whsec_" + base64.b64encode(b"2" * 32).decode()
    settings = {"url": "https://far.example/hook", "secrets": [secret]}
    to = "https://far.example/hook"
    senders = ("mailto:ann@example.org", "mailto:bob@example.org")

    def accept(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(204)

    def ending(self, fault: Fault) -> tuple[Ending, ...]:
        # An endpoint is nobody's account: who refuses our signature refuses this message.
        return (RejectedError,) if fault is Fault.ACCOUNT else super().ending(fault)

    def message(self, *, id: str, sender: str, text: str) -> Call:
        document = {
            "type": "message.created",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": {"text": text, "sender": sender},
        }
        return Call(json.dumps(document).encode(), {"webhook-id": id})

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return StandardWebhooks([secret]).sign(call.headers["webhook-id"], at, call.body)

    def rotating(self) -> Mapping[str, Any]:
        return {**self.settings, "secrets": [self.other_secret, self.secret]}


class LoopbackSubject(Subject):
    """All three ways in, and a medium that is an object."""

    adapter = LoopbackAdapter
    secret = "how loopback signs"
    settings = {"secret": secret}
    to = "loopback:ann"
    senders = ("loopback:ann", "loopback:bob")

    def __init__(self) -> None:
        self.medium = Medium()
        self._pushed = 0

    def parts(self) -> Mapping[str, Any]:
        return {"medium": self.medium}

    def fault(self, fault: Fault) -> None:
        match fault:
            case Fault.UNREACHABLE:
                self.medium.script(NotSentError("nobody there"))
            case Fault.REFUSED:
                self.medium.script(RejectedError("no", code="550"))
            case Fault.ACCOUNT:
                self.medium.script(AuthenticationError("who are you"))
            case Fault.THROTTLED:
                self.medium.script(ThrottledError("later", retry_after=7))
            case Fault.SERVER_ERROR | Fault.ANSWER_LOST | Fault.RESET:
                self.medium.script(UncertainError(fault.value))
            case Fault.SILENT:
                self.medium.script(self._never)
            case _:
                raise Cannot("answers in memory have no form that could be wrong")

    async def _never(self, out: Outgoing) -> Receipt:
        self.medium.accept(out)
        await anyio.sleep_forever()
        raise AssertionError

    def received(self) -> Sequence[bytes]:
        return [sent.text.encode() for sent in self.medium.sent]

    def message(self, *, id: str, sender: str, text: str) -> Mapping[str, Any]:
        return {"key": id, "message_id": id, "sender": sender, "text": text}

    def nonsense(self) -> Sequence[Any]:
        return [{"key": "x1", "sender": 7}]

    async def push(self, said: Any) -> None:
        self.medium.say(**said)
        self._pushed += 1

    def acknowledged(self) -> int:
        return self._pushed - len(self.medium._pushed)

    async def feed(self, said: Any) -> None:
        self.medium.post(**said)

    def refuse_login(self) -> None:
        self.medium.refuses_login = AuthenticationError("who are you")

    def call(self, said: Any) -> Call:
        return Call(json.dumps(said).encode())

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return {"x-signature": hmac_signature(secret.encode(), call.body).decode()}


SUBJECTS = [LoopbackSubject, WebhookSubject, PigeonSubject]
