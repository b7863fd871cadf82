"""What every channel promises about what comes in, for one whose calls are read by rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from convergekit.adapters.webhook.subject import WebhookSubject
from convergekit.http.signatures import GitHub
from convergekit.model import ConversationRef, CustomReceived, MessageReceived
from convergekit.testing.adapter import RULES, Call, Sample, verify

ISSUE = "https://github.com/ann/parcel/issues/7"
OURS = {"receiving", "receiveswebhooks-the-medium-calls", "manners"}


def hook(id: str, event: str, **body: Any) -> Call:
    return Call(json.dumps(body).encode(), {"x-github-event": event, "x-github-delivery": id})


def comment(id: str, sender: str, text: str) -> Call:
    said = {"body": text, "user": {"html_url": sender}, "created_at": "2026-01-01T00:00:00Z", "node_id": f"IC_{id}"}
    return hook(id, "issue_comment", action="created", comment=said, issue={"html_url": f"{sender}/parcel/issues/7"})


class GitHubSubject(WebhookSubject):
    """GitHub's calls, and answers to the configured URL."""

    secret, other_secret = "a secret that GitHub knows", "another secret, as long"
    settings = {"url": "https://far.example/hook", "secrets": [secret], "preset": "github"}  # noqa: RUF012
    dsn = None
    samples = (
        Sample(
            "a comment",
            comment("1", "https://github.com/ann", "Hello."),
            [
                MessageReceived(
                    key="1",
                    message_id="IC_1",
                    sender="https://github.com/ann",
                    conversation=ConversationRef(address="https://far.example/hook", thread=ISSUE),
                    at="2026-01-01T00:00:00Z",
                    text="Hello.",
                )
            ],
        ),
        Sample(
            "what is no message",
            hook("2", "star", action="created"),
            [CustomReceived(key="2", name="star.created", data={"action": "created"})],
        ),
    )

    def message(self, *, id: str, sender: str, text: str) -> Call:
        return comment(id, sender, text)

    def sign(self, call: Call, *, at: datetime, secret: str) -> Mapping[str, str]:
        return GitHub([secret]).sign(call.headers["x-github-delivery"], at, call.body)

    def rotating(self) -> Mapping[str, Any]:
        return {**self.settings, "secrets": [self.other_secret, self.secret]}


def test_a_channel_of_rules_keeps_what_every_channel_promises() -> None:
    """On one event loop: rules know none."""
    rules = [id for id, rule in RULES.items() if rule.topic in OURS]
    broken = [str(result) for result in verify(GitHubSubject, backends=["trio"], rules=rules) if not result.is_good]
    assert broken == []
