"""Infobip: refusals inside of a 200, reports and messages by the batch, and names of statuses that mislead."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.sms.request import Requests
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import (
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    SignatureError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Attachment, FailureKind, MessageReceived, ReceiptReceived, Status
from tests.adapters.sms.gateway_kit import (
    NOW,
    PICTURE,
    THEM,
    answered,
    call,
    called,
    channel,
    consents,
    message,
    notes,
    out,
    report,
    sent,
)
from tests.adapters.sms.profiles.samples import INFOBIP, infobip_status

CONFIG = INFOBIP.config
arrived, happened = INFOBIP.arrived, INFOBIP.happened
WEBHOOKS = {
    "delivery": {"url": "https://example.org/hooks/alerts?ref=d41.0", "intermediateReport": True},
    "contentType": "application/json",
    "callbackData": "d41.0",
}


def test_a_text_goes_as_the_one_message_of_a_list() -> None:
    request = sent(CONFIG, out("Grüße", lasts=3600))

    assert request.url == "https://x41.api.infobip.com/sms/3/messages"
    assert request.headers["authorization"] == "App very-secret"
    assert request.fields == {
        "messages": [
            {
                "sender": "15005550006",
                "destinations": [{"to": "4915112345678"}],
                "content": {"text": "Grüße"},
                "options": {"validityPeriod": {"amount": 3600, "timeUnit": "SECONDS"}},
                "webhooks": WEBHOOKS,
            }
        ]
    }


def test_without_a_time_nothing_is_said_about_it() -> None:
    (said,) = sent(CONFIG).fields["messages"]

    assert "options" not in said


def test_two_days_are_the_longest_that_it_tries() -> None:
    (said,) = sent(CONFIG, out(lasts=10**6)).fields["messages"]

    assert said["options"]["validityPeriod"]["amount"] == 172800


def test_an_mms_is_made_of_segments() -> None:
    request = sent(CONFIG, out("Look", files=(PICTURE,), subject="Cats", lasts=3600))
    (said,) = request.fields["messages"]

    assert request.url == "https://x41.api.infobip.com/mms/2/messages"
    assert said["content"] == {
        "title": "Cats",
        "messageSegments": [
            {"type": "TEXT", "text": "Look"},
            {"type": "LINK", "contentUrl": "https://example.org/cat.jpg", "contentType": "image/jpeg"},
        ],
    }
    assert said["webhooks"] == WEBHOOKS
    assert said["options"]["validityPeriod"]["amount"] == 3600


def test_an_mms_without_a_text_is_its_file() -> None:
    (said,) = sent(CONFIG, out("", files=(PICTURE,))).fields["messages"]

    assert [each["type"] for each in said["content"]["messageSegments"]] == ["LINK"]


def test_an_mms_has_one_file() -> None:
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out(files=(PICTURE, Attachment(url="https://example.org/2.png", media_type="image/png"))))


def test_whatever_else_it_offers_goes_by_native() -> None:
    native = {"messages": [{"options": {"flash": True, "campaignReferenceId": "spring"}}]}
    (said,) = sent(CONFIG, out("Hi", native=native, lasts=60)).fields["messages"]

    assert said["content"] == {"text": "Hi"}
    assert said["options"]["flash"] is True
    assert said["options"]["validityPeriod"]["amount"] == 60


def _answer(name: str) -> dict[str, Any]:
    return {"bulkId": "b-1", "messages": [{"messageId": "out-1", "destination": "1", "status": infobip_status(name)}]}


def test_an_answer_says_how_many_segments_it_took() -> None:
    said = _answer("PENDING_ACCEPTED")
    said["messages"][0]["details"] = {"messageCount": 3}

    assert answered(CONFIG, said).units == 3


@pytest.mark.parametrize(
    ("name", "error", "kind"),
    [
        ("REJECTED_NETWORK", RejectedError, FailureKind.CONFIG),
        ("REJECTED_DND", RejectedError, FailureKind.BLOCKED),
        ("REJECTED_SENDER", RejectedError, FailureKind.CONFIG),
        ("REJECTED_NOT_ENOUGH_CREDITS", CreditError, None),
        ("REJECTED_PREPAID_PACKAGE_EXPIRED", CreditError, None),
        ("REJECTED_FLOODING_FILTER", RejectedError, FailureKind.BLOCKED),  # no reason for the channel to wait
        ("REJECTED_SYSTEM_ERROR", NotSentError, None),  # refused: it may be tried again
        ("REJECTED_MESSAGE_TOO_LONG", RejectedError, FailureKind.TOO_LARGE),
        ("REJECTED_DESTINATION", RejectedError, FailureKind.INVALID_ADDRESS),
        ("REJECTED_NEW", RejectedError, None),
    ],
)
def test_a_refusal_comes_with_200(name: str, error: type[DeliveryError], kind: FailureKind | None) -> None:
    with pytest.raises(error, match="In words") as caught:
        answered(CONFIG, _answer(name))

    assert type(caught.value) is error
    assert getattr(caught.value, "kind", None) == kind
    assert caught.value.code == name


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (400, {"errorCode": "E400", "description": "In words", "action": "", "violations": []}, RejectedError, "E400"),
        (401, {"errorCode": "E401", "description": "In words"}, AuthenticationError, "E401"),
        (429, {"errorCode": "E429", "description": "In words"}, ThrottledError, "E429"),
        (500, {"errorCode": "E500", "description": "In words"}, UncertainError, "E500"),
        (
            400,
            {"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "In words"}}},
            RejectedError,
            "BAD_REQUEST",
        ),
        (
            401,
            {"requestError": {"serviceException": {"messageId": "UNAUTHORIZED", "text": "In words"}}},
            AuthenticationError,
            "UNAUTHORIZED",
        ),
    ],
)
def test_an_error_comes_in_two_forms(status: int, body: Any, error: type[DeliveryError], code: str) -> None:
    with pytest.raises(error, match="In words") as caught:
        answered(CONFIG, body, status)

    assert type(caught.value) is error
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING_ACCEPTED", Status.ACCEPTED),
        ("PENDING_WAITING_DELIVERY", Status.SENT),
        ("PENDING_ENROUTE", Status.SENT),
        ("DELIVERED_TO_OPERATOR", Status.SENT),  # of the group DELIVERED, and no proof
        ("DELIVERED_TO_HANDSET", Status.DELIVERED),
        ("UNDELIVERABLE_NOT_DELIVERED", Status.FAILED),
        ("EXPIRED_EXPIRED", Status.FAILED),
        ("EXPIRED_DLR_UNKNOWN", Status.SENT),  # of the group EXPIRED, and only the report is missing
        ("REJECTED_NETWORK", Status.FAILED),
    ],
)
def test_words(word: str, status: Status) -> None:
    assert report(called(CONFIG, happened(word))).status is status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("EC_UNKNOWN_SUBSCRIBER", FailureKind.INVALID_ADDRESS),
        ("EC_ABSENT_SUBSCRIBER_SM", FailureKind.UNREACHABLE),
        ("EC_TELESERVICE_NOT_PROVISIONED", FailureKind.UNREACHABLE),
        ("EC_USER_OUT_OF_CREDIT", FailureKind.UNREACHABLE),  # theirs
        ("EC_MESSAGE_CANCELED", FailureKind.EXPIRED),  # by its validity
        ("EC_VALIDITY_EXPIRED", FailureKind.EXPIRED),
        ("EC_QUOTA_REACHED", FailureKind.THROTTLED),
        ("EC_MONTHLY_LIMIT_REACHED", FailureKind.QUOTA),
        ("EC_CONTENT_BLOCKED_BY_OPERATOR", FailureKind.BLOCKED),
        ("EC_NEW", FailureKind.UNREACHABLE),  # what its status says
    ],
)
def test_codes_of_failures(code: str, kind: FailureKind) -> None:
    failure = report(called(CONFIG, happened("UNDELIVERABLE_NOT_DELIVERED", code))).failure

    assert failure is not None
    assert failure.kind == kind


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("EC_CONTENT_BLOCKED", [(THEM, False)]),  # not about content: the recipient has said STOP
        ("EC_SC_BLOCKED_BY_END_USER", [(THEM, False)]),
        ("EC_BLACKLISTED_DESTINATIONADDRESS", []),  # of whoever keeps the list
        ("EC_DEST_ADDRESS_BLACKLISTED", []),
    ],
)
def test_who_has_opted_out(code: str, expected: list[tuple[str, bool]]) -> None:
    assert consents(called(CONFIG, happened("UNDELIVERABLE_NOT_DELIVERED", code))) == expected


def test_of_a_batch_whatever_cannot_be_read_costs_nothing_else() -> None:
    batch = {"results": [*arrived()["results"], {"what": "is this"}, 7, *happened("DELIVERED_TO_HANDSET")["results"]]}
    found = called(CONFIG, batch)

    assert [type(event) for event in found.events if isinstance(event, MessageReceived | ReceiptReceived)] == [
        MessageReceived,
        ReceiptReceived,
    ]
    assert "sms.unknown" in notes(found)


def test_an_mms_brings_texts_and_files() -> None:
    parts = [
        {"contentType": "text/plain", "value": "Look"},
        {"contentType": "image/jpeg", "url": "https://x41.api.infobip.com/mms/1/content/1"},
        {"contentType": "image/png", "url": "https://x41.api.infobip.com/mms/1/content/2"},
    ]
    body = arrived(message=parts)
    for name in ("text", "cleanText"):
        del body["results"][0][name]
    came = message(called(CONFIG, body))

    assert came.text == "Look"
    assert [each.url for each in came.attachments] == [parts[1]["url"], parts[2]["url"]]


def test_files_are_fetched_with_the_account_from_infobip_only() -> None:
    requests = Requests(CONFIG)

    assert requests.credentials("https://x41.api.infobip.com/mms/1/content/1")["authorization"] == "App very-secret"
    with pytest.raises(RejectedError):
        requests.credentials("https://infobip.com.evil.example/1")


def test_the_subscription_may_have_another_user() -> None:
    config = channel("infobip", {**INFOBIP.account, "webhook_username": "hooks"})

    with pytest.raises(SignatureError):
        verifier(config)(INFOBIP.request(arrived()), NOW)
    with pytest.raises(SignatureError):
        verifier(config)(call(arrived()), NOW)


def test_a_dsn_says_the_accounts_url_and_its_key() -> None:
    config = type(CONFIG).from_dsn("infobip://very-secret@x41.api.infobip.com?from=Brand")

    assert sent(config.model_copy(update={"callback_url": None})).url == "https://x41.api.infobip.com/sms/3/messages"
    assert config.value("api_key") == "very-secret"


def test_without_a_callback_the_report_goes_where_the_subscription_says() -> None:
    """Ours goes with it all the same."""
    (said,) = sent(CONFIG.model_copy(update={"callback_url": None})).fields["messages"]

    assert said["webhooks"]["callbackData"] == "d41.0"
    assert "url" not in said["webhooks"].get("delivery", {})
