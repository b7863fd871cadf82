"""CloudEvents both ways, in each of their forms; the library of their makers has the last word."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from convergekit.abc import Headers, Request
from convergekit.adapters.webhook.cloudevents import (
    CloudEvent,
    handshake,
    key_of,
    read,
    to_binary,
    to_json,
    to_request,
)
from convergekit.errors import (
    InvalidInputError,
    UncertainError,
    UnsupportedContentError,
    UnsupportedMediaTypeError,
)
from convergekit.http import StandardWebhooks
from convergekit.model import CustomReceived, Message, MessageReceived, Part
from convergekit.testing import outgoing
from tests.adapters.webhook.kit import HOME, NEW, START, adapter_over, channel, config
from tests.asgi_kit import Answer, call
from tests.oracles import oracle

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/cloudevents+json; charset=UTF-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
BINARY = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "/shop", "ce-type": "order.shipped"}
SHIPPED: dict[str, Any] = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.shipped"}
MESSAGE = {
    **SHIPPED,
    "type": "message.created",
    "time": "2026-01-02T03:04:05Z",
    "data": {"text": "hi", "sender": "sms:+4915112345678"},
}
LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(str.strip)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINE, inner, max_size=3),
    max_leaves=6,
)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def theirs() -> ModuleType:
    return oracle("cloudevents.core.bindings.http")


# What is read


def test_an_event_is_the_same_in_either_form() -> None:
    binary = {**BINARY, "ce-subject": "parcel 7".replace(" ", "%20"), "content-type": "application/json"}
    structured = {**SHIPPED, "subject": "parcel 7", "datacontenttype": "application/json", "data": {"n": 7}}
    (one,), (other,) = read(binary, b'{"n": 7}'), read(JSON, body(structured))
    assert one == other
    assert (one.id, one.source, one.type, one.data) == ("7", "/shop", "order.shipped", {"n": 7})
    assert one.attributes == {"subject": "parcel 7", "datacontenttype": "application/json"}
    assert to_json(one) == structured


def test_a_batch_is_read_in_order_and_may_be_empty() -> None:
    assert read(BATCH, b"[]") == ()
    assert [event.id for event in read(BATCH, body([SHIPPED, {**SHIPPED, "id": "8"}]))] == ["7", "8"]


@pytest.mark.parametrize(
    ("content_type", "content", "data"),
    [
        ("application/json", b"[1]", [1]),
        ("application/vnd.shop+json; charset=utf-8", b'"x"', "x"),
        (None, b"{}", {}),
        ("text/plain", "ä".encode(), "ä"),
        ("text/plain", b"\xff", b"\xff"),
        ("image/png", b"\x89PNG", b"\x89PNG"),
        ("image/png", b"", None),
    ],
)
def test_data_are_what_their_type_says(content_type: str | None, content: bytes, data: Any) -> None:
    headers = BINARY if content_type is None else {**BINARY, "content-type": content_type}
    (event,) = read(headers, content)
    assert event.data == data
    if isinstance(data, bytes):
        assert to_json(event)["data_base64"] == base64.b64encode(data).decode()
        assert read(JSON, body(to_json(event))) == (event,)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41", "A"),
        ("100%25", "100%"),
        ("%2541", "%41"),  # one round only
        ('"a \\"quoted\\" one"', 'a "quoted" one'),
        ("  x  ", "x"),
    ],
)
def test_a_header_is_decoded_as_the_binding_says(written: str, value: str) -> None:
    assert read({**BINARY, "ce-subject": written}, b"")[0].attributes["subject"] == value


@pytest.mark.parametrize(
    "headers",
    [
        {**BINARY, "ce-subject": "%C0%A0"},  # an overlong blank
        {**BINARY, "ce-specversion": "0.3"},
        {**BINARY, "ce-id": ""},
        {**BINARY, "ce-type": "%0D%0Ax"},
        {**BINARY, "ce-datacontenttype": "text/html"},
        {**BINARY, "ce-data": "x"},
        {name: value for name, value in BINARY.items() if name != "ce-source"},
    ],
)
def test_headers_that_are_no_event_make_no_sense(headers: Mapping[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        read(headers, b"{}")


@pytest.mark.parametrize("headers", [BINARY, {**BINARY, "content-type": "application/json"}])
def test_data_that_say_they_are_json_are(headers: Mapping[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        read(headers, b"{")


@pytest.mark.parametrize(
    "value",
    [
        [],
        "x",
        {},
        {**SHIPPED, "specversion": 1.0},
        {**SHIPPED, "id": 7},
        {**SHIPPED, "id": None},
        {**SHIPPED, "source": " "},
        {**SHIPPED, "type": "a\nb"},
        {**SHIPPED, "data_base64": "?"},
        {**SHIPPED, "data_base64": "AAAA", "data": 1},
        {**SHIPPED, "data_base64": ["AAAA"]},
    ],
)
def test_an_object_that_is_no_event_makes_no_sense(value: Any) -> None:
    with pytest.raises(InvalidInputError):
        read(JSON, body(value))
    with pytest.raises(InvalidInputError):
        read(BATCH, body([SHIPPED, value]))
    if isinstance(value, dict):
        with pytest.raises(InvalidInputError):
            read(BATCH, body(value))


@pytest.mark.parametrize("content_type", ["application/json", "application/cloudevents+avro", "text/html", "", None])
def test_what_is_in_no_form_that_is_read_is_of_an_unknown_kind(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="cloudevents"):
        read({} if content_type is None else {"content-type": content_type}, body(SHIPPED))


@given(
    st.dictionaries(st.sampled_from([*BINARY, "ce-x", "content-type"]), st.text(max_size=30)), st.binary(max_size=50)
)
def test_nothing_that_arrives_raises_anything_but_invalid_input(headers: dict[str, str], content: bytes) -> None:
    for more in ({}, JSON, BATCH, BINARY):
        try:
            events = read({**headers, **more}, content)
        except InvalidInputError:
            continue
        assert all(json.dumps(to_json(event)) for event in events)


def test_source_and_id_together_tell_events_apart() -> None:
    def key(source: str, id: str) -> str:
        return key_of(CloudEvent(id, source, "t"))

    assert key("https://a.example/x", "7") == "https://a.example/x 7"
    different = [key("/a", "7"), key("/b", "7"), key("/a b", "7"), key("/a", "b 7"), key("/a b 7", "7")]
    assert len(set(different)) == 5
    assert len(key("/" + "a" * 9000, "7")) < 100


# What is written


@given(LINE, LINE, LINE, st.dictionaries(st.from_regex(r"x[a-z0-9]{1,9}", fullmatch=True), LINE, max_size=3), VALUES)
def test_what_is_written_is_read(id: str, source: str, type: str, more: dict[str, str], data: Any) -> None:
    document = {"type": type, "timestamp": "2026-01-02T03:04:05Z", "data": data}
    for structured in (True, False):
        headers, content = to_request(document, more, id=id, source=source, structured=structured)
        (event,) = read({name: value.encode().decode("latin-1") for name, value in headers.items()}, content)
        assert (event.id.strip(), event.source.strip()) == (id.strip(), source.strip())
        assert event.data == data
        assert {name: value.strip() for name, value in event.attributes.items()} == {
            **{name: value.strip() for name, value in more.items()},
            "time": "2026-01-02T03:04:05Z",
            "datacontenttype": "application/json",
        }


def test_a_truth_value_and_a_number_are_written_as_the_type_system_says() -> None:
    headers = to_binary(CloudEvent("7", "/shop", "t", {"retried": True, "count": 3}))
    assert (headers["ce-retried"], headers["ce-count"]) == ("true", "3")


@pytest.mark.parametrize("name", ["id", "data", "time", "datacontenttype", "Subject", "a-b", "", "x" * 65])
def test_an_attribute_that_is_taken_or_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedContentError, match="no attribute"):
        to_request(MESSAGE, {name: "x"}, id="7", source="/shop", structured=True)
    with pytest.raises(UnsupportedContentError, match="no attribute"):
        to_request(MESSAGE, {"subject": "a\r\nb"}, id="7", source="/shop", structured=False)


# The library of their makers


@given(LINE, st.from_regex(r"/[a-z/]{0,9}", fullmatch=True), VALUES.filter(lambda value: value is not None))
def test_their_library_reads_what_we_write(id: str, subject: str, data: Any) -> None:
    theirs = oracle("cloudevents.core.bindings.http")
    document = {"type": "order.shipped", "timestamp": "2026-01-02T03:04:05Z", "data": data}
    for structured in (True, False):
        headers, content = to_request(document, {"subject": subject}, id=id, source="/shop", structured=structured)
        event = theirs.from_http_event(theirs.HTTPMessage(headers, content))
        assert (event.get_id(), event.get_source(), event.get_type()) == (id, "/shop", "order.shipped")
        assert (event.get_subject(), event.get_data()) == (subject, data)
        assert event.get_time() == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@given(LINE, LINE, VALUES.filter(lambda value: isinstance(value, dict)) | st.binary(min_size=1))
def test_we_read_what_their_library_writes(id: str, subject: str, data: Any) -> None:
    theirs, events = oracle("cloudevents.core.bindings.http"), oracle("cloudevents.core.v1.event")
    content_type = "image/png" if isinstance(data, bytes) else "application/json"
    said = {"id": id, "source": "/shop", "type": "t", "subject": subject, "datacontenttype": content_type}
    event = events.CloudEvent({**said, "time": datetime(2026, 1, 2, tzinfo=UTC), "x1": "ä"}, data)
    for write in (theirs.to_binary_event, theirs.to_structured_event):
        message = write(event)
        (found,) = read({name.lower(): value for name, value in message.headers.items()}, message.body)
        assert to_json(found) == {
            "specversion": "1.0",
            **said,
            "time": "2026-01-02T00:00:00Z",
            "x1": "ä",
            **({"data_base64": base64.b64encode(data).decode()} if isinstance(data, bytes) else {"data": data}),
        }


# The channel


async def post(app: Any, content: bytes, headers: Mapping[str, str], *, id: str = "call1") -> Answer:
    signed = StandardWebhooks([NEW]).sign(id, START, content)
    return await call(app, body=content, headers={**headers, **signed})


def source(**more: Any) -> dict[str, Any]:
    return {"format": "cloudevents", "source": "/us", **more}


async def test_a_message_comes_in_as_a_message_and_all_else_as_an_event() -> None:
    async with channel(**source()) as (app, context):
        batch = body([MESSAGE, {**SHIPPED, "id": "8", "traceparent": "00-1", "data": {"n": 1}}])
        assert (await post(app, batch, BATCH)).status == 204
    message, other = context.admitted
    assert isinstance(message, MessageReceived)
    assert (message.key, message.message_id, message.text) == ("/shop 7", "7", "hi")
    assert (message.at, str(message.sender)) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "sms:+4915112345678")
    assert message.conversation is not None
    assert message.conversation.address.uri == HOME
    assert isinstance(other, CustomReceived)
    assert (other.key, other.name, other.data) == ("/shop 8", "order.shipped", {"n": 1})
    assert other.native == {**SHIPPED, "id": "8", "traceparent": "00-1", "data": {"n": 1}}


async def test_the_same_event_in_another_call_is_stored_once() -> None:
    async with channel(**source()) as (app, context):
        for number in range(3):
            assert (await post(app, body(MESSAGE), JSON, id=f"call{number}")).status == 204
        assert (await post(app, body([MESSAGE, MESSAGE]), BATCH)).status == 204
    assert len(context.admitted) == 1


async def test_headers_that_nobody_signed_do_not_make_a_repeat_another_event() -> None:
    async with channel(**source()) as (app, context):
        for id in ("7", "8"):
            assert (await post(app, b"{}", {**BINARY, "ce-id": id, "content-type": "application/json"})).status == 204
    (event,) = context.admitted
    assert event.key == "call1"


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (body(SHIPPED), {"content-type": "application/json"}, 415),
        (body(SHIPPED), {"content-type": "application/cloudevents+xml"}, 415),
        (b"{", JSON, 400),
        (body({**MESSAGE, "data": "no object"}), JSON, 400),
        (body({**MESSAGE, "time": "yesterday"}), JSON, 400),
    ],
)
async def test_what_is_refused_is_answered_with_what_it_is(
    content: bytes, headers: dict[str, str], status: int
) -> None:
    async with channel(**source()) as (app, context):
        assert (await post(app, content, headers)).status == status
        assert (await call(app, body=content, headers=headers)).status == 401
    assert context.admitted == []


@pytest.mark.parametrize("format", ["cloudevents", "cloudevents-structured"])
async def test_a_message_goes_out_as_an_event_and_comes_in_as_the_message_that_it_was(format: str) -> None:
    sent: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    attributes = {"attributes": {"subject": "parcel/7"}}
    message = Message("Grüße", subject="s", native={"webhook": attributes})
    out = outgoing(HOME, message=message, part=Part(text="Grüße", subject="s"), native=attributes)
    await adapter_over(accept, **source(format=format)).send(out)
    (request,) = sent
    async with channel(**source()) as (app, context):
        answer = await call(app, body=request.content, headers=dict(request.headers))
    (event,) = context.admitted
    assert answer.status == 204
    assert isinstance(event, MessageReceived)
    assert (event.text, event.subject, event.message_id) == ("Grüße", "s", request.headers["webhook-id"])
    assert event.native["source"] == "/us"
    assert event.native["subject"] == "parcel/7"
    assert ("ce-id" in request.headers) == (format == "cloudevents")


async def test_attributes_are_refused_where_there_is_no_event_to_have_them() -> None:
    with pytest.raises(UnsupportedContentError, match="format"):
        await adapter_over(lambda _: httpx.Response(204)).send(outgoing(HOME, native={"attributes": {"subject": "x"}}))


async def test_an_event_is_the_same_in_every_attempt() -> None:
    sent: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(500)

    adapter = adapter_over(refuse, **source())
    for _ in range(2):
        with pytest.raises(UncertainError):
            await adapter.send(outgoing(HOME, first_attempt_at=START))
    one, other = sent
    assert {name: one.headers[name] for name in one.headers if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-id": "dispatch1/0",
        "ce-source": "/us",
        "ce-type": "message.created",
        "ce-time": START.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert one.content == other.content
    assert one.headers == other.headers


KEY = "key1:" + base64.b64encode(b"0123456789abcdef").decode()


async def test_message_signatures_sign_the_attributes_of_an_event_both_ways() -> None:
    """Through the channel: what one signs the other takes, at the URL that the configuration says and no other."""
    sent: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    url = "https://us.example/hooks"
    settings = source(scheme="rfc9421", secrets=(KEY,), url=url)
    await adapter_over(accept, **settings).send(outgoing(url, native={"attributes": {"subject": "parcel/7"}}))
    (request,) = sent
    headers = dict(request.headers)
    assert '"ce-subject"' in headers["signature-input"]
    async with channel(**settings, public_url="https://us.example") as (app, context):
        for changed in ({"ce-subject": "parcel/8"}, {"ce-more": "x"}, {"content-type": "text/plain"}):
            assert (await call(app, body=request.content, headers={**headers, **changed})).status == 401
        assert (await call(app, body=request.content + b" ", headers=headers)).status == 401
        assert (await call(app, body=request.content, headers=headers)).status == 204
    async with channel(**settings, public_url="https://other.example") as (app, _):
        assert (await call(app, body=request.content, headers={**headers, "host": "us.example"})).status == 401
    (event,) = context.admitted
    assert isinstance(event, MessageReceived)
    assert event.native["subject"] == "parcel/7"


async def test_a_bearer_token_is_proof_as_the_specification_of_their_webhooks_has_it() -> None:
    scheme = {"name": "header", "header": "Authorization", "prefix": "Bearer "}
    async with channel(**source(scheme=scheme, secrets=("mF_9.B5f-4.1JqM",))) as (app, context):
        for token, status in (("mF_9.B5f-4.1JqM", 204), ("guessed", 401)):
            answer = await call(app, body=body(MESSAGE), headers={**JSON, "authorization": f"Bearer {token}"})
            assert answer.status == status
    assert [event.key for event in context.admitted] == ["/shop 7"]


# The handshake


ASKED = {"WebHook-Request-Origin": "events.example.org", "WebHook-Request-Rate": "120"}


async def test_a_sender_may_call_that_the_settings_name_and_nobody_else() -> None:
    async with channel(allowed_origins="events.example.org") as (app, context):
        granted = await call(app, body=b"", method="OPTIONS", headers=ASKED)
        refused = await call(
            app, body=b"", method="OPTIONS", headers={**ASKED, "WebHook-Request-Origin": "evil.example"}
        )
        unasked = await call(app, body=b"", method="OPTIONS")
        posted = await call(app, headers=ASKED)
    assert granted.status == 200
    assert granted.headers["webhook-allowed-origin"] == "events.example.org"
    assert granted.headers["webhook-allowed-rate"] == "*"
    assert granted.headers["allow"] == "POST"
    assert [refused.status, unasked.status, posted.status] == [405, 405, 401]
    assert not [name for name in refused.headers if name.startswith("webhook-")]
    assert context.admitted == []


async def test_nobody_is_allowed_unless_the_settings_say_so() -> None:
    async with channel() as (app, _):
        assert (await call(app, body=b"", method="OPTIONS", headers=ASKED)).status == 405


@pytest.mark.parametrize(
    ("allowed", "origin", "said"),
    [
        (("*",), "anybody.example", "*"),
        (("*.example.org",), "Events.Example.org", "Events.Example.org"),
        (("*.example.org",), "example.org", None),
        (("*.example.org",), "events.example.org.evil.example", None),
        (("a.example", "b.example"), "b.example", "b.example"),
        (("*",), "a\r\nset-cookie: x", None),
        (("*",), "<script>", None),
        (("*",), "", None),
    ],
)
def test_an_answer_repeats_nothing_but_the_name_of_one_who_is_allowed(
    allowed: tuple[str, ...], origin: str, said: str | None
) -> None:
    request = Request("OPTIONS", headers=Headers({"webhook-request-origin": origin}))
    answer = handshake(request, allowed)
    assert (answer and answer.headers["webhook-allowed-origin"]) == said


def test_a_callback_is_neither_called_nor_repeated() -> None:
    """`handshake` has nothing to call it with."""
    asked = {name.lower(): value for name, value in ASKED.items()}
    request = Request("OPTIONS", headers=Headers({**asked, "webhook-request-callback": "https://evil.example/"}))
    assert handshake(request, ["*"]) == handshake(Request("OPTIONS", headers=Headers(asked)), ["*"])


# The settings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"format": "cloudevents"}, "source is empty"),
        ({"format": "cloudevents", "source": "a b"}, "source"),
        ({"format": "avro"}, "format"),
        ({"allowed_origins": "https://events.example.org"}, "no name of a system"),
        ({"allowed_origins": ["*.*"]}, "no name of a system"),
        ({"headers": {"Webhook-Id": "x"}}, "header"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        config(**settings)


def test_a_sender_stands_for_a_source_and_who_only_receives_needs_none() -> None:
    assert config(format="cloudevents", sender="https://we.example/in").source is None
    assert config(format="cloudevents", secrets=(), inbound_secrets=NEW).format == "cloudevents"


async def test_an_endpoint_that_wants_to_know_who_calls_is_told() -> None:
    sent: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    await adapter_over(accept, headers={"WebHook-Request-Origin": "we.example"}).send(outgoing(HOME))
    assert sent[0].headers["webhook-request-origin"] == "we.example"
