"""The contract of an adapter, for a channel that speaks CloudEvents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from convergekit.adapters.webhook.subject import WebhookSubject
from convergekit.model import ConversationRef, CustomReceived, MessageReceived
from convergekit.testing.adapter import RULES, Call, Sample, verify

FAR = "https://far.example"


def event(id: str, type: str, data: Mapping[str, Any]) -> Call:
    said = {"specversion": "1.0", "id": id, "source": FAR, "type": type, "time": "2026-01-01T00:00:00Z", "data": data}
    headers = {"content-type": "application/cloudevents+json", "webhook-id": f"call-{id}"}
    return Call(json.dumps(said).encode(), headers)


class CloudEventSubject(WebhookSubject):
    """Writes them in binary form, and is told in structured form."""

    settings = {**WebhookSubject.settings, "format": "cloudevents", "source": "https://we.example"}  # noqa: RUF012
    dsn = None
    native = {**WebhookSubject.native, "attributes": {"subject": "parcel/7"}}  # noqa: RUF012
    samples = (
        Sample(
            "a message with a thread",
            event("1", "message.created", {"text": "Hello.", "sender": "mailto:ann@example.org", "thread": "t1"}),
            [
                MessageReceived(
                    key=f"{FAR} 1",
                    message_id="1",
                    sender="mailto:ann@example.org",
                    conversation=ConversationRef(address=f"{FAR}/hook", thread="t1"),
                    at="2026-01-01T00:00:00Z",
                    text="Hello.",
                )
            ],
        ),
        Sample(
            "an event that is no message",
            event("2", "invoice-paid/v1", {"number": 7}),
            [CustomReceived(key=f"{FAR} 2", name="invoice-paid/v1", data={"number": 7})],
        ),
    )

    def text_of(self, message: bytes) -> str:
        text: str = json.loads(message.partition(b"\r\n\r\n")[2])["text"]
        return text

    def message(self, *, id: str, sender: str, text: str) -> Call:
        return event(id, "message.created", {"text": text, "sender": sender})

    def rotating(self) -> Mapping[str, Any]:
        return {**self.settings, "secrets": [self.other_secret, self.secret]}


def test_a_channel_of_events_keeps_what_every_channel_promises() -> None:
    """On one event loop: what is another one's is proven for the channel as it is."""
    rules = [rule for rule in RULES if not rule.startswith("config-")]  # the settings are the same
    broken = [str(result) for result in verify(CloudEventSubject, backends=["trio"], rules=rules) if not result.is_good]
    assert broken == []
