"""Clickatell: refusals inside of a 202, numbers for a status, and UTF-16 behind percent signs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from convergekit.errors import AccountError, NotSentError, RejectedError, ThrottledError, UncertainError
from convergekit.model import FailureKind, Status
from tests.adapters.sms.gateway_kit import (
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

CONFIG = channel("clickatell", {"api_key": "d29uZGVybGFuZA=="}, **{"from": "15005550006"})
ID = "c41"


def taken(**more: Any) -> dict[str, Any]:
    return {"messages": [{"apiMessageId": ID, "accepted": True, "to": "4915112345678", "error": None} | more]}


def happened(number: int, **more: Any) -> dict[str, Any]:
    said = {"integrationName": "ours", "messageId": ID, "to": "4915112345678"}
    return said | {"statusCode": number, "status": "", "statusDescription": "why", "timestamp": 1772366400000} | more


def arrived(**more: Any) -> dict[str, Any]:
    said = {"integrationName": "ours", "messageId": "in41", "fromNumber": "4915112345678", "toNumber": "15005550006"}
    return said | {"timestamp": 1772366400000, "text": "Hi there", "charset": "UTF-8", "udh": ""} | more


def test_a_text_goes_as_json_and_the_key_stands_in_no_url() -> None:
    request = sent(CONFIG, out("Grüße"))

    assert request.url == "https://platform.clickatell.com/messages"
    assert request.headers["authorization"] == "d29uZGVybGFuZA=="
    assert request.fields == {
        "to": ["4915112345678"],
        "from": "15005550006",
        "content": "Grüße",
    }


def test_the_time_that_is_left_is_told_in_minutes_of_which_it_takes_a_day() -> None:
    assert sent(CONFIG, out(lasts=3600)).fields["validityPeriod"] == 60
    assert sent(CONFIG, out(lasts=9 * 86400)).fields["validityPeriod"] == 1440


def test_its_id_comes_back() -> None:
    assert answered(CONFIG, taken(), 202).ids == (ID,)


@pytest.mark.parametrize("body", [b"", b"<html>", {"messages": []}, taken(apiMessageId="")])
def test_a_202_that_says_less_leaves_it_open(body: Any) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, body, 202)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (25, FailureKind.INVALID_ADDRESS),
        (26, FailureKind.OPTED_OUT),
        (24, FailureKind.TOO_LARGE),
        (45, FailureKind.CONFIG),
    ],
)
def test_a_202_may_refuse_inside(code: int, kind: FailureKind) -> None:
    body = taken(accepted=False, apiMessageId="", errorCode=code, error="No", errorDescription="not this one")
    with pytest.raises(RejectedError, match="not this one") as refused:
        answered(CONFIG, body, 202)
    assert (refused.value.kind, refused.value.code) == (kind, str(code))


def test_a_refusal_without_a_code_is_one() -> None:
    with pytest.raises(RejectedError, match="Invalid number"):
        answered(CONFIG, taken(accepted=False, apiMessageId=None, error="Invalid number"), 202)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (401, 1, AccountError),
        (400, 2, AccountError),
        (402, 20, AccountError),
        (503, 19, NotSentError),
        (400, 43, ThrottledError),  # a limit of rate comes as a 400
        (500, 18, UncertainError),
    ],
)
def test_codes_say_more_than_statuses(status: int, code: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        answered(CONFIG, {"messages": [], "errorCode": code, "error": "no", "errorDescription": "no"}, status)


def test_a_message_is_read() -> None:
    found = message(called(CONFIG, arrived()))

    assert found.sender is not None
    assert (found.sender.uri, found.text, found.message_id) == ("sms:+4915112345678", "Hi there", "in41")
    assert found.at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_answer_names_what_it_answers() -> None:
    """There `messageId` is that of ours, and `replyMessageId` that of theirs."""
    found = message(called(CONFIG, arrived(messageId=ID, replyMessageId="re41")))

    assert (found.message_id, found.reply_to) == ("re41", ID)


@pytest.mark.parametrize("charset", ["UTF-16BE", "UCS2-BE"])
def test_utf_16_comes_behind_percent_signs(charset: str) -> None:
    text = "%04%1F%04%40%00%21"

    assert message(called(CONFIG, arrived(text=text, charset=charset))).text == "Пр!"


def test_a_percent_sign_in_a_plain_text_is_one() -> None:
    assert message(called(CONFIG, arrived(text="100%25 sure"))).text == "100%25 sure"


@pytest.mark.parametrize(
    ("number", "status", "kind"),
    [
        (2, Status.ACCEPTED, None),
        (3, Status.SENT, None),  # with the next gateway or the network: not with the phone
        (4, Status.DELIVERED, None),
        (5, Status.FAILED, FailureKind.CONTENT),
        (6, Status.FAILED, FailureKind.CANCELLED),
        (7, Status.FAILED, FailureKind.UNREACHABLE),
        (8, Status.ACCEPTED, None),
        (9, Status.FAILED, FailureKind.UNREACHABLE),
        (10, Status.FAILED, FailureKind.EXPIRED),
        (11, Status.ACCEPTED, None),
        (12, Status.FAILED, FailureKind.QUOTA),
        (13, Status.FAILED, FailureKind.CANCELLED),
        (14, Status.FAILED, FailureKind.THROTTLED),
    ],
)
def test_a_report_says_it_in_numbers(number: int, status: Status, kind: FailureKind | None) -> None:
    found = report(called(CONFIG, happened(number)))

    assert (found.status, found.ids) == (status, (ID,))
    assert (found.failure.kind if found.failure else None) is kind


@pytest.mark.parametrize("number", [1, 99])
def test_a_number_that_says_nothing_changes_nothing(number: int) -> None:
    assert notes(called(CONFIG, happened(number))) == ["sms.report"]


def test_a_report_opts_nobody_out() -> None:
    assert consents(called(CONFIG, happened(7))) == []
