"""Calls that are signed, and make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from convergekit.abc import Request
from convergekit.adapters.x import XAdapter, XConfig
from convergekit.testing import FakeContext
from tests.adapters.x.feed_kit import SETTINGS

pytestmark = pytest.mark.anyio


def _deep(levels: int) -> Any:
    return json.loads('{"a":' * levels + "1" + "}" * levels)


@pytest.mark.parametrize("levels", [50, 100, 200, 290])
@pytest.mark.parametrize(
    "wrap", [lambda deep: {"for_user_id": "99", **deep}, lambda deep: {"data": deep}, lambda deep: deep]
)
async def test_whatever_is_told_can_be_kept(levels: int, wrap: Any) -> None:
    context = FakeContext(channel="x")
    settings = {**SETTINGS, "activity": "webhook", "manage_webhook": False}
    async with XAdapter(XConfig.model_validate(settings), context) as adapter:
        events = await adapter.parse(Request(method="POST", body=json.dumps(wrap(_deep(levels))).encode()))
        await context.admit(*events)

    assert events
    assert all(event.model_dump_json() for event in events)
