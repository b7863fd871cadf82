"""Webhooks out: what is posted, how it is signed, and what each answer means."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from convergekit.adapters.webhook import WebhookAdapter
from convergekit.errors import (
    AuthenticationError,
    DeliveryError,
    NotSentError,
    RejectedError,
    StoreError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.http import StandardWebhooks
from convergekit.model import (
    Attachment,
    Capabilities,
    ConversationRef,
    IdempotencyKind,
    Message,
    Part,
    Status,
)
from convergekit.testing import FakeContext, outgoing
from tests.adapters.webhook.kit import HOME, NEW, OLD, START, adapter_over, config, received

pytestmark = pytest.mark.anyio


class Endpoint:
    """Takes what is posted."""

    def __init__(self, status: int = 204, **headers: str) -> None:
        self.requests: list[httpx.Request] = []
        self._status, self._headers = status, {name.replace("_", "-"): value for name, value in headers.items()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status, headers=self._headers)

    @property
    def document(self) -> Any:
        return json.loads(self.requests[-1].content)


async def test_a_message_is_a_signed_document() -> None:
    endpoint = Endpoint()
    receipt = await adapter_over(endpoint, headers={"authorization": "Bearer x"}).send(outgoing(HOME, "hello"))
    request = endpoint.requests[0]

    assert endpoint.document == {
        "type": "message.created",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "data": {"text": "hello"},
    }
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer x"
    assert request.headers["webhook-id"] == "dispatch1/0"
    for secret in (NEW, OLD):
        assert StandardWebhooks([SecretStr(secret)]).verify(received(request), START)
    assert (receipt.status, receipt.ids, receipt.part) == (Status.DELIVERED, ("dispatch1/0",), 0)


async def test_the_id_stays_the_same_over_attempts_and_the_timestamp_is_the_attempts_own() -> None:
    endpoint, context = Endpoint(), None
    context = FakeContext(transport=httpx.MockTransport(endpoint))
    adapter = adapter_over(endpoint, context)
    await adapter.send(outgoing(HOME))
    context.clock.advance(3600)
    await adapter.send(outgoing(HOME, attempt=2, maybe_sent=True))
    first, second = (request.headers for request in endpoint.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600
    assert StandardWebhooks([SecretStr(NEW)]).verify(received(endpoint.requests[1]), START + timedelta(hours=1))


@pytest.mark.parametrize("key", ["order-42: shipped", "a.b", "ä\r\nx: y", "x" * 5000, ""])
async def test_a_key_that_cannot_be_signed_is_stood_for_by_a_digest(key: str) -> None:
    endpoint = Endpoint()
    adapter = adapter_over(endpoint)
    for _ in range(2):
        await adapter.send(outgoing(HOME, key=key))
    ids = {request.headers["webhook-id"] for request in endpoint.requests}
    assert len(ids) == 1
    assert ids.pop().startswith("key_")


async def test_all_that_the_model_can_say_is_in_the_document() -> None:
    endpoint = Endpoint()
    message = Message(
        markdown="**hi**",
        cc=["mailto:bob@example.org"],
        reply_to="m7",
        importance="urgent",
        language="en",
        headers={"x-a": "b"},
    )
    part = Part(
        text="hi",
        html="<b>hi</b>",
        subject="s",
        attachments=(
            Attachment(data=b"abc", name="a.txt", media_type="text/plain"),
            Attachment(url="https://example.org/b.pdf", name="b.pdf", description="A plan."),
        ),
    )
    conversation = ConversationRef(address=HOME, thread="t1")
    await adapter_over(endpoint, sender="https://us.example/in").send(
        outgoing(HOME, message=message, part=part, conversation=conversation, index=0, count=2)
    )
    assert endpoint.document["data"] == {
        "text": "hi",
        "html": "<b>hi</b>",
        "markdown": "**hi**",
        "subject": "s",
        "sender": "https://us.example/in",
        "cc": ["mailto:bob@example.org"],
        "reply_to": "m7",
        "thread": "t1",
        "importance": "urgent",
        "language": "en",
        "headers": {"x-a": "b"},
        "part": {"index": 0, "count": 2},
        "attachments": [
            {"name": "a.txt", "media_type": "text/plain", "size": 3, "data": base64.b64encode(b"abc").decode()},
            {
                "name": "b.pdf",
                "media_type": "application/pdf",
                "description": "A plan.",
                "url": "https://example.org/b.pdf",
            },
        ],
    }


async def test_native_names_another_type_and_adds_to_the_data() -> None:
    endpoint = Endpoint()
    await adapter_over(endpoint).send(outgoing(HOME, "x", native={"type": "order.shipped", "data": {"order": 42}}))
    assert (endpoint.document["type"], endpoint.document["data"]) == ("order.shipped", {"text": "x", "order": 42})


@pytest.mark.parametrize(
    "native", [{"typ": "x"}, {"type": "a b"}, "text", {"data": {"x": b"bytes"}}, {"data": {"x": float("nan")}}]
)
async def test_native_that_is_not_of_this_form_is_refused_and_nothing_goes_out(native: Any) -> None:
    endpoint = Endpoint()
    with pytest.raises(UnsupportedContentError):
        await adapter_over(endpoint).send(outgoing(HOME, native=native))
    assert endpoint.requests == []


async def test_a_repeat_is_the_same_document() -> None:
    """Signed anew, and otherwise byte for byte what went before: who keeps bodies by their id sees no conflict."""
    endpoint = Endpoint()
    context = FakeContext(transport=httpx.MockTransport(endpoint))
    adapter = adapter_over(endpoint, context)
    for attempt in (1, 2):
        await adapter.send(outgoing(HOME, attempt=attempt, first_attempt_at=START))
        context.clock.advance(3600)
    first, second = endpoint.requests
    assert first.content == second.content
    assert json.loads(first.content)["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_a_thin_document_says_only_which_message_it_is() -> None:
    """And what the host has chosen to add; content, names and files stay here."""
    endpoint = Endpoint()
    part = Part(text="secret", subject="secret", attachments=(Attachment(data=b"secret"),))
    out = outgoing(HOME, part=part, delivery="d7", key="k7", native={"data": {"order": 42}})
    await adapter_over(endpoint, payload="thin", sender="https://us.example/in").send(out)
    assert endpoint.document["data"] == {"id": "d7", "key": "k7", "order": 42}
    assert endpoint.requests[0].headers["webhook-id"] == "k7"
    assert b"secret" not in endpoint.requests[0].content


async def test_what_is_too_large_is_refused_and_never_cut() -> None:
    endpoint = Endpoint()
    with pytest.raises(UnsupportedContentError, match="max_body"):
        await adapter_over(endpoint, max_body=2000).send(outgoing(HOME, "x" * 2000))
    part = Part(text="x", attachments=(Attachment(data=b"x" * 60), Attachment(data=b"x" * 60)))
    with pytest.raises(UnsupportedContentError):
        await adapter_over(endpoint, inline_limit=100).send(outgoing(HOME, part=part))
    assert endpoint.requests == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, RejectedError) for status in (301, 302, 307, 400, 401, 402, 403, 404, 405, 409, 410, 413, 422)),
        *((status, NotSentError) for status in (407, 408, 425)),
        (429, ThrottledError),
        *((status, UncertainError) for status in (500, 502, 503, 504)),
    ],
)
async def test_each_answer_has_its_outcome(status: int, error: type[DeliveryError]) -> None:
    with pytest.raises(DeliveryError) as caught:
        await adapter_over(Endpoint(status, location="https://elsewhere.example/")).send(outgoing(HOME))
    assert type(caught.value) is error
    assert caught.value.code == str(status)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_delivered(status: int) -> None:
    assert (await adapter_over(Endpoint(status)).send(outgoing(HOME))).status is Status.DELIVERED


@pytest.mark.parametrize(
    ("status", "said", "attempt", "waits"),
    [
        (429, "60", 1, 60),
        (503, "60", 1, 60),
        (503, "Thu, 01 Jan 2026 00:01:00 GMT", 1, 60),
        (503, "Thursday, 01-Jan-26 00:01:00 GMT", 1, 60),
        (429, "1", 1, 5),  # not sooner than we would have come by ourselves
        (429, "Thu, 01 Jan 1970 00:00:00 GMT", 1, 5),
        (429, "1", 3, 1800),
        (429, "999999", 1, 3600),  # not for days
        (429, "999999", 4, 14400),
        (429, "999999", 99, 172800),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT", 1, 3600),
        (429, "9" * 12, 1, 3600),
        # What makes no sense is as if it had not been said.
        *(
            (429, nonsense, 1, 60)
            for nonsense in ("-5", "1e9", "9" * 31, "nan", "inf", "soon", "", "60, 60", "Thu, 99")
        ),
    ],
)
async def test_retry_after_is_honoured_between_bounds(status: int, said: str, attempt: int, waits: float) -> None:
    with pytest.raises(ThrottledError) as caught:
        await adapter_over(Endpoint(status, retry_after=said)).send(outgoing(HOME, attempt=attempt))
    assert caught.value.retry_after == waits
    assert caught.value.scope == "conversation", "other endpoints go on"


@pytest.mark.parametrize("said", ["-5", "1" + "0" * 30, "nan", "soon"])
async def test_503_with_a_retry_after_that_makes_no_sense_is_as_without(said: str) -> None:
    with pytest.raises(UncertainError):
        await adapter_over(Endpoint(503, retry_after=said)).send(outgoing(HOME))


async def test_410_is_a_refusal_even_when_the_ledger_fails() -> None:
    endpoint = Endpoint(410)
    context = FakeContext(transport=httpx.MockTransport(endpoint))
    context.refuses_admission = StoreError("the disk is full")
    with pytest.raises(RejectedError):
        await adapter_over(endpoint, context).send(outgoing(HOME))


async def test_plain_http_to_others_is_refused_unless_permitted() -> None:
    endpoint = Endpoint()
    with pytest.raises(RejectedError, match="allow_http"):
        await adapter_over(endpoint).send(outgoing("http://example.org/"))
    assert endpoint.requests == []
    assert await adapter_over(endpoint, allow_networks="127.0.0.1").send(outgoing("http://127.0.0.1/"))
    assert await adapter_over(endpoint, allow_http=True).send(outgoing("http://example.org/"))


async def test_a_channel_that_can_only_receive_keeps_the_message_until_a_person_acts() -> None:
    adapter = adapter_over(Endpoint(), secrets=(), inbound_secrets=(SecretStr(NEW),))
    with pytest.raises(AuthenticationError, match="secrets"):
        await adapter.send(outgoing(HOME))
    health = await adapter.check()
    assert (health.ok, health.detail.partition(":")[0]) == (False, "nothing can be signed")


async def test_check_asks_for_nothing_to_be_done() -> None:
    endpoint = Endpoint(405)
    assert (await adapter_over(endpoint).check()).ok
    assert [request.method for request in endpoint.requests] == ["HEAD"]
    assert (await adapter_over(endpoint, url=None).check()).ok

    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("SECRET")

    health = await adapter_over(unreachable).check()
    assert not health.ok
    assert "SECRET" not in health.detail


def test_limits_can_be_read_without_a_connection() -> None:
    assert isinstance(WebhookAdapter.capabilities, Capabilities)
    assert WebhookAdapter.capabilities.idempotency.kind is IdempotencyKind.KEY
    assert WebhookAdapter.hold == 0
    assert WebhookAdapter.send_timeout > config(timeout=60).timeout
    assert sum(WebhookAdapter.retry.schedule or ()) > 72 * 3600
    assert WebhookAdapter(config(inline_limit=0), FakeContext()).capabilities.attachments.count == 0
