"""Twilio: four media by one request, files that are fetched with the account, and codes that say a lot."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.sms.request import Requests
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    ConfigurationError,
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
from tests.adapters.sms.profiles.samples import TWILIO

CONFIG = TWILIO.config
arrived, happened = TWILIO.arrived, TWILIO.happened


def test_a_text_goes_as_a_form() -> None:
    request = sent(CONFIG, out("Grüße", lasts=3600))

    assert request.url == "https://api.twilio.com/2010-04-01/Accounts/AC41/Messages.json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == "Basic QUM0MTpzM2NyZXQtb2YtdGhlLWFjY291bnQ="
    assert request.fields == {
        "To": "+4915112345678",
        "From": "+15005550006",
        "Body": "Grüße",
        "StatusCallback": "https://example.org/hooks/alerts?ref=d41.0",
        "ValidityPeriod": "3600",
    }


def test_a_messaging_service_may_pick_the_sender() -> None:
    account = {**TWILIO.account, "messaging_service_sid": "MG41"}
    fields = sent(channel("twilio", account, **{"from": None})).fields

    assert fields["MessagingServiceSid"] == "MG41"
    assert "From" not in fields


def test_a_region_has_an_api_of_its_own() -> None:
    account = {**TWILIO.account, "url": "https://api.dublin.ie1.twilio.com"}

    assert sent(channel("twilio", account)).url.startswith("https://api.dublin.ie1.twilio.com/2010-04-01/")


def test_ten_hours_are_the_longest_that_it_tries() -> None:
    assert sent(CONFIG, out(lasts=86400)).fields["ValidityPeriod"] == "36000"


@pytest.mark.parametrize(
    ("to", "our", "their"),
    [
        ("whatsapp:+4915112345678", "whatsapp:+15005550009", "whatsapp:+4915112345678"),
        ("rcs:+4915112345678", "rcs:brand_agent", "rcs:+4915112345678"),
    ],
)
def test_other_media_have_prefixes(to: str, our: str, their: str) -> None:
    plain, rich = sent(CONFIG, out("Look", to)).fields, sent(CONFIG, out("Look", to, files=(PICTURE,))).fields

    assert (plain["From"], plain["To"]) == (our, their)
    assert rich == plain | {"MediaUrl": "https://example.org/cat.jpg"}


def test_several_files_go_with_an_mms_and_one_with_whatsapp() -> None:
    files = (PICTURE, Attachment(url="https://example.org/2.png", media_type="image/png"))

    assert sent(CONFIG, out(files=files)).fields["MediaUrl"] == [
        "https://example.org/cat.jpg",
        "https://example.org/2.png",
    ]
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out(to="whatsapp:+4915112345678", files=files))


def test_a_template_goes_by_native() -> None:
    native = {"ContentSid": "HX41", "ContentVariables": '{"1":"Ada"}', "Body": None}
    fields = sent(CONFIG, out("unused", "whatsapp:+4915112345678", native=native)).fields

    assert (fields["ContentSid"], fields["ContentVariables"]) == ("HX41", '{"1":"Ada"}')
    assert "Body" not in fields


def test_an_answer_says_how_many_segments_it_took() -> None:
    assert answered(CONFIG, TWILIO.taken, 201).units == 2


@pytest.mark.parametrize(
    ("code", "status", "error", "kind"),
    [
        (20003, 401, AuthenticationError, None),
        (20003, 400, AuthenticationError, None),
        (20005, 403, AccountError, None),
        (20404, 404, AccountError, None),
        (20429, 429, ThrottledError, None),
        (21408, 403, RejectedError, FailureKind.CONFIG),
        (21605, 400, RejectedError, FailureKind.TOO_LARGE),
        (21610, 400, RejectedError, FailureKind.OPTED_OUT),
        (21611, 429, ThrottledError, None),
        (21614, 400, RejectedError, FailureKind.INVALID_ADDRESS),
        (63038, 429, ThrottledError, None),  # for a day: nobody has to act
        (99999, 400, RejectedError, None),
        (20500, 500, UncertainError, None),
    ],
)
def test_a_code_says_what_to_do(code: int, status: int, error: type[DeliveryError], kind: FailureKind | None) -> None:
    with pytest.raises(error) as caught:
        answered(CONFIG, {"code": code, "message": "In words", "status": status}, status)

    assert type(caught.value) is error
    assert getattr(caught.value, "kind", None) == kind
    assert caught.value.code == str(code)


def test_files_arrive_with_or_without_a_text() -> None:
    files = {"NumMedia": "2", "MediaUrl0": "https://api.twilio.com/m/0", "MediaContentType0": "image/jpeg"}
    files |= {"MediaUrl1": "https://api.twilio.com/m/1", "MediaContentType1": "text/vcard"}
    with_text = message(called(CONFIG, arrived("Look", **files), form=True))
    alone = message(called(CONFIG, arrived("", **files), form=True))

    assert [(each.url, each.media_type) for each in with_text.attachments] == [
        ("https://api.twilio.com/m/0", "image/jpeg"),
        ("https://api.twilio.com/m/1", "text/vcard"),
    ]
    assert (with_text.text, alone.text) == ("Look", None)
    assert alone.details["medium"] == "mms"


def test_files_are_fetched_with_the_account_from_twilio_only() -> None:
    requests = Requests(CONFIG)

    assert "authorization" in requests.credentials("https://api.twilio.com/2010-04-01/Accounts/AC41/m/0")
    for url in ("https://evil.example/m", "http://api.twilio.com/m", "https://api.twilio.com.evil.example/m"):
        with pytest.raises(RejectedError):
            requests.credentials(url)


def test_whatsapp_and_rcs_arrive_as_what_they_are() -> None:
    came = message(
        called(
            CONFIG,
            arrived(
                "Hi",
                From="whatsapp:+4915112345678",
                To="whatsapp:+15005550009",
                ProfileName="Ada",
                OriginalRepliedMessageSid="out-1",
            ),
            form=True,
        )
    )
    by_rcs = message(called(CONFIG, arrived("Hi", From="rcs:+4915112345678", To="rcs:brand_agent"), form=True))

    assert came.sender == Address("whatsapp:+4915112345678")
    assert came.sender is not None
    assert came.sender.display_name == "Ada"
    assert came.to == (Address("whatsapp:+15005550009"),)
    assert came.reply_to == "out-1"
    assert came.details["medium"] == "whatsapp"
    assert by_rcs.sender == Address("rcs:+4915112345678")
    assert by_rcs.details["medium"] == "rcs"


@pytest.mark.parametrize(("word", "expected"), [("STOP", [(THEM, False)]), ("START", [(THEM, True)]), ("HELP", [])])
def test_advanced_opt_out_says_what_a_text_means(word: str, expected: list[tuple[str, bool]]) -> None:
    came = called(CONFIG, arrived("basta", OptOutType=word), form=True)

    assert consents(came) == expected
    assert message(came).details["keyword"] == word.lower()


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", Status.ACCEPTED),
        ("scheduled", Status.ACCEPTED),
        ("queued", Status.ACCEPTED),
        ("sending", Status.ACCEPTED),
        ("sent", Status.SENT),
        ("partially_delivered", Status.SENT),  # no proof that it arrived, nor that it will not
        ("delivered", Status.DELIVERED),
        ("read", Status.READ),
        ("undelivered", Status.FAILED),
        ("failed", Status.FAILED),
        ("canceled", Status.FAILED),
    ],
)
def test_words(word: str, status: Status) -> None:
    assert report(called(CONFIG, happened(word), form=True)).status is status


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("63018", FailureKind.THROTTLED),  # a rate limit that comes as a status
        ("30004", FailureKind.BLOCKED),  # some read it as an opt-out
        ("30006", FailureKind.UNREACHABLE),  # a landline, or a carrier that is away
        ("30007", FailureKind.BLOCKED),
        ("30008", None),
        ("30036", FailureKind.EXPIRED),
        ("63016", FailureKind.CONTENT),
    ],
)
def test_codes_of_failures(code: str, kind: FailureKind | None) -> None:
    failure = report(called(CONFIG, happened("undelivered", code), form=True)).failure

    assert failure is not None
    assert (failure.kind, failure.code) == (kind, code)


def test_who_blocks_us_on_whatsapp_has_opted_out_there() -> None:
    fields = happened("undelivered", "63014", To="whatsapp:+4915112345678", From="whatsapp:+15005550009")

    assert consents(called(CONFIG, fields, form=True)) == [("whatsapp:+4915112345678", False)]


def test_a_report_comes_by_the_url_that_we_gave() -> None:
    receipt = report(called(CONFIG, happened("delivered"), query="ref=d41.2", form=True))

    assert (receipt.delivery, receipt.part) == ("d41", 2)


def test_a_report_about_what_came_in_changes_nothing() -> None:
    assert notes(called(CONFIG, happened("received"), form=True)) == ["sms.report"]


def test_the_answer_is_an_empty_document() -> None:
    """Anything else would go out as an SMS."""
    ack = CONFIG.loaded.callbacks.ack

    assert (ack.status, ack.body, ack.media_type) == (200, "<Response/>", "text/xml")


def test_a_dsn_says_the_account() -> None:
    config = type(CONFIG).from_dsn("twilio://AC41:t0ken@default?from=%2B15005550006&messaging_service_sid=MG1")

    assert (config.value("account_sid"), config.value("auth_token")) == ("AC41", "t0ken")
    assert (config.sender, config.value("messaging_service_sid")) == ("+15005550006", "MG1")


def test_what_is_missing_of_an_account_is_named() -> None:
    with pytest.raises((ConfigurationError, ValueError), match=r"account\.auth_token is missing"):
        channel("twilio", {"account_sid": "AC41"})


def test_the_same_form_in_another_order_is_the_same_message() -> None:
    fields: dict[str, Any] = arrived("Hi")
    turned = dict(reversed(fields.items()))

    assert message(called(CONFIG, fields, form=True)).key == message(called(CONFIG, turned, form=True)).key
