"""Plivo: numbers without a plus, answers without a code, and an intent that it has seen in a text."""

from __future__ import annotations

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
from tests.adapters.sms.profiles.samples import PLIVO

CONFIG = PLIVO.config
arrived, happened = PLIVO.arrived, PLIVO.happened
SECOND = Attachment(url="https://example.org/2.png", media_type="image/png")


def test_a_text_goes_as_json() -> None:
    request = sent(CONFIG, out("Grüße", lasts=3600))

    assert request.url == "https://api.plivo.com/v1/Account/MA41/Message/"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.fields == {
        "type": "sms",
        "src": "15005550006",
        "dst": "4915112345678",
        "text": "Grüße",
        "url": "https://example.org/hooks/alerts?ref=d41.0",
        "message_expiry": 3600,
    }


def test_three_hours_are_the_longest_that_it_tries() -> None:
    assert sent(CONFIG, out(lasts=86400)).fields["message_expiry"] == 10800


def test_a_powerpack_may_pick_the_sender() -> None:
    config = channel("plivo", {**PLIVO.account, "powerpack_uuid": "pp-1"}, **{"from": None})
    fields = sent(config).fields

    assert fields["powerpack_uuid"] == "pp-1"
    assert "src" not in fields


def test_an_mms_has_files() -> None:
    fields = sent(CONFIG, out("Look", files=(PICTURE, SECOND))).fields

    assert (fields["type"], fields["text"]) == ("mms", "Look")
    assert fields["media_urls"] == ["https://example.org/cat.jpg", "https://example.org/2.png"]


def test_whatsapp_has_no_powerpack_and_no_expiry() -> None:
    config = channel("plivo", {**PLIVO.account, "powerpack_uuid": "pp-1"}, whatsapp="+15005550009")
    text = sent(config, out("Hi", "whatsapp:+4915112345678", lasts=3600)).fields
    file = sent(config, out("Look", "whatsapp:+4915112345678", files=(PICTURE,))).fields

    assert text == {
        "type": "whatsapp",
        "src": "15005550009",
        "dst": "4915112345678",
        "text": "Hi",
        "url": "https://example.org/hooks/alerts?ref=d41.0",
    }
    assert file == text | {"text": "Look", "media_urls": [PICTURE.url]}
    with pytest.raises(UnsupportedContentError):
        sent(config, out(to="whatsapp:+4915112345678", files=(PICTURE, SECOND)))


def test_a_template_goes_by_native() -> None:
    native = {"text": None, "template": {"name": "order", "language": "de"}}
    fields = sent(CONFIG, out("unused", "whatsapp:+4915112345678", native=native)).fields

    assert fields["template"] == {"name": "order", "language": "de"}
    assert "text" not in fields


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, RejectedError, FailureKind.INVALID_MESSAGE),
        (401, AuthenticationError, None),
        (402, CreditError, None),
        (404, AccountError, None),  # there is no such account
        (405, RejectedError, FailureKind.CONFIG),
        (429, ThrottledError, None),
        (500, UncertainError, None),
    ],
)
def test_a_status_says_what_to_do(status: int, error: type[DeliveryError], kind: FailureKind | None) -> None:
    with pytest.raises(error, match="In words") as caught:
        answered(CONFIG, {"api_id": "a-1", "error": "In words"}, status)

    assert type(caught.value) is error
    assert getattr(caught.value, "kind", None) == kind


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", Status.ACCEPTED),
        ("sent", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("undelivered", Status.FAILED),  # final: the carrier could not; some read it as sent
        ("failed", Status.FAILED),
        ("rejected", Status.FAILED),
    ],
)
def test_words(word: str, status: Status) -> None:
    assert report(called(CONFIG, happened(word), form=True)).status is status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("10", FailureKind.INVALID_MESSAGE),
        ("30", FailureKind.BLOCKED),
        ("40", FailureKind.CONFIG),
        ("50", FailureKind.INVALID_ADDRESS),
        ("70", FailureKind.UNREACHABLE),
        ("80", FailureKind.UNREACHABLE),
        ("100", FailureKind.BLOCKED),
        ("110", FailureKind.TOO_LARGE),
        ("200", FailureKind.OPTED_OUT),
        ("1000", None),
    ],
)
def test_codes_of_failures(code: str, kind: FailureKind | None) -> None:
    failure = report(called(CONFIG, happened("undelivered", code), form=True)).failure

    assert failure is not None
    assert (failure.kind, failure.code) == (kind, code)


def test_a_report_is_about_the_whole_message() -> None:
    """Fields of parts are there for old times' sake, and the message's own id counts."""
    fields = happened("delivered", PartInfo="1 of 3", ParentMessageUUID="other", Units="3")
    receipt = report(called(CONFIG, fields, query="ref=d41.2", form=True))

    assert (receipt.ids, receipt.delivery, receipt.part) == (("out-1",), "d41", 2)


def test_a_report_about_what_came_in_changes_nothing() -> None:
    assert notes(called(CONFIG, happened("received"), form=True)) == ["sms.report"]


@pytest.mark.parametrize(
    ("intent", "expected"), [("optout", [(THEM, False)]), ("optin", [(THEM, True)]), ("help", []), ("", [])]
)
def test_it_says_what_a_text_means(intent: str, expected: list[tuple[str, bool]]) -> None:
    assert consents(called(CONFIG, arrived("basta", MessageIntent=intent), form=True)) == expected


def test_files_arrive() -> None:
    fields = arrived("", Type="mms", Media0="https://media-us.plivo.com/0", Media1="https://media-us.plivo.com/1")
    fields |= {"MMSCount": "2", "Body": "Look"}
    del fields["Text"]
    came = message(called(CONFIG, fields, form=True))

    assert [each.url for each in came.attachments] == ["https://media-us.plivo.com/0", "https://media-us.plivo.com/1"]
    assert (came.text, came.details["medium"]) == ("Look", "mms")


def test_whatsapp_arrives() -> None:
    fields = arrived(Type="whatsapp", Body="Hi", ContentType="text")
    del fields["Text"]
    came = message(called(CONFIG, fields, form=True))

    assert (came.sender, came.text) == (Address("whatsapp:+4915112345678"), "Hi")


def test_files_are_fetched_with_the_account_from_plivo_only() -> None:
    requests = Requests(CONFIG)

    assert "authorization" in requests.credentials("https://media-us.plivo.com/0")
    with pytest.raises(RejectedError):
        requests.credentials("https://plivo.com.evil.example/0")


def test_the_answer_is_an_empty_document() -> None:
    """Anything else would be read as what to do next."""
    ack = CONFIG.loaded.callbacks.ack

    assert (ack.status, ack.body, ack.media_type) == (200, "<Response/>", "application/xml")


def test_a_dsn_says_the_account() -> None:
    config = type(CONFIG).from_dsn("plivo://MA41:t0ken@default?from=%2B15005550006&powerpack_uuid=pp-1")

    assert (config.value("auth_id"), config.value("auth_token")) == ("MA41", "t0ken")
    assert config.value("powerpack_uuid") == "pp-1"
