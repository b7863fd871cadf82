"""Webhooks in: what becomes of a signed document, and of everything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from convergekit.adapters.webhook import translator
from convergekit.errors import ConvergeError, InvalidInputError, StoreError
from convergekit.http import StandardWebhooks
from convergekit.model import Address, CustomReceived, Importance, MessageReceived, event_from_json, event_to_json
from tests.adapters.webhook.kit import HOME, NEW, OLD, START, channel
from tests.asgi_kit import Answer, call

pytestmark = pytest.mark.anyio


def body_of(type: str = "message.created", **data: Any) -> bytes:
    return json.dumps({"type": type, "timestamp": "2026-01-02T03:04:05Z", "data": data}).encode()


async def post(app: Any, body: bytes, *, secret: str = NEW, id: str = "msg1", at: datetime = START) -> Answer:
    return await call(app, body=body, headers=StandardWebhooks([SecretStr(secret)]).sign(id, at, body))


async def test_a_message_is_admitted_and_then_confirmed() -> None:
    async with channel() as (app, context):
        answer = await post(app, body_of(text="hi", sender="mailto:ann@example.org", subject="s", importance="urgent"))
    (event,) = context.admitted
    assert (answer.status, answer.body) == (204, b"")
    assert isinstance(event, MessageReceived)
    assert (event.key, event.message_id, event.text, event.subject) == ("msg1", "msg1", "hi", "s")
    assert event.importance is Importance.URGENT
    assert event.sender == Address("mailto:ann@example.org")
    assert event.at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert event.native["data"]["text"] == "hi"


async def test_an_answer_goes_to_the_configured_url_and_says_for_whom() -> None:
    """Never to an address that the document names: it could send us anywhere."""
    async with channel() as (app, context):
        await post(app, body_of(text="a", sender="https://evil.example/"), id="1")
        await post(app, body_of(text="b", sender="mailto:ann@example.org", thread="t9"), id="2")
        await post(app, body_of(text="c"), id="3")
    evil, ann, nobody = (event.conversation for event in context.admitted)
    assert evil is not None
    assert ann is not None
    assert nobody is not None
    assert {evil.address.uri, ann.address.uri, nobody.address.uri} == {HOME}
    assert (evil.thread, ann.thread, nobody.thread) == ("https://evil.example/", "t9", None)
    assert context.admitted[2].sender == Address(HOME)


async def test_without_a_url_an_answer_goes_to_the_sender() -> None:
    async with channel(url=None) as (app, context):
        await post(app, body_of(text="a", sender="https://them.example/"), id="1")
        await post(app, body_of(text="b"), id="2")
    assert [str(event.sender) for event in context.admitted] == ["https://them.example/", "webhook:hooks"]
    assert [event.conversation and event.conversation.address for event in context.admitted] == [
        event.sender for event in context.admitted
    ]


async def test_any_other_type_is_handed_on_as_it_is() -> None:
    async with channel() as (app, context):
        assert (await post(app, body_of("order.shipped", order=42))).status == 204
    (event,) = context.admitted
    assert isinstance(event, CustomReceived)
    assert (event.name, event.data, str(event.sender)) == ("order.shipped", {"order": 42}, HOME)


async def test_the_same_message_again_is_confirmed_again_and_stored_once() -> None:
    async with channel() as (app, context):
        assert [(await post(app, body_of(text="hi"))).status for _ in range(3)] == [204, 204, 204]
    assert len(context.admitted) == 1


async def test_attachments_come_along_and_no_file_of_ours_is_read() -> None:
    item = {"data": "YWJj", "name": "a.txt", "media_type": "text/plain", "path": "/etc/passwd", "claim": {"ref": "x"}}
    item["description"] = "A note."
    async with channel() as (app, context):
        assert (await post(app, body_of(text="x", attachments=[item]))).status == 204
        assert (await post(app, body_of(text="x", attachments=[{"path": "/etc/passwd"}]), id="2")).status == 400
    (event,) = context.admitted
    assert isinstance(event, MessageReceived)
    assert (event.attachments[0].data, event.attachments[0].path) == (b"abc", None)
    assert event.attachments[0].description == "A note."


@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_any_of_the_secrets_is_good(secret: str) -> None:
    async with channel() as (app, context):
        assert (await post(app, body_of(text="x"), secret=secret)).status == 204
    assert len(context.admitted) == 1


async def test_inbound_secrets_replace_the_others() -> None:
    async with channel(inbound_secrets=(SecretStr(OLD),)) as (app, _):
        assert (await post(app, body_of(text="x"), secret=NEW)).status == 401
        assert (await post(app, body_of(text="x"), secret=OLD)).status == 204


async def test_a_replay_is_refused() -> None:
    async with channel() as (app, context):
        body = body_of(text="x")
        headers = StandardWebhooks([SecretStr(NEW)]).sign("msg1", START, body)
        context.clock.advance(301)
        assert (await call(app, body=body, headers=headers)).status == 401
        early = StandardWebhooks([SecretStr(NEW)]).sign("msg1", context.clock.now() + timedelta(seconds=301), body)
        assert (await call(app, body=body, headers=early)).status == 401
    assert context.admitted == []


async def test_unsigned_is_refused_before_anything_is_read_into_it() -> None:
    async with channel() as (app, context):
        assert (await call(app, body=b"\xff not JSON")).status == 401
        assert (await call(app, body=body_of(text="x"), headers={"webhook-signature": "v1,,,"})).status == 401
    assert context.admitted == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b'{"type":1}',
        b'{"type":"a b","data":{}}',
        b'{"type":"message.created"}',
        b'{"type":"message.created","data":[]}',
        b'{"type":"message.created","data":{"text":5}}',
        b'{"type":"message.created","data":{"text":"\\ud800"}}',
        b'{"type":"message.created","data":{"text":"a\\u0000b"}}',
        b'{"type":"message.created","data":{"text":"x","sender":5}}',
        b'{"type":"message.created","data":{"text":"x","sender":"nonsense"}}',
        b'{"type":"message.created","data":{"text":"x","thread":{}}}',
        b'{"type":"message.created","data":{"text":"x","thread":"a\\nb"}}',
        b'{"type":"message.created","data":{"subject":"a\\r\\nBcc: b"}}',
        b'{"type":"message.created","data":{"cc":["x"]}}',
        b'{"type":"message.created","data":{"attachments":5}}',
        b'{"type":"message.created","data":{"attachments":[5]}}',
        b'{"type":"message.created","data":{"attachments":[{"data":"!"}]}}',
        b'{"type":"message.created","data":{"headers":{"a b":"c"}}}',
        b'{"type":"message.created","timestamp":"yesterday","data":{"text":"x"}}',
        b'{"type":"message.created","timestamp":"2026-01-01T00:00:00","data":{"text":"x"}}',
        b'{"type":"x","data":1e999}',
        b'{"type":"x","data":NaN}',
        b'{"type":"x","data":' + b"9" * 5000 + b"}",
        b'{"type":"x","data":"\\udfff"}',
        b'{"type":"x","data":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
async def test_what_is_signed_and_makes_no_sense_is_400(body: bytes) -> None:
    async with channel() as (app, context):
        assert (await post(app, body)).status == 400
    assert context.admitted == []


@pytest.mark.parametrize(
    ("data", "named"), [({"text": 5, "headers": {"a word": 7}}, "headers, text"), ({"sender": "a word"}, "sender")]
)
def test_the_fields_that_do_not_fit_are_named_and_what_is_in_them_is_not(data: dict[str, Any], named: str) -> None:
    """For whoever looks at a call by `convergekit parse`."""
    with pytest.raises(InvalidInputError) as caught:
        translator.to_event(body_of(**data), key="k", type="message.created", channel="shop", home=None)
    assert str(caught.value) == f"fields of the document do not fit: {named}"


async def test_more_than_the_channel_takes_is_refused_before_it_is_looked_at() -> None:
    async with channel(max_body=2000) as (app, _):
        assert (await post(app, body_of(text="x" * 2000))).status == 401


async def test_nothing_is_confirmed_that_is_not_stored() -> None:
    async with channel(refuses=StoreError("the disk is full")) as (app, _):
        assert (await post(app, body_of(text="x"))).status == 503


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = st.sampled_from(
    [
        "text",
        "html",
        "sender",
        "thread",
        "id",
        "cc",
        "attachments",
        "headers",
        "importance",
        "automated",
        "subject",
        "x",
    ]
)


@given(st.sampled_from(["message.created", "a.b"]), st.dictionaries(FIELDS, JSON) | JSON, JSON)
def test_whatever_a_document_holds_it_is_an_event_that_can_be_stored_or_a_value_error(
    type: str, data: Any, timestamp: Any
) -> None:
    body = json.dumps({"type": type, "timestamp": timestamp, "data": data}).encode()
    try:
        event = translator.to_event(body, key="k", type="message.created", channel="hooks", home=None)
    except (ConvergeError, ValueError):
        return
    assert event_from_json(event_to_json(event)) == event


@given(st.binary())
def test_whatever_bytes_come_they_are_an_event_or_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="document"):
        translator.to_event(body, key="k", type="message.created", channel="hooks", home=None)
