"""What the tests of the mapping share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from convergekit.abc import Headers, Request
from convergekit.adapters.webhook.mapping import Mapper, Rule, load
from convergekit.model import CustomReceived, Event, MessageReceived

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOME = "https://example.org/hook"


def call(body: Any = b"", headers: dict[str, str] | None = None, *, query: str = "") -> Request:
    """A call with *body*: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", query=query, headers=Headers(headers or {}), body=raw)


def mapper(*rules: dict[str, Any], home: str | None = HOME, ids: Sequence[str] = (), **more: Any) -> Mapper:
    return Mapper([Rule.model_validate(rule) for rule in rules], channel="ci", home=home, ids=ids, **more)


def preset(name: str, **more: Any) -> Mapper:
    found = load(name)
    return Mapper(found.messages, ids=found.call_id, names=found.call_name, channel="ci", home=HOME, **more)


def events(mapper: Mapper, request: Request, id: str | None = "m1") -> tuple[Event, ...]:
    return mapper.events(request, NOW, id=id)


def message(mapper: Mapper, request: Request, id: str | None = "m1") -> MessageReceived:
    (event,) = events(mapper, request, id)
    assert isinstance(event, MessageReceived)
    return event


def custom(mapper: Mapper, request: Request, id: str | None = "m1") -> CustomReceived:
    (event,) = events(mapper, request, id)
    assert isinstance(event, CustomReceived)
    return event
