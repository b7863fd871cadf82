"""Whatever comes, it is read or told as unreadable, can be stored, and takes no longer than it is long."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.reading import activity, directs, posts
from convergekit.errors import InvalidInputError
from convergekit.model import CustomReceived, Event
from convergekit.model.wire import event_from_json, event_to_json
from tests.adapters.x.reading.samples import (
    ANN,
    NOW,
    OWN,
    POST,
    SHE,
    US,
    direct,
    direct_by_webhook,
    envelope,
    mention,
    page,
    received,
)

#: Everything that JSON can say: halves of characters and characters of control among it.
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([OWN, ANN, POST, "https://t.co/a", "\ud800", "\x00", "\u202e", "1e999", "9" * 30])
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
PLACES = st.lists(st.integers(min_value=0, max_value=60), min_size=1, max_size=4)


def is_kept(event: Event) -> None:
    """It has a key unless it is ephemeral, and comes back from the ledger as it was."""
    assert event.key or event.type == "typing.changed"
    assert event_from_json(event_to_json(event)) == event


def all_kept(events: Any) -> None:
    for event in events:
        is_kept(event)


def sample() -> dict[str, Any]:
    """A page that has everything in it."""
    post = mention(
        "@shop &lt; https://t.co/a",
        display_text_range=[6, 20],
        referenced_tweets=[{"type": "replied_to", "id": "5"}, {"type": "quoted", "id": "6"}],
        attachments={"media_keys": ["3_1", "7_1"], "poll_ids": ["9"]},
        note_tweet={"text": "@shop long", "entities": {"urls": [], "mentions": [{"id": OWN, "username": "shop"}]}},
    )
    video = {"media_key": "7_1", "duration_ms": 5, "variants": [{"bit_rate": 5, "content_type": "video/mp4"}]}
    return page(
        post,
        tweets=[{"id": "5", "author_id": OWN, "text": "a"}],
        media=[{"media_key": "3_1", "url": "https://pbs.twimg.com/a.jpg", "alt_text": "x"}, video],
        polls=[{"id": "9", "options": [{"label": "a", "votes": 1}], "end_datetime": "2026-08-01T00:00:00.000Z"}],
    )


def broken(value: Any, path: list[int], put: Any) -> Any:
    """*value* with something else at the place to which *path* leads."""
    if not path or not isinstance(value, dict | list) or not value:
        return put
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    key: Any = keys[path[0] % len(keys)]
    copy[key] = broken(copy[key], path[1:], put)
    return copy


@given(ANYTHING)
def test_any_json_is_read_or_refused(value: Any) -> None:
    body = json.dumps(value).encode()
    if isinstance(value, dict):
        all_kept(activity(body, own=OWN, now=NOW))
        all_kept(posts(value, own=OWN, now=NOW))
        all_kept(directs(value, own=OWN, now=NOW))
    else:
        with pytest.raises(InvalidInputError):
            activity(body, own=OWN, now=NOW)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(InvalidInputError):
        all_kept(activity(body, own=OWN, now=NOW))


@given(PLACES, ANYTHING)
def test_a_page_with_anything_anywhere_is_read(path: list[int], put: Any) -> None:
    all_kept(posts(broken(sample(), path, put) | {"meta": {}}, own=OWN, now=NOW))


@given(PLACES, ANYTHING)
def test_direct_messages_with_anything_anywhere_are_read(path: list[int], put: Any) -> None:
    item = direct(attachments={"media_keys": ["3_1"]}, urls=[{"url": "https://t.co/a"}], participant_ids=[ANN])
    for kind in ("MessageCreate", "ParticipantsJoin"):
        whole = page({**item, "event_type": kind, "dm_conversation_id": "77"})
        all_kept(directs(broken(whole, path, put) | {"meta": {}}, own=OWN, now=NOW))


@given(
    st.sampled_from(
        [
            received(direct_by_webhook()),
            envelope("post.mention.create", mention(), includes={"users": [SHE, US]}),
            envelope("post.delete", {"id": POST, "author_id": ANN}),
            envelope("chat.received", {"id": "a", "sender_id": ANN, "conversation_id": f"{ANN}:{OWN}"}),
            envelope("oauth.revoke", {"user_id": OWN, "date_time": "2026-07-23T21:44:05+00:00"}),
            envelope("dm.read", {"sender_id": ANN, "last_read_event_id": "5", "created_timestamp": "1784928300000"}),
            envelope("dm.indicate_typing", {"sender_id": ANN}),
        ]
    ),
    PLACES,
    ANYTHING,
)
def test_an_envelope_with_anything_anywhere_is_read(body: Any, path: list[int], put: Any) -> None:
    found = broken(body, path, put)
    if isinstance(found, dict):
        all_kept(activity(json.dumps(found).encode(), own=OWN, now=NOW))


def test_half_of_a_character_is_replaced_and_whole_ones_are_not() -> None:
    body = json.dumps(envelope("dm.received", direct("\ud83d and \U0001f600"))).encode()
    (event,) = activity(body, own=OWN, now=NOW)
    assert event.model_dump()["text"] == "\ufffd and \U0001f600"


def nested(levels: int) -> dict[str, Any]:
    inner: Any = {}
    for _ in range(levels):
        inner = {"in": inner}
    return inner  # type: ignore[no-any-return]


def test_what_is_nested_too_deep_is_told_and_the_others_are_read() -> None:
    told = posts(page(mention(geo=nested(100)), mention(id="20")), own=OWN, now=NOW)
    assert [event.name if isinstance(event, CustomReceived) else event.key for event in told] == [
        "post:20",
        "x.unreadable",
    ]
    all_kept(told)


def test_a_list_that_nobody_knows_and_is_nested_too_deep_is_told_too() -> None:
    told = list(activity({"new_events": nested(100), "direct_message_events": [direct_by_webhook()]}, own=OWN, now=NOW))
    assert len(told) == 2
    all_kept(told)


@pytest.mark.parametrize(
    "text",
    [
        "@a " * 300_000,
        "https://t.co/a" * 60_000,
        "&lt;" * 200_000,
        "@" + "a" * 900_000,
        "https://" * 100_000,
        "\x00" * 900_000,
    ],
)
def test_a_megabyte_of_anything_takes_less_than_a_second(text: str) -> None:
    links = [{"url": f"https://t.co/a{n}", "expanded_url": "https://example.org/" + "b" * 50} for n in range(5000)]
    links.append({"url": "https://t.co/a", "expanded_url": "https://example.org"})
    post = mention(text, display_text_range=[len(text), len(text)], entities={"urls": links, "mentions": []})
    began = time.process_time()
    posts(page(post), own=OWN, now=NOW)
    assert time.process_time() - began < 1.0


def test_a_page_of_thousands_takes_as_long_as_it_is_long() -> None:
    items = [mention(id=str(int(POST) + number)) for number in range(2000)]
    users = [{**SHE, "id": str(number)} for number in range(1, 20_000)]
    began = time.process_time()
    assert len(posts(page(*items, users=users), own=OWN, now=NOW)) == 2000
    assert time.process_time() - began < 3.0
