"""Telnyx: three URLs for four media, keys for repeats, and reports with a word for each recipient."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.sms.request import Requests
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, Attachment, FailureKind, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    PICTURE,
    THEM,
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
from tests.adapters.sms.profiles.samples import TELNYX

CONFIG = TELNYX.config
arrived, happened = TELNYX.arrived, TELNYX.happened
SECOND = Attachment(url="https://example.org/2.png", media_type="image/png")
PAPER = Attachment(url="https://example.org/a.pdf", media_type="application/pdf")


def test_a_text_goes_as_json_with_a_key() -> None:
    request = sent(CONFIG, out("Grüße"))

    assert request.url == "https://api.telnyx.com/v2/messages"
    assert request.headers["authorization"] == "Bearer KEY-very-secret"
    assert request.headers["idempotency-key"] == "k41"
    assert request.fields == {
        "type": "SMS",
        "from": "+15005550006",
        "to": "+4915112345678",
        "text": "Grüße",
        "webhook_url": HOME,
    }


def test_a_repeat_is_known_for_a_day() -> None:
    send = CONFIG.loaded.send

    assert send is not None
    assert send.idempotency is not None
    assert send.idempotency.window == 86400


def test_a_profile_may_be_named() -> None:
    config = channel("telnyx", {**TELNYX.account, "messaging_profile_id": "mp-1"})

    assert sent(config).fields["messaging_profile_id"] == "mp-1"


def test_an_mms_has_a_subject_and_files() -> None:
    fields = sent(CONFIG, out("Look", files=(PICTURE, SECOND), subject="Cats")).fields

    assert (fields["type"], fields["subject"], fields["text"]) == ("MMS", "Cats", "Look")
    assert fields["media_urls"] == ["https://example.org/cat.jpg", "https://example.org/2.png"]


def test_whatsapp_has_a_url_of_its_own() -> None:
    request = sent(CONFIG, out("Hi", "whatsapp:+4915112345678"))

    assert request.url == "https://api.telnyx.com/v2/messages/whatsapp"
    assert request.fields == {
        "type": "WHATSAPP",
        "from": "+15005550009",
        "to": "+4915112345678",
        "whatsapp_message": {"type": "text", "text": {"body": "Hi"}},
        "webhook_url": HOME,
    }


@pytest.mark.parametrize(("file", "kind"), [(PICTURE, "image"), (PAPER, "document")])
def test_a_file_goes_by_whatsapp_under_the_name_of_its_kind(file: Attachment, kind: str) -> None:
    said = sent(CONFIG, out("Look", "whatsapp:+4915112345678", files=(file,))).fields["whatsapp_message"]

    assert said == {"type": kind, kind: {"link": file.url, "caption": "Look"}}


def test_a_template_goes_by_native() -> None:
    template = {"name": "order", "language": {"code": "de"}}
    native = {"whatsapp_message": {"type": "template", "text": None, "template": template}}
    fields = sent(CONFIG, out("unused", "whatsapp:+4915112345678", native=native)).fields

    assert fields["whatsapp_message"] == {"type": "template", "template": template}


def test_rcs_has_an_agent_and_a_text_or_a_file() -> None:
    text = sent(CONFIG, out("Hi", "rcs:+4915112345678"))
    file = sent(CONFIG, out("", "rcs:+4915112345678", files=(PICTURE,)))

    assert text.url == file.url == "https://api.telnyx.com/v2/messages/rcs"
    assert text.fields == {
        "type": "RCS",
        "agent_id": "agent-7",
        "to": "+4915112345678",
        "agent_message": {"content_message": {"text": "Hi"}},
        "webhook_url": HOME,
    }
    assert file.fields["agent_message"] == {"content_message": {"content_info": {"file_url": PICTURE.url}}}
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out("Look", "rcs:+4915112345678", files=(PICTURE,)))


def test_an_answer_says_how_many_segments_it_took() -> None:
    assert answered(CONFIG, TELNYX.taken).units == 2


@pytest.mark.parametrize(
    ("code", "status", "error", "kind"),
    [
        ("10005", 404, AccountError, None),  # what somebody without a key is told
        ("10009", 401, AuthenticationError, None),
        ("10010", 403, AuthenticationError, None),
        ("10011", 429, ThrottledError, None),
        ("10015", 400, RejectedError, FailureKind.INVALID_MESSAGE),
        ("10016", 422, RejectedError, FailureKind.INVALID_ADDRESS),
        ("10007", 500, UncertainError, None),
        ("10036", 409, UncertainError, None),  # the first of its key is under way
        ("10039", 403, RejectedError, FailureKind.CONFIG),
        ("20012", 403, AccountError, None),
        ("20100", 402, CreditError, None),
        ("40300", 409, RejectedError, FailureKind.OPTED_OUT),  # the same status as a key that is in use
        ("40305", 400, RejectedError, FailureKind.CONFIG),
        ("40314", 403, AuthenticationError, None),
        ("40318", 429, ThrottledError, None),
        ("99999", 422, RejectedError, None),
    ],
)
def test_a_code_says_what_to_do(code: str, status: int, error: type[DeliveryError], kind: FailureKind | None) -> None:
    with pytest.raises(error, match="In words") as caught:
        answered(CONFIG, {"errors": [{"code": code, "title": "T", "detail": "In words"}]}, status)

    assert type(caught.value) is error
    assert getattr(caught.value, "kind", None) == kind
    assert caught.value.code == code


def test_of_several_errors_the_first_that_is_known_counts() -> None:
    errors = [{"code": "99999", "title": "New"}, {"code": "40310", "title": "Invalid 'to' address"}]

    with pytest.raises(RejectedError) as caught:
        answered(CONFIG, {"errors": errors}, 400)

    assert caught.value.kind is FailureKind.INVALID_ADDRESS


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("sent", Status.SENT),
        ("delivery_unconfirmed", Status.SENT),  # no proof either way
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("expired", Status.FAILED),
        ("sending_failed", Status.FAILED),
        ("delivery_failed", Status.FAILED),
    ],
)
def test_words(word: str, status: Status) -> None:
    assert report(called(CONFIG, happened(word))).status is status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("40001", FailureKind.INVALID_ADDRESS),
        ("40002", FailureKind.BLOCKED),
        ("40005", FailureKind.EXPIRED),
        ("40008", FailureKind.UNREACHABLE),
        ("40010", FailureKind.CONFIG),
        ("40016", FailureKind.THROTTLED),
        ("131026", FailureKind.INVALID_ADDRESS),
        ("131047", FailureKind.CONTENT),
    ],
)
def test_codes_of_failures(code: str, kind: FailureKind) -> None:
    failure = report(called(CONFIG, happened("delivery_failed", code))).failure

    assert failure is not None
    assert (failure.kind, failure.code) == (kind, code)


def test_a_carrier_that_would_not_have_it_is_no_opt_out() -> None:
    """40008 is read as one in places: only 40300 says it."""
    assert consents(called(CONFIG, happened("delivery_failed", "40008"))) == []
    assert consents(called(CONFIG, happened("sending_failed", "40300"))) == [(THEM, False)]


def test_a_report_is_about_each_recipient() -> None:
    both = [
        {"phone_number": "+4915112345678", "status": "delivered"},
        {"phone_number": "+4915112345679", "status": "delivery_failed"},
    ]
    found = called(CONFIG, happened("delivered", to=both)).events

    assert [event.receipt.status for event in found if hasattr(event, "receipt")] == [Status.DELIVERED, Status.FAILED]
    assert len({event.key for event in found}) == 2


def test_another_event_is_noted() -> None:
    body = happened("delivered")
    body["data"]["event_type"] = "10dlc.campaign.update"

    assert notes(called(CONFIG, body)) == ["sms.unknown"]


def test_files_arrive() -> None:
    media = [
        {"url": "https://media.telnyx.com/1", "content_type": "image/jpeg", "size": 9, "hash_sha256": "x"},
        {"url": "https://media.telnyx.com/2", "content_type": "text/vcard", "size": 9, "hash_sha256": "y"},
    ]
    came = message(called(CONFIG, arrived("", type="MMS", media=media, subject="Cats")))

    assert [(each.url, each.media_type) for each in came.attachments] == [
        ("https://media.telnyx.com/1", "image/jpeg"),
        ("https://media.telnyx.com/2", "text/vcard"),
    ]
    assert (came.subject, came.text, came.details["medium"]) == ("Cats", None, "mms")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"text": "Hi"}, "Hi"),
        ({"suggestion_response": {"text": "Yes", "postback_data": "y"}}, "Yes"),
    ],
)
def test_rcs_arrives(body: dict[str, Any], text: str) -> None:
    said = arrived(type="RCS", body=body, to=[{"agent_id": "agent-7"}])
    del said["data"]["payload"]["text"]
    came = message(called(CONFIG, said))

    assert (came.sender, came.text) == (Address("rcs:+4915112345678"), text)
    assert came.to == ()  # an agent is no number


def test_a_file_arrives_by_rcs() -> None:
    payload = {"file_uri": "https://rcs.telnyxstorage.com/1", "mime_type": "image/png", "file_name": "a.png"}
    said = arrived("", type="RCS", body={"user_file": {"payload": payload}}, to=[{"agent_id": "agent-7"}])
    (file,) = message(called(CONFIG, said)).attachments

    assert (file.url, file.media_type, file.name) == ("https://rcs.telnyxstorage.com/1", "image/png", "a.png")


def test_whatsapp_arrives() -> None:
    came = message(called(CONFIG, arrived("Hi", type="WHATSAPP")))

    assert came.sender == Address("whatsapp:+4915112345678")
    assert came.to == (Address("whatsapp:+15005550006"),)


def test_files_are_fetched_without_the_key() -> None:
    requests = Requests(CONFIG)

    assert requests.credentials("https://media.telnyx.com/1") == {}
    with pytest.raises(RejectedError):
        requests.credentials("https://evil.example/1")


def test_a_dsn_says_the_key() -> None:
    config = type(CONFIG).from_dsn("telnyx://KEY-very-secret@default?from=%2B15005550006&messaging_profile_id=mp-1")

    assert config.value("api_key") == "KEY-very-secret"
    assert sent(config).url == "https://api.telnyx.com/v2/messages"
