"""Two things that a system calls by the same number, and ten thousand that have something in common."""

from __future__ import annotations

import json

import pytest

from convergekit.adapters.webhook.mapping import places
from convergekit.http.signatures import StandardWebhooks
from tests.adapters.webhook.kit import NEW, START, channel
from tests.adapters.webhook.mapping.kit import call as request
from tests.adapters.webhook.mapping.kit import events, mapper
from tests.asgi_kit import call

pytestmark = pytest.mark.anyio


async def test_a_comment_is_no_repeat_of_the_issue_with_its_number() -> None:
    """Each is counted from 1 on; the second would be lost, and nobody told."""
    rules = [
        {"when": {f"body.{kind}": {"present": True}}, "id": f"body.{kind}.id", "text": f"body.{kind}.text"}
        for kind in ("issue", "comment")
    ]
    async with channel(messages=rules) as (app, context):
        for number, kind in enumerate(("issue", "comment", "issue")):
            body = json.dumps({kind: {"id": 7, "text": kind}}).encode()
            await call(app, body=body, headers=StandardWebhooks([NEW]).sign(f"m{number}", START, body))
    assert [getattr(event, "text", None) for event in context.admitted] == ["issue", "comment"]


def test_what_all_entries_of_a_call_have_in_common_is_made_plain_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand entries with a long sender that all of them share took half a minute of everybody's time."""
    made: list[str] = []

    def plain(text: str) -> str:
        made.append(text)
        return text

    monkeypatch.setattr(places, "_plain", plain)
    shared = dict.fromkeys(("sender", "sender_name", "conversation", "message_id", "subject"), "body.big")
    reader = mapper({"each": "body.list", "id": "entry.id", "text": "entry.text", **shared})
    entries = [{"id": number, "text": "t"} for number in range(100)]
    found = events(reader, request({"big": "x\r\n" * 1000, "list": entries}))
    assert len({event.key for event in found}) == 100
    assert len([text for text in made if text.startswith("x")]) == len(shared)
