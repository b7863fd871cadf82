"""MessageBird: numbers without +, reports by GET, and short codes with names of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import AccountError, RejectedError, SignatureError, ThrottledError, UncertainError
from convergekit.model import FailureKind, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    NOW,
    PICTURE,
    REFERENCE,
    answered,
    called,
    channel,
    consents,
    message,
    notes,
    out,
    report,
    sent,
)
from tests.adapters.sms.profiles.unsigned import MESSAGEBIRD, SECRET

CONFIG = channel("messagebird", {"access_key": "live_wonderland"})
ID = "9f41aa"


def happened(word: str, **more: str) -> str:
    fields = {"id": ID, "reference": REFERENCE, "recipient": "4915112345678", "status": word, **more}
    return "&".join(f"{name}={value}" for name, value in fields.items())


def test_a_text_goes_as_json() -> None:
    request = sent(CONFIG, out("Grüße"))

    assert request.url == "https://rest.messagebird.com/messages"
    assert request.headers["authorization"] == "AccessKey live_wonderland"
    assert request.fields == {
        "originator": "15005550006",
        "recipients": ["4915112345678"],
        "body": "Grüße",
        "datacoding": "plain",
        "reference": REFERENCE,
        "reportUrl": f"{HOME}?ref={REFERENCE}",
    }


@pytest.mark.parametrize("name", ["Acme", "15005"])
def test_names_and_short_codes_stay_as_they_are(name: str) -> None:
    assert sent(channel("messagebird", {"access_key": "k" * 8}, **{"from": name})).fields["originator"] == name


def test_other_letters_are_told() -> None:
    assert sent(CONFIG, out("Привет")).fields["datacoding"] == "unicode"


def test_the_time_that_is_left_is_told_in_seconds() -> None:
    assert sent(CONFIG, out(lasts=90)).fields["validity"] == 90


def test_files_go_as_an_mms() -> None:
    request = sent(CONFIG, out("Look", files=(PICTURE,), subject="A cat", lasts=90))

    assert request.url == "https://rest.messagebird.com/mms"
    assert request.fields == {
        "originator": "15005550006",
        "recipients": ["4915112345678"],
        "subject": "A cat",
        "body": "Look",
        "mediaUrls": [PICTURE.url],
        "reference": REFERENCE,
    }


def test_its_id_comes_back() -> None:
    body = {
        "id": ID,
        "recipients": {"totalSentCount": 1, "items": [{"recipient": 4915112345678, "messagePartCount": 2}]},
    }
    receipt = answered(CONFIG, body, 201)

    assert (receipt.ids, receipt.units) == ((ID,), 2)


@pytest.mark.parametrize("body", [b"", b"<html>", {"recipients": {}}])
def test_a_201_without_an_id_leaves_it_open(body: Any) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, body, 201)


@pytest.mark.parametrize(("status", "code"), [(401, 2), (402, 25)])
def test_what_is_about_the_account(status: int, code: int) -> None:
    with pytest.raises(AccountError):
        answered(CONFIG, {"errors": [{"code": code, "description": "no", "parameter": None}]}, status)


@pytest.mark.parametrize("code", [9, 10])
def test_what_it_cannot_read_is_refused(code: int) -> None:
    with pytest.raises(RejectedError, match="no recipients") as refused:
        answered(CONFIG, {"errors": [{"code": code, "description": "no recipients", "parameter": "recipients"}]}, 422)
    assert refused.value.kind is FailureKind.INVALID_MESSAGE


def test_too_many_requests_wait() -> None:
    with pytest.raises(ThrottledError) as waits:
        answered(CONFIG, {"errors": []}, 429, retry_after=7)
    assert waits.value.retry_after == 7


@pytest.mark.parametrize("form", [True, False])
def test_a_message_comes_by_either_method(form: bool) -> None:
    fields = {
        "id": "in41",
        "originator": "4915112345678",
        "recipient": "15005550006",
        "body": "Hi there",
        "createdDatetime": "2026-03-01T12:00:00+00:00",
    }
    found = message(called(CONFIG, fields, form=True) if form else called(CONFIG, query=urlencode(fields)))

    assert found.sender is not None
    assert (found.sender.uri, found.text, found.message_id) == ("sms:+4915112345678", "Hi there", "in41")
    assert found.at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_message_to_a_short_code_has_other_names() -> None:
    fields = {
        "mid": "m41",
        "shortcode": "15005",
        "originator": "15005550001",
        "message": "JOIN please",
        "receive_datetime": "20260301120000",
    }
    found = message(called(CONFIG, fields, form=True))

    assert (found.text, found.message_id) == ("JOIN please", "m41")
    assert found.at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert [each.uri for each in found.to] == ["sms:15005"]


def test_an_mms_comes_as_json() -> None:
    body = {
        "id": "mms41",
        "originator": "+15005550001",
        "recipient": "+15005550006",
        "body": "",
        "mediaURLs": ["https://media.example.org/cat.png"],
        "createdDatetime": "2026-03-01T12:00:00+00:00",
    }

    assert [each.url for each in message(called(CONFIG, body)).attachments] == ["https://media.example.org/cat.png"]


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("scheduled", Status.ACCEPTED, None),
        ("sent", Status.SENT, None),
        ("buffered", Status.SENT, None),  # the operator has it; it may still expire there
        ("delivered", Status.DELIVERED, None),
        ("expired", Status.FAILED, FailureKind.EXPIRED),
        ("delivery_failed", Status.FAILED, None),
    ],
)
def test_a_report_comes_by_get(word: str, status: Status, kind: FailureKind | None) -> None:
    found = report(called(CONFIG, query=happened(word, statusDatetime="2026-03-01T12%3A00%3A00%2B00%3A00")))

    assert (found.status, found.delivery, found.part, found.ids) == (status, "d41", 0, (ID,))
    assert (found.failure.kind if found.failure else None) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [("1", FailureKind.INVALID_ADDRESS), ("27", FailureKind.UNREACHABLE), ("34", FailureKind.PROVIDER)],
)
def test_its_codes_are_those_of_the_network(code: str, kind: FailureKind) -> None:
    found = report(called(CONFIG, query=happened("delivery_failed", statusErrorCode=code)))

    assert found.failure is not None
    assert (found.failure.kind, found.failure.code) == (kind, code)


def test_103_says_that_they_opted_out() -> None:
    read = called(CONFIG, query=happened("delivery_failed", statusErrorCode="103"))

    assert consents(read) == [("sms:+4915112345678", False)]


def test_a_word_that_nobody_knows_changes_nothing() -> None:
    assert notes(called(CONFIG, query=happened("pondering"))) == ["sms.report"]


def test_it_expects_to_hear_ok() -> None:
    ack = CONFIG.loaded.callbacks.ack

    assert (ack.status, ack.body) == (200, "OK")


class TestSignature:
    """MessageBird signs the URL and the body of a call, in a token."""

    CONFIG = channel("messagebird", {"access_key": "very-secret", "signing_key": SECRET})

    def _call(self, request: Request, key: str = SECRET) -> Request:
        request = replace(request, path="", url=HOME + (f"?{request.query}" if request.query else ""))
        claims = {"iss": "MessageBird", "nbf": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60, "jti": "j-1"}
        claims["url_hash"] = hashlib.sha256((request.url or "").encode()).hexdigest()
        if request.body:
            claims["payload_hash"] = hashlib.sha256(request.body).hexdigest()
        head = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        token = f"{head}.{_base64(hmac.digest(key.encode(), head.encode(), 'sha256'))}"
        kept = {name: request.headers[name] for name in request.headers}
        return replace(request, headers=Headers({**kept, "MessageBird-Signature-JWT": token}))

    def test_a_signed_message_and_a_signed_report_are_taken(self) -> None:
        verifier(self.CONFIG)(self._call(MESSAGEBIRD.message()), NOW)
        verifier(self.CONFIG)(self._call(MESSAGEBIRD.report("delivered")), NOW)

    def test_another_key_another_body_and_another_query_are_not(self) -> None:
        report, arrived = self._call(MESSAGEBIRD.report("delivered")), self._call(MESSAGEBIRD.message())
        for forged in (
            self._call(MESSAGEBIRD.message(), "another-key"),
            replace(arrived, body=arrived.body.replace(b"there", b"where")),
            replace(report, query=report.query.replace("delivered", "expired")),
            replace(arrived, headers=Headers({"Content-Type": "application/x-www-form-urlencoded"})),
        ):
            with pytest.raises(SignatureError):
                verifier(self.CONFIG)(forged, NOW)


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
