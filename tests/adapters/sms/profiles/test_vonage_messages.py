"""Vonage's Messages API: four media by one request, problems as answers, and calls that a JWT proves."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.abc import Request
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    RejectedError,
    SignatureError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Address, Attachment, FailureKind, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    NOW,
    PICTURE,
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
from tests.adapters.sms.profiles.samples import MESSAGES, with_headers

CONFIG = MESSAGES.config
arrived, happened = MESSAGES.arrived, MESSAGES.happened
CLIP = Attachment(url="https://example.org/a.mp4", media_type="video/mp4")
PAPER = Attachment(url="https://example.org/a.pdf", media_type="application/pdf")


def test_a_text_goes_as_json() -> None:
    request = sent(CONFIG, out("Grüße", lasts=3600))

    assert request.url == "https://api.nexmo.com/v1/messages"
    assert request.headers["authorization"] == "Basic azQxOnZlcnktc2VjcmV0"
    assert request.fields == {
        "channel": "sms",
        "message_type": "text",
        "from": "15005550006",
        "to": "4915112345678",
        "text": "Grüße",
        "ttl": 3600,
        "client_ref": "d41.0",
        "webhook_url": HOME,
    }


@pytest.mark.parametrize(
    ("to", "lasts", "ttl"),
    [
        ("sms:+4915112345678", 20, 20),
        ("sms:+4915112345678", 10**7, 604800),
        ("rcs:+4915112345678", 300, 300),
        ("rcs:+4915112345678", 10**7, 259200),
        ("whatsapp:+4915112345678", 3600, None),
    ],
)
def test_each_medium_tries_for_a_time_of_its_own(to: str, lasts: float, ttl: int | None) -> None:
    assert sent(CONFIG, out("Hi", to, lasts=lasts)).fields.get("ttl") == ttl


@pytest.mark.parametrize(("to", "lasts"), [("sms:+4915112345678", 19), ("rcs:+4915112345678", 299)])
def test_what_is_over_sooner_than_it_can_say_stays_here(to: str, lasts: float) -> None:
    with pytest.raises(RejectedError) as caught:
        sent(CONFIG, out("Hi", to, lasts=lasts))

    assert caught.value.kind is FailureKind.EXPIRED


def test_an_mms_is_its_file() -> None:
    fields = sent(CONFIG, out("Look", files=(PICTURE,), lasts=600)).fields

    assert (fields["channel"], fields["message_type"], fields["ttl"]) == ("mms", "image", 600)
    assert fields["image"] == {"url": "https://example.org/cat.jpg", "caption": "Look"}
    assert "text" not in fields


@pytest.mark.parametrize(("file", "kind"), [(PICTURE, "image"), (CLIP, "video"), (PAPER, "file")])
def test_a_file_goes_by_whatsapp_under_the_name_of_its_kind(file: Attachment, kind: str) -> None:
    fields = sent(CONFIG, out("Look", "whatsapp:+4915112345678", files=(file,), lasts=60)).fields

    assert fields == {
        "channel": "whatsapp",
        "message_type": kind,
        "from": "15005550009",
        "to": "4915112345678",
        kind: {"url": file.url, "caption": "Look"},
        "client_ref": "d41.0",
        "webhook_url": HOME,
    }


def test_rcs_has_an_agent_and_files_without_captions() -> None:
    fields = sent(CONFIG, out("", "rcs:+4915112345678", files=(PICTURE,))).fields

    assert (fields["channel"], fields["from"]) == ("rcs", "BrandAgent")
    assert fields["image"] == {"url": "https://example.org/cat.jpg"}
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out("Look", "rcs:+4915112345678", files=(PICTURE,)))


def test_a_template_goes_by_native() -> None:
    native = {"message_type": "template", "text": None, "template": {"name": "order", "parameters": ["Ada"]}}
    fields = sent(CONFIG, out("unused", "whatsapp:+4915112345678", native=native)).fields

    assert (fields["message_type"], fields["template"]["name"]) == ("template", "order")
    assert "text" not in fields


@pytest.mark.parametrize(
    ("what", "status", "error", "kind"),
    [
        ("unauthorized", 401, AuthenticationError, None),
        ("invalid-ip", 401, AccountError, None),
        ("application-suspended", 403, AccountError, None),
        ("low-balance", 402, CreditError, None),
        ("throttled", 429, ThrottledError, None),
        ("1000", 429, ThrottledError, None),
        ("1070", 402, CreditError, None),
        ("1120", 422, RejectedError, FailureKind.CONFIG),
        ("1240", 422, RejectedError, FailureKind.OPTED_OUT),
        ("1340", 422, RejectedError, FailureKind.CONTENT),
        ("1020", 422, RejectedError, FailureKind.INVALID_MESSAGE),
        ("1030", 500, UncertainError, None),
        ("1030", 422, UncertainError, None),  # its own error says nothing about the message
        ("9999", 422, RejectedError, None),
    ],
)
def test_a_problem_says_what_to_do(
    what: str, status: int, error: type[DeliveryError], kind: FailureKind | None
) -> None:
    problem = {"type": f"https://developer.vonage.com/api-errors#{what}", "title": "T", "detail": "D", "instance": "i"}

    with pytest.raises(error, match="D") as caught:
        answered(CONFIG, problem, status)

    assert type(caught.value) is error
    assert getattr(caught.value, "kind", None) == kind
    assert caught.value.code == what


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("submitted", Status.SENT),  # passed on by Vonage; some read it as accepted
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("rejected", Status.FAILED),
        ("undeliverable", Status.FAILED),
    ],
)
def test_words(word: str, status: Status) -> None:
    assert report(called(CONFIG, happened(word))).status is status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("1050", FailureKind.BLOCKED),  # Vonage's list, not the recipient's word
        ("1060", FailureKind.AUTH),
        ("1290", FailureKind.UNREACHABLE),  # the recipient's credit, and not ours
        ("1300", FailureKind.INVALID_ADDRESS),
        ("1320", FailureKind.INVALID_MESSAGE),
        ("1340", FailureKind.CONTENT),
        ("1360", FailureKind.EXPIRED),
        ("1460", FailureKind.THROTTLED),
        ("1483", FailureKind.BLOCKED),
    ],
)
def test_codes_of_failures(code: str, kind: FailureKind) -> None:
    failure = report(called(CONFIG, happened("rejected", code))).failure

    assert failure is not None
    assert (failure.kind, failure.code) == (kind, code)


def test_what_did_not_reach_the_carrier_is_a_connection_that_failed() -> None:
    failure = report(called(CONFIG, happened("undeliverable"))).failure

    assert failure is not None
    assert failure.kind is FailureKind.CONNECTION


def test_segments_without_a_report_prove_nothing() -> None:
    assert notes(called(CONFIG, happened("rejected", "1490"))) == ["sms.report"]


def test_an_opt_out_is_of_its_medium() -> None:
    """WhatsApp's users do not opt out of SMS."""
    by_sms = called(CONFIG, happened("rejected", "1240"))
    by_whatsapp = called(CONFIG, happened("rejected", "1240", channel="whatsapp"))

    assert consents(by_sms) == [("sms:+4915112345678", False)]
    assert consents(by_whatsapp) == [("whatsapp:+4915112345678", False)]


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("image", {"image": {"url": "https://api.nexmo.com/v3/media/1", "name": "a.jpg", "caption": "Look"}}, "Look"),
        ("file", {"file": {"url": "https://api.nexmo.com/v3/media/2", "name": "a.pdf"}}, None),
        ("audio", {"audio": {"url": "https://api.nexmo.com/v3/media/3"}}, None),
        ("sticker", {"sticker": {"url": "https://api.nexmo.com/v3/media/4"}}, None),
    ],
)
def test_files_arrive(kind: str, fields: dict[str, Any], text: str | None) -> None:
    body = arrived(channel="whatsapp", message_type=kind, **fields)
    del body["text"]
    came = message(called(CONFIG, body))
    (file,) = came.attachments

    assert file.url == fields[kind]["url"]
    assert file.name == fields[kind].get("name")
    assert came.text == text


@pytest.mark.parametrize(
    "fields", [{"reply": {"id": "1", "title": "Yes"}}, {"button": {"text": "Yes", "payload": "y"}}]
)
def test_a_choice_is_its_words(fields: dict[str, Any]) -> None:
    body = arrived(channel="whatsapp", **fields)
    del body["text"]

    assert message(called(CONFIG, body)).text == "Yes"


def test_whatsapp_says_who_writes_and_about_what() -> None:
    body = arrived(channel="whatsapp", profile={"name": "Ada"}, context={"message_uuid": "out-1", "message_from": "1"})
    came = message(called(CONFIG, body))

    assert came.sender == Address("whatsapp:+4915112345678")
    assert came.sender is not None
    assert came.sender.display_name == "Ada"
    assert (came.reply_to, came.details["medium"]) == ("out-1", "whatsapp")


def test_another_channel_is_none_of_ours() -> None:
    """An account carries them by the same application."""
    assert notes(called(CONFIG, arrived(channel="messenger"))) == ["sms.unknown"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer a.b.c", "Basic azQxOnZlcnktc2VjcmV0"])
def test_a_call_without_its_token_is_none(header: str) -> None:
    signed = MESSAGES.request(arrived())
    bare = Request(method="POST", headers=signed.headers, body=signed.body, url=HOME)

    with pytest.raises(SignatureError):
        verifier(CONFIG)(with_headers(bare, Authorization=header), NOW)


def test_a_dsn_says_the_account() -> None:
    config = type(CONFIG).from_dsn("vonage-messages://k41:very-secret@api-eu.vonage.com?from=Brand")

    assert (config.value("api_key"), config.value("api_secret")) == ("k41", "very-secret")
    assert sent(config.model_copy(update={"callback_url": None})).url == "https://api-eu.vonage.com/v1/messages"


def test_a_sender_may_be_a_name() -> None:
    config = channel("vonage-messages", MESSAGES.account, **{"from": "Brand"})

    assert sent(config).fields["from"] == "Brand"
