"""Correct adapters of different style, as the contract is told about them."""

# ruff: noqa: RUF012  the attributes of a subject are the same for each instance, and nobody changes them

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from convergekit.adapters.loopback.subject import LoopbackSubject
from convergekit.adapters.webhook.subject import WebhookSubject
from convergekit.http import hmac_signature
from convergekit.model import MessageReceived
from convergekit.testing.adapter import Call, HttpSubject, Sample
from tests.testing.adapter.telegraph import TelegraphSubject

__all__ = ["SUBJECTS", "LoopbackSubject", "PigeonSubject", "TelegraphSubject", "WebhookSubject", "example", "pigeons"]

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
    senders = ("pigeon:ann", "pigeon:bob")
    samples = (
        Sample(
            "a note",
            b'{"id": "n1", "from": "ann", "text": "Coo."}',
            [MessageReceived(key="n1", message_id="n1", sender="pigeon:ann", text="Coo.")],
        ),
    )

    def accept(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(202)

    def message(self, *, id: str, sender: str, text: str) -> bytes:
        return json.dumps({"id": id, "from": sender.removeprefix("pigeon:"), "text": text}).encode()

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return {"pigeon-signature": hmac_signature(secret.encode(), call.body).decode()}


SUBJECTS = [LoopbackSubject, WebhookSubject, PigeonSubject, TelegraphSubject]
