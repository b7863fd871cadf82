"""Kannel: no id comes back, so reports are known by their URL; what it says is plain text."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from convergekit.adapters.sms import Sms, SmsConfig
from convergekit.adapters.sms.request import Requests
from convergekit.errors import (
    AccountError,
    DeliveryError,
    NotSentError,
    RejectedError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import FailureKind, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    PICTURE,
    REFERENCE,
    answered,
    called,
    channel,
    message,
    notes,
    out,
    report,
    sent,
)

CONFIG = channel("kannel", {"url": "http://127.0.0.1:13013", "username": "tester", "password": "foobar"})


def test_a_text_goes_by_get_in_utf_8_for_a_form_is_refused() -> None:
    request = sent(CONFIG, out("Grüße"))

    assert (request.method, request.url) == ("GET", "http://127.0.0.1:13013/cgi-bin/sendsms")
    assert request.fields["username"] == "tester"
    assert request.fields["password"] == "foobar"
    assert request.fields["from"] == "+15005550006"
    assert request.fields["to"] == "+4915112345678"
    assert request.fields["text"] == "Grüße"
    assert request.fields["charset"] == "UTF-8"
    assert request.fields["dlr-mask"] == "31"
    assert "validity" not in request.fields


@pytest.mark.parametrize(("text", "coding"), [("Grüße", "0"), ("façade", "2"), ("Привет", "2"), ("👋", "2")])
def test_what_gsm_cannot_write_is_told_to_be_ucs_2_or_kannel_would_write_question_marks(text: str, coding: str) -> None:
    assert sent(CONFIG, out(text)).fields["coding"] == coding


def test_our_reference_and_what_kannel_is_to_fill_in_are_in_the_url_of_the_reports() -> None:
    url = urlsplit(sent(CONFIG).fields["dlr-url"])

    assert f"{url.scheme}://{url.netloc}{url.path}" == HOME
    assert dict(parse_qsl(url.query)) == {"ref": REFERENCE, "status": "%d", "foreign": "%F", "raw": "%A"}


def test_the_token_of_the_channel_is_in_that_url() -> None:
    config = CONFIG.model_copy(update={"callback_token": channel_token()})

    assert urlsplit(sent(config).fields["dlr-url"]).path == "/hooks/alerts/0123456789abcdef"


def channel_token() -> object:
    return channel(
        "kannel", {"url": "http://a", "username": "u", "password": "p"}, callback_token="0123456789abcdef"
    ).callback_token


def test_without_a_callback_url_nothing_is_asked_to_be_reported_to() -> None:
    assert "dlr-url" not in sent(CONFIG.model_copy(update={"callback_url": None})).fields


def test_the_time_that_is_left_is_told_in_minutes() -> None:
    assert sent(CONFIG, out(lasts=7200)).fields["validity"] == "120"


def test_what_has_less_than_a_minute_is_not_sent() -> None:
    with pytest.raises(RejectedError) as refused:
        sent(CONFIG, out(lasts=59))
    assert refused.value.kind is FailureKind.EXPIRED


def test_files_are_refused() -> None:
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out(files=(PICTURE,)))


def test_fields_of_kannels_own_go_with_one_message() -> None:
    assert sent(CONFIG, out(native={"smsc": "premium", "mclass": 0})).fields["smsc"] == "premium"


@pytest.mark.parametrize("text", ["0: Accepted for delivery", "3: Queued for later delivery"])
def test_what_was_taken_is_known_by_our_own_reference_for_there_is_no_id(text: str) -> None:
    receipt = answered(CONFIG, text, 202)

    assert (receipt.status, receipt.ids) == (Status.ACCEPTED, (REFERENCE,))


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "Sender missing and no global set, rejected", FailureKind.CONFIG),
        (400, "Missing receiver number, rejected", FailureKind.INVALID_ADDRESS),
        (400, "Empty receiver number not allowed, rejected", FailureKind.INVALID_ADDRESS),
        # It says so of letters in `to` as well, which never go out from here.
        (400, "Number(s) has/have been denied by white- and/or black-lists.", FailureKind.BLOCKED),
        (400, "Charset or body misformed, rejected", FailureKind.INVALID_MESSAGE),
        (403, "Not routable. Do not try again.", FailureKind.UNREACHABLE),
    ],
)
def test_what_is_refused_says_why(status: int, text: str, kind: FailureKind) -> None:
    with pytest.raises(RejectedError, match=text[:20].replace("(", r"\(").replace(")", r"\)")) as refused:
        answered(CONFIG, text, status)
    assert refused.value.kind is kind


def test_any_other_sentence_of_a_400_refuses_too() -> None:
    with pytest.raises(RejectedError, match="DLR-Mask field misformed"):
        answered(CONFIG, "DLR-Mask field misformed, rejected", 400)


def test_a_wrong_password_is_not_a_number_that_is_refused() -> None:
    """Both come as a 403."""
    with pytest.raises(AccountError):
        answered(CONFIG, "Authorization failed for sendsms", 403)


def test_a_full_bearerbox_has_not_taken_it() -> None:
    with pytest.raises(NotSentError):
        answered(CONFIG, "Temporal failure, try again later.", 503)


@pytest.mark.parametrize("text", ["", "<html>It works!</html>", "4: what nobody knows"])
def test_a_202_that_says_something_else_leaves_it_open(text: str) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, text, 202)


def test_no_error_shows_the_password() -> None:
    with pytest.raises(DeliveryError) as failed:
        answered(CONFIG, "Authorization failed for sendsms", 403)
    assert "foobar" not in str(failed.value)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("8", Status.SENT),
        ("4", Status.SENT),  # kept by the network's centre: it has it, and Kannel has not
        ("1", Status.DELIVERED),
        ("2", Status.FAILED),  # final: Kannel does not try again, though some take it for a request to do so
        ("16", Status.FAILED),
    ],
)
def test_a_report_names_our_part_and_what_became_of_it(number: str, status: Status) -> None:
    found = report(called(CONFIG, query=f"ref={REFERENCE}&status={number}&foreign=&raw=ACK%2F"))

    assert (found.status, found.delivery, found.part) == (status, "d41", 0)


def test_the_networks_own_words_go_with_a_failure() -> None:
    found = report(called(CONFIG, query=f"ref={REFERENCE}&status=2&foreign=71&raw=NACK%2F0x0000000b"))

    assert found.failure is not None
    assert "0x0000000b" in (found.failure.text or "")


def test_a_number_that_nobody_knows_changes_nothing() -> None:
    assert notes(called(CONFIG, query=f"ref={REFERENCE}&status=32")) == ["sms.report"]


def test_the_same_report_has_the_same_key_and_the_next_another() -> None:
    keys = [called(CONFIG, query=f"ref={REFERENCE}&status={number}").events[0].key for number in ("8", "8", "1")]

    assert keys[0] == keys[1] != keys[2]


def test_a_message_comes_as_a_get() -> None:
    query = "from=4915112345678&to=15005550006&text=Hi+there&id=5f9c&ts=1772366400&charset=UTF-8&coding=0&udh="
    found = message(called(CONFIG, query=query))

    assert found.sender is not None
    assert found.sender.uri == "sms:+4915112345678"
    assert found.text == "Hi there"
    assert found.message_id == "5f9c"
    assert found.at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert Sms.of(found).gateway == "kannel"


def test_it_comes_with_the_same_id_when_our_500_made_kannel_call_again() -> None:
    query = "from=4915112345678&to=15005550006&text=Hi&id=5f9c&ts=1772366400&charset=UTF-8&coding=0&udh="
    assert called(CONFIG, query=query).events[0].key == called(CONFIG, query=query).events[0].key


@pytest.mark.parametrize(
    ("text", "charset", "coding"),
    [
        ("%C3%A9t%C3%A9", "UTF-8", "0"),
        ("%E9t%E9", "ISO-8859-1", "0"),  # what `mo-recode` makes of UCS-2 in 1.4
        ("%00%E9%00t%00%E9", "UTF-16BE", "2"),  # without `mo-recode`
    ],
)
def test_its_charsets_are_read(text: str, charset: str, coding: str) -> None:
    query = f"from=491511&to=1500&text={text}&id=1&ts=1772366400&charset={charset}&coding={coding}&udh="

    assert message(called(CONFIG, query=query)).text == "été"


def test_a_message_without_text_is_one_nevertheless() -> None:
    found = message(called(CONFIG, query="from=4915112345678&to=1500&text=&id=1&ts=1772366400&charset=UTF-8&coding=0"))

    assert found.text == ""


def test_a_part_says_which_it_is_where_kannel_does_not_join_them() -> None:
    query = "from=4915112345678&to=1500&text=second&id=2&ts=1772366400&charset=UTF-8&coding=0&udh="
    (piece,) = called(CONFIG, query=query + "%05%00%03%07%02%02").pieces

    assert (piece.number, piece.total, piece.message.text) == (2, 2, "second")


def test_a_dsn_says_where_it_is() -> None:
    config = SmsConfig.from_dsn("kannel://tester:foobar@127.0.0.1:13013?from=4915199999999")

    assert sent(config).url == "http://127.0.0.1:13013/cgi-bin/sendsms"


def test_what_is_missing_is_asked_for_by_name() -> None:
    with pytest.raises(ValueError, match=r"account\.password is missing: the password of the `sendsms-user`"):
        channel("kannel", {"url": "http://127.0.0.1:13013", "username": "tester"})


def test_an_answer_to_a_call_is_content_only_with_a_200() -> None:
    assert CONFIG.loaded.callbacks.ack.status == 200


def test_an_account_is_looked_at_by_a_send_to_nobody() -> None:
    check = Requests(CONFIG).check()
    assert check is not None
    assert httpx.URL(check.url).params == httpx.QueryParams({"username": "tester", "password": "foobar"})
    assert CONFIG.loaded.check is not None
    assert CONFIG.loaded.check.good == (400,)
