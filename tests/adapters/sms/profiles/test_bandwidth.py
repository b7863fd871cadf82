"""Bandwidth: lists of mixed kinds, a tag for a reference, and files that are fetched with the account."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.request import Requests
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import AccountError, RejectedError, SignatureError, ThrottledError, UncertainError
from convergekit.model import ConsentChanged, FailureKind, MessageReceived, ReceiptReceived, Status
from tests.adapters.sms.gateway_kit import (
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
from tests.adapters.sms.profiles.unsigned import BANDWIDTH

CONFIG = channel(
    "bandwidth",
    {"account_id": "5500001", "username": "anna", "password": "wonderland", "application_id": "app-41"},
)
ID = "17xyz41"


def arrived(text: str = "Hi there", **more: Any) -> dict[str, Any]:
    said = {"id": "17in1", "from": "+15005550001", "to": ["+15005550006"], "owner": "+15005550006", "text": text}
    return {
        "type": "message-received",
        "time": "2026-03-01T12:00:00.123Z",
        "to": "+15005550006",
        "message": said | {"time": "2026-03-01T11:59:58Z", "direction": "in"} | more,
    }


def happened(word: str, **more: Any) -> dict[str, Any]:
    said = {"id": ID, "from": "+15005550006", "to": ["+15005550001"], "tag": REFERENCE, "direction": "out"}
    return {"type": word, "time": "2026-03-01T12:00:01Z", "to": "+15005550001", "message": said} | more


def test_a_text_goes_as_json_with_our_reference_as_its_tag() -> None:
    request = sent(CONFIG, out("Grüße", "sms:+15005550001"))

    assert request.url == "https://messaging.bandwidth.com/api/v2/users/5500001/messages"
    assert request.headers["authorization"] == "Basic YW5uYTp3b25kZXJsYW5k"
    assert request.fields == {
        "applicationId": "app-41",
        "from": "+15005550006",
        "to": ["+15005550001"],
        "text": "Grüße",
        "tag": REFERENCE,
    }


def test_files_go_by_their_urls() -> None:
    assert sent(CONFIG, out("Look", files=(PICTURE,))).fields["media"] == [PICTURE.url]


def test_until_when_it_is_tried_is_a_moment() -> None:
    assert sent(CONFIG, out(lasts=3600)).fields["expiration"].startswith("2026-03-01T13:00:00")


def test_its_id_and_what_is_charged_come_back() -> None:
    receipt = answered(CONFIG, {"id": ID, "segmentCount": 2, "direction": "out"}, 202)

    assert (receipt.ids, receipt.units) == ((ID,), 2)


@pytest.mark.parametrize("body", [b"", b"<html>", {"direction": "out"}])
def test_a_202_without_an_id_leaves_it_open(body: Any) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, body, 202)


def test_what_is_refused_names_the_field() -> None:
    body = {
        "type": "request-validation",
        "description": "The request could not be accepted",
        "fieldErrors": [{"fieldName": "to", "description": "+1 is not a number"}],
    }
    with pytest.raises(RejectedError, match="is not a number") as refused:
        answered(CONFIG, body, 400)
    assert (refused.value.kind, refused.value.code) == (FailureKind.INVALID_MESSAGE, "request-validation")


@pytest.mark.parametrize(("status", "word"), [(401, "unauthorized"), (403, "forbidden")])
def test_a_login_that_is_refused_is_about_the_account(status: int, word: str) -> None:
    with pytest.raises(AccountError):
        answered(CONFIG, {"type": word, "description": "No"}, status)


def test_a_full_queue_is_asked_again_later() -> None:
    with pytest.raises(ThrottledError):
        answered(CONFIG, {"type": "max-message-queue-size-exceeded", "description": "Full"}, 429)


def test_a_message_is_read() -> None:
    found = message(called(CONFIG, [arrived()]))

    assert found.sender is not None
    assert (found.sender.uri, found.text, found.message_id) == ("sms:+15005550001", "Hi there", "17in1")
    assert [each.uri for each in found.to] == ["sms:+15005550006"]


def test_files_that_came_are_named_by_their_urls() -> None:
    url = "https://messaging.bandwidth.com/api/v2/users/5500001/media/17in1/0/cat.png"

    assert [each.url for each in message(called(CONFIG, [arrived("", media=[url])])).attachments] == [url]


def test_the_account_is_told_to_bandwidth_and_to_nobody_else() -> None:
    requests = Requests(CONFIG)

    assert requests.credentials("https://messaging.bandwidth.com/api/v2/users/1/media/x")
    for url in ("https://messaging.bandwidth.com.example.org/x", "http://messaging.bandwidth.com/x"):
        with pytest.raises(RejectedError, match=r"fetch\.hosts"):
            requests.credentials(url)


def test_all_of_a_list_is_read_though_its_kinds_are_mixed() -> None:
    read = called(
        CONFIG,
        [happened("message-delivered"), arrived(), happened("message-mystery"), {"type": 7}, arrived(id="17in2")],
    )

    assert [type(each) for each in read.events if not notes_only(each)] == [
        ReceiptReceived,
        MessageReceived,
        MessageReceived,
    ]
    assert notes(read).count("sms.report") == 1


def notes_only(event: object) -> bool:
    return not isinstance(event, MessageReceived | ReceiptReceived | ConsentChanged)


def test_one_event_without_a_list_is_read_too() -> None:
    assert message(called(CONFIG, arrived())).text == "Hi there"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("message-sending", Status.ACCEPTED),  # of an MMS: with Bandwidth, on its way to the carrier
        ("message-sent", Status.SENT),
        ("message-delivered", Status.DELIVERED),
        ("message-read", Status.READ),
        ("message-failed", Status.FAILED),
    ],
)
def test_a_report_names_our_part(word: str, status: Status) -> None:
    found = report(called(CONFIG, [happened(word)]))

    assert (found.status, found.delivery, found.part, found.ids) == (status, "d41", 0, (ID,))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (4303, FailureKind.INVALID_ADDRESS),
        (4360, FailureKind.EXPIRED),
        (4411, FailureKind.TOO_LARGE),
        (4482, FailureKind.BLOCKED),  # Bandwidth's own list, and no word of the person's
        (4702, FailureKind.UNREACHABLE),
        (4721, FailureKind.INVALID_ADDRESS),
        (4750, FailureKind.PROVIDER),  # the carrier does not say why
        (4770, FailureKind.BLOCKED),
        (4785, FailureKind.THROTTLED),
        (5600, FailureKind.THROTTLED),
        (9999, FailureKind.PROVIDER),
    ],
)
def test_its_codes_say_what_kind_of_failure(code: int, kind: FailureKind) -> None:
    failed = happened("message-failed", errorCode=code, description="why")
    found = report(called(CONFIG, [failed]))

    assert found.failure is not None
    assert (found.failure.kind, found.failure.code, found.failure.text) == (kind, str(code), "why")


def test_who_has_opted_out_is_told_of() -> None:
    read = called(CONFIG, [happened("message-failed", errorCode=4775, description="opted out")])

    assert report(read).failure is not None
    assert consents(read) == [("sms:+15005550001", False)]


def test_no_report_in_time_is_no_failure() -> None:
    """9902: the carrier said nothing for two hours, which is not to say that it was not delivered."""
    read = called(CONFIG, [happened("message-failed", errorCode=9902, description="nothing came")])

    assert notes(read) == ["sms.report"]
    assert not any(isinstance(each, ReceiptReceived) for each in read.events)


def test_the_list_of_our_files_tells_whether_the_account_is_good() -> None:
    check = Requests(CONFIG).check()

    assert check is not None
    assert check.url == "https://messaging.bandwidth.com/api/v2/users/5500001/media"
    assert "authorization" in check.headers


class TestPassword:
    CONFIG = channel("bandwidth", {**BANDWIDTH.account, "callback_username": "band", "callback_password": "w1dth"})

    def _call(self, pair: str | None) -> Request:
        said = {} if pair is None else {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return replace(BANDWIDTH.message(), path="", headers=Headers({"Content-Type": "application/json", **said}))

    def test_the_right_one_is_taken(self) -> None:
        verifier(self.CONFIG)(self._call("band:w1dth"), NOW)

    @pytest.mark.parametrize("pair", [None, "band:", "band:w1dth2", "other:w1dth", ":"])
    def test_any_other_is_not(self, pair: str | None) -> None:
        with pytest.raises(SignatureError):
            verifier(self.CONFIG)(self._call(pair), NOW)
