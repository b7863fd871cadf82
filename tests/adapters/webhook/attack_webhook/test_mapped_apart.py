"""Two things that a system calls by the same number."""

from __future__ import annotations

import json

import pytest

from convergekit.http.signatures import StandardWebhooks
from tests.adapters.webhook.kit import NEW, START, channel
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
