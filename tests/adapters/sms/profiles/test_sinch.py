"""Sinch: batches of one recipient, a time in place of a period, and messages of three types."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from convergekit.adapters.sms.callbacks import Callbacks
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    DeliveryError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Attachment, FailureKind, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    NOW,
    PICTURE,
    THEM,
    answered,
    call,
    called,
    consents,
    message,
    notes,
    out,
    report,
    sent,
)
from tests.adapters.sms.profiles.samples import SINCH, THEY

CONFIG = SINCH.config
arrived, happened = SINCH.arrived, SINCH.happened


def test_a_text_goes_as_a_batch_of_one() -> None:
    request = sent(CONFIG, out("Grüße", lasts=3600))

    assert request.url == "https://us.sms.api.sinch.com/xms/v1/p41/batches"
    assert request.headers["authorization"] == "Bearer very-secret"
    assert request.fields == {
        "type": "mt_text",
        "from": "15005550006",
        "to": ["4915112345678"],
        "body": "Grüße",
        "delivery_report": "per_recipient",
        "client_reference": "d41.0",
        "callback_url": HOME,
        "expire_at": "2026-03-01T13:00:00.000Z",
    }


def test_three_days_are_the_longest_that_it_tries() -> None:
    assert sent(CONFIG, out(lasts=10**6)).fields["expire_at"] == "2026-03-04T12:00:00.000Z"


def test_a_region_has_an_api_of_its_own() -> None:
    config = type(CONFIG).from_dsn("sinch://p41:t0ken@eu.sms.api.sinch.com?from=%2B15005550006")

    assert sent(config.model_copy(update={"callback_url": None})).url.startswith("https://eu.sms.api.sinch.com/xms/")
    assert (config.value("service_plan_id"), config.value("api_token")) == ("p41", "t0ken")


def test_an_mms_has_a_body_with_its_file() -> None:
    fields = sent(CONFIG, out("Look", files=(PICTURE,), subject="Cats")).fields

    assert fields["type"] == "mt_media"
    assert fields["body"] == {"url": "https://example.org/cat.jpg", "message": "Look", "subject": "Cats"}


def test_an_mms_has_one_file() -> None:
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out(files=(PICTURE, Attachment(url="https://example.org/2.png", media_type="image/png"))))


def test_whatever_else_it_offers_goes_by_native() -> None:
    fields = sent(CONFIG, out("Hi ${name}", native={"parameters": {"name": {"default": "you"}}})).fields

    assert fields["parameters"] == {"name": {"default": "you"}}
    assert fields["body"] == "Hi ${name}"


@pytest.mark.parametrize(
    ("code", "status", "error", "kind"),
    [
        ("syntax_invalid_parameter_format", 400, RejectedError, FailureKind.INVALID_MESSAGE),
        ("missing_callback_url", 400, RejectedError, FailureKind.CONFIG),
        ("illegal_number_type", 403, RejectedError, FailureKind.INVALID_ADDRESS),
        ("blocked_account", 403, AccountError, None),
        ("new_thing", 403, RejectedError, None),  # about what was asked, and not about who asks
        ("unauthorized", 401, AuthenticationError, None),
        ("too_many", 429, ThrottledError, None),
        ("internal", 500, UncertainError, None),
    ],
)
def test_a_code_says_what_to_do(code: str, status: int, error: type[DeliveryError], kind: FailureKind | None) -> None:
    with pytest.raises(error, match="In words") as caught:
        answered(CONFIG, {"code": code, "text": "In words"}, status)

    assert type(caught.value) is error
    assert getattr(caught.value, "kind", None) == kind
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("Queued", Status.ACCEPTED, None),
        ("Dispatched", Status.SENT, None),
        ("Delivered", Status.DELIVERED, None),
        ("Failed", Status.FAILED, None),
        ("Expired", Status.FAILED, FailureKind.EXPIRED),
        ("Rejected", Status.FAILED, None),
        ("Aborted", Status.FAILED, None),
        ("Cancelled", Status.FAILED, FailureKind.CANCELLED),
        ("Deleted", Status.FAILED, None),  # no such number, or opted out, and it does not say which
    ],
)
def test_words(word: str, status: Status, kind: FailureKind | None) -> None:
    receipt = report(called(CONFIG, happened(word)))

    assert receipt.status is status
    assert (receipt.failure.kind if receipt.failure else None) == kind


def test_nobody_has_opted_out_by_what_may_be_something_else() -> None:
    assert consents(called(CONFIG, happened("Deleted"))) == []


def test_what_it_does_not_know_proves_nothing() -> None:
    assert notes(called(CONFIG, happened("Unknown"))) == ["sms.report"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("402", FailureKind.UNREACHABLE),
        ("403", FailureKind.PROVIDER),
        ("406", FailureKind.EXPIRED),
        ("407", FailureKind.CANCELLED),
        ("408", FailureKind.BLOCKED),
        ("411", FailureKind.TOO_LARGE),
        ("413", FailureKind.AUTH),
        ("418", FailureKind.CONTENT),
    ],
)
def test_codes_of_failures(code: str, kind: FailureKind) -> None:
    failure = report(called(CONFIG, happened("Failed", code))).failure

    assert failure is not None
    assert (failure.kind, failure.code) == (kind, code)


@pytest.mark.parametrize("kind", ["sms", "mms"])
def test_a_summary_of_a_batch_is_a_report_for_each_of_its_words(kind: str) -> None:
    body = {
        "type": f"delivery_report_{kind}",
        "batch_id": "out-1",
        "client_reference": "d41.2",
        "total_message_count": 1,
        "statuses": [{"code": 0, "status": "Delivered", "count": 1, "recipients": [THEY]}],
    }
    receipt = report(called(CONFIG, body))

    assert (receipt.ids, receipt.delivery, receipt.part) == (("out-1",), "d41", 2)
    assert receipt.status is Status.DELIVERED


def test_a_report_tells_of_an_mms() -> None:
    receipt = report(called(CONFIG, happened("Delivered", type="recipient_delivery_report_mms")))

    assert receipt.status is Status.DELIVERED


def test_bytes_are_a_text() -> None:
    body = arrived(base64.b64encode("Grüße".encode()).decode(), type="mo_binary", udh="")

    assert message(called(CONFIG, body)).text == "Grüße"


def _piece(text: str, number: int) -> dict[str, Any]:
    content = base64.b64encode(text.encode()).decode()
    return arrived(content, type="mo_binary", id=f"in-{number}", udh=f"0500035502{number:02}")


def test_bytes_with_a_header_are_a_part() -> None:
    reader = Callbacks(CONFIG, "alerts")
    pieces = [
        piece
        for number, text in enumerate(("Hello, ", "you"), 1)
        for piece in reader.read(call(_piece(text, number)), now=NOW).pieces
    ]

    assert [(each.message.text, each.number, each.total) for each in pieces] == [("Hello, ", 1, 2), ("you", 2, 2)]
    assert len({each.reference for each in pieces}) == 1


def test_an_mms_brings_files() -> None:
    media = [
        {"url": "https://media.sinch.com/1", "content_type": "image/jpeg", "status": "Uploaded", "code": 0},
        {"url": None, "content_type": "image/png", "status": "Failed", "code": 400},
    ]
    body = arrived(type="mo_media")
    body["body"] = {"subject": "Cats", "message": "Look", "media": media}
    came = message(called(CONFIG, body))

    assert (came.text, came.subject, came.details["medium"]) == ("Look", "Cats", "mms")
    assert [(each.url, each.media_type) for each in came.attachments] == [("https://media.sinch.com/1", "image/jpeg")]


def test_who_writes_stop_has_opted_out() -> None:
    assert consents(called(CONFIG, arrived("STOP"))) == [(THEM, False)]
