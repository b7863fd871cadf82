"""Nothing is read that the signature does not cover: calls that were captured, and sent once more in another shape."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.callbacks import Callbacks
from convergekit.adapters.sms.config import SmsConfig
from tests.adapters.sms.verify.kit import FORM, HOME, JSON, NOW, SECRET, Wire, channel, posted, takes

STAMP = str(int(NOW.timestamp()))


def mac(signed: bytes, digest: str = "sha256") -> bytes:
    return hmac.digest(SECRET.encode(), signed, digest)


def token(body: bytes) -> str:
    claims = {"iat": int(STAMP), "payload_hash": hashlib.sha256(body).hexdigest()}
    head, said = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in ({"alg": "HS256"}, claims)
    )
    seal = base64.urlsafe_b64encode(mac(head + b"." + said)).rstrip(b"=")
    return b".".join((head, said, seal)).decode()


def sinch(body: bytes) -> dict[str, str]:
    seal = base64.b64encode(mac(body + b".nonce." + STAMP.encode())).decode()
    name = "x-sinch-webhook-signature"
    return {name: seal, f"{name}-nonce": "nonce", f"{name}-timestamp": STAMP}


BODY = b'{"id": "7", "from": "+4915112345678", "text": "Hello"}'
#: Schemes that sign the body and nothing else, and one call of each.
BODY_ONLY = {
    "hmac": ({"header": "x-seal"}, {"x-seal": mac(BODY).hex()}),
    "sinch": ({}, sinch(BODY)),
    "vonage-jwt": ({}, {"authorization": f"Bearer {token(BODY)}"}),
}


@pytest.mark.parametrize("scheme", BODY_ONLY)
def test_where_the_body_is_signed_alone_a_query_is_not_taken(scheme: str) -> None:
    """It would add fields to a form, and say of which delivery a report is."""
    options, headers = BODY_ONLY[scheme]
    config, wire = channel(scheme, options), Wire(body=BODY, headers={"content-type": JSON, **headers})
    assert takes(config, wire)
    assert not takes(config, replace(wire, url=f"{HOME}?status=failed"))
    assert not takes(config, replace(wire, url=f"{HOME}?ref=d99.0&status=failed"))
    # A gateway of one's own may say by the URL alone what it reports of, and nobody can guess that.
    assert takes(config, replace(wire, url=f"{HOME}?ref=d99.0")) is (scheme == "hmac")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("scheme", BODY_ONLY)
def test_a_body_that_is_not_read_proves_nothing(scheme: str, method: str) -> None:
    """The query of a GET is read, and its body is not."""
    options, headers = BODY_ONLY[scheme]
    wire = Wire(f"{HOME}?id=8&from=%2B49151&text=forged", BODY, {"content-type": JSON, **headers}, method)
    assert not takes(channel(scheme, options), wire)


def twilio(fields: list[tuple[str, str]]) -> str:
    rest = "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(mac((HOME + rest).encode(), "sha1")).decode()


def test_what_is_signed_as_a_form_is_not_read_as_json() -> None:
    """Twilio and Plivo join names and values without anything between: a text may hold a whole call."""
    inner = '{"MessageSid":"SM1","From":"4915100000000","Body":"STOP"}'
    for content in (inner, "[" + inner + "]"):
        config = channel("twilio")
        wire = Wire(
            body=content.encode(), headers={"content-type": FORM, "x-twilio-signature": twilio([(content, "")])}
        )
        assert not takes(config, wire)


def plivo(signed: bytes, nonce: str) -> dict[str, str]:
    seal = base64.b64encode(mac(signed + b"." + nonce.encode())).decode()
    return {"content-type": FORM, "x-plivo-signature-v3": seal, "x-plivo-signature-v3-nonce": nonce}


def test_the_end_of_a_message_does_not_pass_for_a_nonce() -> None:
    config = channel("plivo")
    fields = [("From", "491511"), ("Text", "I want that."), ("To", "1500")]
    wire = Wire(
        body=urlencode(fields).encode(), headers=plivo(f"{HOME}?From491511TextI want that.To1500".encode(), "12")
    )
    assert takes(config, wire)
    cut = {**wire.headers, "x-plivo-signature-v3-nonce": "To1500.12"}
    assert not takes(
        config, replace(wire, body=urlencode([("From", "491511"), ("Text", "I want that")]).encode(), headers=cut)
    )


def test_a_field_does_not_hide_in_the_name_of_another() -> None:
    """Vonage signs `&name=value`: `status` could go into the name before it, and a report would be a message."""
    config = channel("vonage-sig", {"method": "sha256hmac"})
    fields = [("messageId", "7"), ("status", "failed"), ("timestamp", STAMP)]
    signed = "".join(f"&{name}={value}" for name, value in fields).encode()
    sig = ("sig", mac(signed).hex())
    assert takes(config, posted([*fields, sig]))
    assert not takes(config, posted([("messageId=7&status", "failed"), ("timestamp", STAMP), sig]))


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32", "cp037", "cp500", "cp1026"])
def test_a_charset_that_nobody_signed_does_not_make_another_message_of_it(charset: str) -> None:
    """No scheme covers Content-Type; in a charset that has no ASCII the id would be another one."""
    form = b"from=%2B4915112345678&id=7777&text=Hello+you"

    def key(content_type: str) -> str:
        request = Request("POST", headers=Headers({"content-type": content_type}), body=form)
        (event,) = Callbacks(config, "acme").read(request, now=NOW).events
        return event.key

    config = _reading()
    assert key(f"{FORM}; charset={charset}") == key(FORM)


def _reading() -> SmsConfig:
    rule = {"from": "from", "id": "id", "text": "text"}
    profile = {"name": "acme", "title": "Acme", "callbacks": {"inbound": [rule]}}
    return SmsConfig.model_validate({"profile": profile})
