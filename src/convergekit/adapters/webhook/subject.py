"""The far side of Standard Webhooks, for the contract and for `convergekit verify webhook`."""

# ruff: noqa: D102, RUF012  `Subject` says what each method is for; attributes are the same for all instances

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from convergekit.errors import RejectedError
from convergekit.http import StandardWebhooks
from convergekit.testing.adapter import Call, Ending, Fault, HttpSubject

from .adapter import WebhookAdapter

__all__ = ["WebhookSubject"]


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
