"""What the medium says, as events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from convergekit.errors import InvalidInputError
from convergekit.model import CustomReceived, Event, MessageReceived, event_from_json

__all__ = ["to_event", "to_event_or_invalid", "to_events"]


def to_event(fields: Mapping[str, Any]) -> Event:
    """*fields* of `MessageReceived`; or of the event that a `type` among them names."""
    if "type" in fields:
        return event_from_json(json.dumps(dict(fields)))
    try:
        return MessageReceived.model_validate(fields)
    except ValidationError as exc:
        raise InvalidInputError(f"not a message: {exc.error_count()} fields do not fit") from exc


def to_event_or_invalid(fields: Mapping[str, Any]) -> Event:
    """As `to_event`; what makes no sense is kept as it is, for a person, and does not stand in the way of the next."""
    try:
        return to_event(fields)
    except InvalidInputError:
        return CustomReceived(key=str(fields["key"]), name="invalid_message", native=dict(fields))


def to_events(body: bytes) -> Sequence[Event]:
    """A webhook's body: a JSON object of fields, or a list of them."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise InvalidInputError("the body is not JSON") from exc
    items = document if isinstance(document, list) else [document]
    if not all(isinstance(item, dict) for item in items):
        raise InvalidInputError("the body is neither an object nor a list of objects")
    return [to_event(item) for item in items]
