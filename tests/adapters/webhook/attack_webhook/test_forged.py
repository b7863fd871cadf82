"""Calls that somebody makes who has seen a genuine one, and no secret."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from convergekit.abc import Headers, Request
from convergekit.errors import SignatureError
from convergekit.http.signatures import MessageSignatures, StandardWebhooks, Twilio
from convergekit.model import CustomReceived
from tests.adapters.webhook.kit import NEW, START, channel
from tests.asgi_kit import call

pytestmark = pytest.mark.anyio

SECONDS = int(START.timestamp())
URL = "https://us.example/hooks"
KEY = base64.b64encode(b"s" * 32).decode()
STRUCTURED = "application/cloudevents+json"
EVENT = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.paid", "data": {"order": 42}}


def test_no_other_message_is_cut_out_of_one_whose_id_has_a_time_in_it() -> None:
    """Its parts are joined by dots: "evt.TIME.x" and its body are "evt" and a longer body as well."""
    signed = f"evt.{SECONDS}.x.{SECONDS}.body".encode()
    proof = "v1," + base64.b64encode(hmac.digest(bytes([2]) * 32, signed, "sha256")).decode()
    id = f"evt.{SECONDS}.x"
    headers = {"webhook-id": id, "webhook-timestamp": str(SECONDS), "webhook-signature": proof}
    with pytest.raises(SignatureError):
        StandardWebhooks([NEW]).verify(Request("POST", headers=Headers(headers), body=b"body"), START)


def _signed(body: bytes, *covered: str, **headers: str) -> dict[str, str]:
    """As another implementation signs by RFC 9421, which need not cover an id."""
    scheme = MessageSignatures([f"k1:{KEY}"])
    said = scheme.sign("unused", START, body, url=URL)
    fields = {"content-digest": said["content-digest"], **headers}
    values = {"@method": "POST", "@target-uri": URL, **fields}
    names = ("@method", "@target-uri", "content-digest", *covered)
    listed = " ".join([f'"{name}"' for name in names])
    parameters = f'({listed});created={SECONDS};keyid="k1"'
    base = "\n".join([*(f'"{name}": {values[name]}' for name in names), f'"@signature-params": {parameters}'])
    proof = base64.b64encode(hmac.digest(b"s" * 32, base.encode(), "sha256")).decode()
    return {**fields, "signature-input": f"a={parameters}", "signature": f"a=:{proof}:"}


@pytest.mark.parametrize(("covered", "statuses"), [(("webhook-id",), [204, 401]), ((), [401, 401])])
async def test_an_id_that_no_http_message_signature_covers_is_none(covered: Any, statuses: list[int]) -> None:
    """Else the same call would be taken again under any other id."""
    pytest.importorskip("http_message_signatures")
    body = json.dumps({"type": "order.paid", "data": {"order": 42}}).encode()
    headers = _signed(body, *covered, **{"webhook-id": "m1"})
    secrets = (SecretStr(f"k1:{KEY}"),)
    async with channel(scheme="rfc9421", secrets=secrets, public_url="https://us.example") as (app, context):
        found = [(await call(app, body=body, headers={**headers, "webhook-id": id})).status for id in ("m1", "m2")]
    assert (found, len(context.admitted)) == (statuses, statuses.count(204))


async def test_a_cloudevent_is_not_taken_again_in_headers_of_somebody_elses() -> None:
    """Whether it stands in the body or in headers says content-type, which Standard Webhooks does not sign."""
    body = json.dumps(EVENT).encode()
    signed = StandardWebhooks([NEW]).sign("call-1", START, body)
    flipped = {"content-type": "application/json", "ce-specversion": "1.0", "ce-id": "8", "ce-source": "/x"}
    async with channel(format="cloudevents", sender="https://us.example") as (app, context):
        first = await call(app, body=body, headers={**signed, "content-type": STRUCTURED})
        again = await call(app, body=body, headers={**signed, **flipped, "ce-type": "message.created"})
        batch = json.dumps([EVENT]).encode()
        signed = StandardWebhooks([NEW]).sign("call-2", START, batch)
        third = await call(app, body=batch, headers={**signed, **flipped, "ce-type": "message.created"})
    assert (first.status, again.status, third.status) == (204, 400, 400)
    assert len(context.admitted) == 1


async def test_what_we_have_signed_with_a_private_key_is_no_message_of_theirs() -> None:
    """Everybody whom we send something has it, and could send it back; nobody else has the key."""
    pytest.importorskip("cryptography")
    private = "whsk_" + base64.b64encode(bytes([7]) * 32).decode()
    ours = StandardWebhooks([private])
    body = json.dumps({"type": "message.created", "data": {"text": "pay"}}).encode()
    async with channel(secrets=(SecretStr(private),)) as (app, context):
        reflected = await call(app, body=body, headers=ours.sign("m1", START, body))
    async with channel(secrets=(SecretStr(private),), inbound_secrets=(SecretStr(NEW),)) as (app, theirs):
        again = await call(app, body=body, headers=ours.sign("m1", START, body))
        genuine = await call(app, body=body, headers=StandardWebhooks([NEW]).sign("m2", START, body))
    assert (reflected.status, again.status, genuine.status) == (401, 401, 204)
    assert (context.admitted, [event.key for event in theirs.admitted]) == ([], ["m2"])


async def test_of_mailgun_a_token_is_worth_one_event() -> None:
    """It signs nothing but the time and the token: whoever has seen a call could make up any number of events."""
    seconds, token = str(SECONDS), "t" * 50
    proof = hmac.digest(b"key", (seconds + token).encode(), "sha256").hex()
    signature = {"timestamp": seconds, "token": token, "signature": proof}

    def body(number: int) -> bytes:
        event = {"id": f"e{number}", "event": "failed", "recipient": f"{number}@example.org"}
        return json.dumps({"signature": signature, "event-data": event}).encode()

    async with channel(preset="mailgun", secrets=(SecretStr("key"),)) as (app, context):
        context.clock.advance(timedelta(hours=1).total_seconds())
        found = [(await call(app, body=body(number))).status for number in range(3)]
    (event,) = context.admitted
    assert (found, event.key) == ([204, 204, 204], token)
    assert isinstance(event, CustomReceived)
    assert event.data["id"] == "e0"


def test_a_form_of_twilios_is_bounded_before_it_is_decoded() -> None:
    """A mebibyte of percent signs took half a second, of anybody's."""
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "a"}
    request = Request("POST", headers=Headers(headers), body=b"%41" * 90_000, url=URL)
    with pytest.raises(SignatureError, match="larger"):
        Twilio(["k"]).verify(request, START)


async def test_a_cloudevent_in_headers_is_believed_where_somebody_signs_which_one_it_is() -> None:
    """An HMAC of the body stays good under any other ce-id; who has a token of his own needs none."""
    binary = {
        "ce-specversion": "1.0",
        "ce-source": "/shop",
        "ce-type": "order.paid",
        "content-type": "application/json",
    }
    secrets, body = (SecretStr("s" * 32),), json.dumps(EVENT).encode()
    proof = {"x-sig": hmac.digest(b"s" * 32, b"{}", "sha256").hex()}
    hashed, shown = {"name": "hmac", "header": "X-Sig"}, {"name": "header", "header": "X-Sig"}
    more: dict[str, Any] = {"format": "cloudevents", "sender": "https://us.example", "secrets": secrets}
    async with channel(scheme=hashed, **more) as (app, context):
        found = [
            (await call(app, body=b"{}", headers={**binary, **proof, "ce-id": id})).status for id in ("7", "8", "9")
        ]
        whole = {"x-sig": hmac.digest(b"s" * 32, body, "sha256").hex(), "content-type": STRUCTURED}
        structured = await call(app, body=body, headers=whole)
    assert (found, structured.status, len(context.admitted)) == ([400, 400, 400], 204, 1)
    async with channel(scheme=shown, **more) as (app, context):
        assert (await call(app, body=b"{}", headers={**binary, "x-sig": "s" * 32, "ce-id": "7"})).status == 204
