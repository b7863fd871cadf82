"""The far side of Standard Webhooks, for the contract and for `convergekit verify webhook`."""

# ruff: noqa: D102, RUF012  `Subject` says what each method is for; attributes are the same for all instances

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from convergekit.errors import RejectedError
from convergekit.http import StandardWebhooks
from convergekit.model import ConversationRef, CustomReceived, MessageReceived
from convergekit.testing.adapter import Call, Ending, Fault, HttpSubject, Sample

from .adapter import WebhookAdapter

__all__ = ["WebhookSubject"]


def _call(id: str, type: str, data: Mapping[str, Any]) -> Call:
    document = {"type": type, "timestamp": "2026-01-01T00:00:00Z", "data": data}
    return Call(json.dumps(document).encode(), {"webhook-id": id})


class WebhookSubject(HttpSubject):
    """Standard Webhooks both ways."""

    adapter = WebhookAdapter
    secret = "whsec_" + base64.b64encode(b"\xfb\xef\xbe\xff" * 8).decode()  # with + and / in it
    other_secret = "whsec_" + base64.b64encode(b"2" * 32).decode()
    settings = {"url": "https://far.example/hook", "secrets": [secret]}
    dsn = f"webhook://{quote(secret, safe='')}@far.example/hook"
    native = {"type": "parcel.sent", "data": {"parcel": 7}}
    to = "https://far.example/hook"
    senders = ("mailto:ann@example.org", "mailto:bob@example.org")
    samples = (
        Sample(
            "a message with a thread",
            _call("1", "message.created", {"text": "Hello.", "sender": "mailto:ann@example.org", "thread": "t1"}),
            [
                MessageReceived(
                    key="1",
                    message_id="1",
                    sender="mailto:ann@example.org",
                    conversation=ConversationRef(address="https://far.example/hook", thread="t1"),
                    at="2026-01-01T00:00:00Z",
                    text="Hello.",
                )
            ],
        ),
        Sample(
            "a document that is no message",
            _call("2", "invoice.paid", {"number": 7}),
            [CustomReceived(key="2", name="invoice.paid", data={"number": 7})],
        ),
    )

    def accept(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(204)

    def text_of(self, message: bytes) -> str:
        text: str = json.loads(message.partition(b"\r\n\r\n")[2])["data"]["text"]
        return text

    def identity(self, message: bytes) -> object:
        return re.findall(rb"^webhook-id: (.*)\r$", message, re.MULTILINE)

    def ending(self, fault: Fault) -> tuple[Ending, ...]:
        # An endpoint is nobody's account: who refuses our signature refuses this message.
        return (RejectedError,) if fault is Fault.ACCOUNT else super().ending(fault)

    def message(self, *, id: str, sender: str, text: str) -> Call:
        return _call(id, "message.created", {"text": text, "sender": sender})

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return StandardWebhooks([secret]).sign(call.headers["webhook-id"], at, call.body)

    def rotating(self) -> Mapping[str, Any]:
        return {**self.settings, "secrets": [self.other_secret, self.secret]}
