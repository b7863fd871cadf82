"""One entry of a call, of whoever wrote it, for which all others would be refused."""

from __future__ import annotations

import pytest

from convergekit.model import event_from_json, event_to_json
from tests.adapters.webhook.mapping.kit import call, events, mapper

WORDS = ("sender", "sender_name", "conversation", "message_id", "subject", "name", "at", "id")


@pytest.mark.parametrize(
    "said",
    [
        "\U0001f600" * 400,
        "mailto:" + "\U0001f600" * 400,
        "https://[::1",
        "https://user:pass@h/\0",
        "x:" + "9" * 400,
        "\u202e\u2028\x85 %zz %00",
        "mailto:a@" + "b" * 500,
        "\ud7ff\uffff\ufdfa" * 300,
        "webhook:" + "/" * 500,
    ],
)
def test_whatever_a_name_is_its_message_is_one(said: str) -> None:
    """Else the call is refused as often as it is made, and with it what other people have said in it."""
    reader = mapper({"each": "body.list", "text": "entry.text", **{word: f"entry.{word}" for word in WORDS}})
    hostile = {"text": said, **dict.fromkeys(WORDS, said)}
    found = events(reader, call({"list": [{"text": "honest", "id": 1}, hostile]}))
    assert next(getattr(event, "text", None) for event in found) == "honest"
    assert [event_from_json(event_to_json(event)) for event in found] == list(found)
