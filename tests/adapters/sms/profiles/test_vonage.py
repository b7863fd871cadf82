"""Vonage's SMS API: 200 whatever happens, a report for each segment, and parts that we put together."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms.verify import verifier
from convergekit.errors import (
    AccountError,
    AuthenticationError,
    CreditError,
    DeliveryError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
)
from convergekit.model import FailureKind, Status
from tests.adapters.sms.gateway_kit import (
    HOME,
    NOW,
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
from tests.adapters.sms.profiles.samples import SECRET, THEY, VONAGE, WE

CONFIG = VONAGE.config
arrived, happened = VONAGE.arrived, VONAGE.happened


def answer(*statuses: str, text: str = "In words") -> dict[str, Any]:
    each = [
        {"to": THEY, "message-id": f"out-{index}", "status": "0"}
        if status == "0"
        else {"status": status, "error-text": text}
        for index, status in enumerate(statuses)
    ]
    return {"message-count": str(len(statuses)), "messages": each}


def test_a_text_goes_as_a_form_without_the_secret_in_it() -> None:
    request = sent(CONFIG, out("Hello", lasts=3600))

    assert request.url == "https://rest.nexmo.com/sms/json"
    assert request.headers["authorization"] == "Basic azQxOnZlcnktc2VjcmV0"
    assert request.fields == {
        "from": WE,
        "to": THEY,
        "text": "Hello",
        "type": "text",
        "ttl": "3600000",
        "client-ref": REFERENCE,
        "callback": HOME,
    }


def test_letters_that_gsm_has_not_are_told_of() -> None:
    assert sent(CONFIG, out("Привет")).fields["type"] == "unicode"
    assert sent(CONFIG, out("Grüße €")).fields["type"] == "text"


def test_the_callback_stays_within_a_hundred_characters() -> None:
    """The reference is in a field: in the URL it would cost what the URL may need."""
    assert "ref=" not in sent(CONFIG).fields["callback"]


@pytest.mark.parametrize(("lasts", "ttl"), [(20.5, "20500"), (30 * 86400, "604800000")])
def test_the_time_that_is_left_is_told_in_milliseconds(lasts: float, ttl: str) -> None:
    assert sent(CONFIG, out(lasts=lasts)).fields["ttl"] == ttl


def test_less_than_twenty_seconds_cannot_be_told() -> None:
    with pytest.raises(RejectedError) as caught:
        sent(CONFIG, out(lasts=19.9))

    assert caught.value.kind is FailureKind.EXPIRED


def test_each_segment_has_an_id_and_a_report() -> None:
    receipt = answered(CONFIG, answer("0", "0", "0"))
    reports = [report(called(CONFIG, happened("delivered", messageId=id))) for id in receipt.ids]

    assert (receipt.ids, receipt.segments, receipt.units) == (("out-0", "out-1", "out-2"), 3, 3)
    assert [each.segment for each in reports] == ["out-0", "out-1", "out-2"]
    assert {each.delivery for each in reports} == {"d41"}


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        ("1", ThrottledError, None),
        ("2", RejectedError, FailureKind.INVALID_MESSAGE),
        ("4", AuthenticationError, None),
        ("5", NotSentError, None),  # its own trouble; it has taken nothing
        ("6", RejectedError, FailureKind.INVALID_ADDRESS),
        ("7", RejectedError, FailureKind.BLOCKED),  # Vonage's list, and not the recipient's wish
        ("8", AccountError, None),
        ("9", CreditError, None),
        ("12", RejectedError, FailureKind.TOO_LARGE),
        ("15", RejectedError, FailureKind.CONFIG),
        ("77", RejectedError, None),
    ],
)
def test_a_200_may_be_a_refusal(status: str, error: type[DeliveryError], kind: FailureKind | None) -> None:
    with pytest.raises(error) as caught:
        answered(CONFIG, answer(status))

    assert type(caught.value) is error
    assert (caught.value.code, getattr(caught.value, "kind", None)) == (status, kind)


def test_the_wait_is_in_the_text() -> None:
    with pytest.raises(ThrottledError) as caught:
        answered(CONFIG, answer("1", text="Throughput Rate Exceeded - please wait [ 2500 ] and retry"))

    assert caught.value.retry_after == 2.5


def test_what_went_half_is_not_sent_again() -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, answer("0", "1"))


def test_parts_come_one_by_one() -> None:
    pieces = [
        piece
        for number, text in ((2, "wor"), (1, "Hello "), (3, "ld"))
        for piece in called(
            CONFIG,
            arrived(text, messageId=f"in-{number}")
            | {"concat": "true", "concat-ref": "08B5", "concat-part": str(number), "concat-total": "3"},
        ).pieces
    ]

    assert [(each.reference, each.number, each.total) for each in pieces] == [
        ("08B5", 2, 3),
        ("08B5", 1, 3),
        ("08B5", 3, 3),
    ]
    assert [each.message.text for each in pieces] == ["wor", "Hello ", "ld"]


@pytest.mark.parametrize("how", ["query", "form", "json"])
def test_calls_come_in_three_forms(how: str) -> None:
    fields = arrived("Grüße")
    came = called(CONFIG, query=urlencode(fields)) if how == "query" else called(CONFIG, fields, form=how == "form")

    assert message(came).text == "Grüße"
    assert str(message(came).at) == "2026-03-01 11:59:58+00:00"


def test_a_signed_get_is_taken() -> None:
    body = VONAGE.request(arrived()).body
    query = urlencode(json.loads(body))
    check = verifier(CONFIG)

    check(Request(method="GET", query=query, headers=Headers({}), url=f"{HOME}?{query}"), NOW)


def test_the_account_says_how_it_signs() -> None:
    config = channel("vonage", {**VONAGE.account, "signature_method": "md5hash"})
    fields = arrived() | {"timestamp": str(int(NOW.timestamp()))}
    signed = "".join(f"&{name}={fields[name]}" for name in sorted(fields)) + SECRET
    fields["sig"] = hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()

    verifier(config)(Request(method="POST", headers=Headers({}), body=json.dumps(fields).encode(), url=HOME), NOW)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", Status.SENT),  # by the carrier
        ("buffered", Status.SENT),
        ("delivered", Status.DELIVERED),
        ("expired", Status.FAILED),
        ("failed", Status.FAILED),
        ("rejected", Status.FAILED),
    ],
)
def test_words(word: str, status: Status) -> None:
    receipt = report(called(CONFIG, happened(word)))

    assert receipt.status is status
    assert str(receipt.occurred_at) == "2026-03-01 12:00:00+00:00"


def test_unknown_is_no_news() -> None:
    assert notes(called(CONFIG, happened("unknown"))) == ["sms.report"]


@pytest.mark.parametrize(
    ("word", "code", "kind"),
    [
        ("expired", "0", FailureKind.EXPIRED),
        ("rejected", "1", None),
        ("failed", "4", FailureKind.BLOCKED),  # by the plan; STOP is 9
        ("failed", "9", FailureKind.OPTED_OUT),
        ("failed", "15", FailureKind.UNREACHABLE),  # the recipient's credit, not ours
    ],
)
def test_codes_of_failures(word: str, code: str, kind: FailureKind | None) -> None:
    came = called(CONFIG, happened(word, code))
    failure = next(event.receipt.failure for event in came.events if hasattr(event, "receipt"))

    assert failure is not None
    assert failure.kind == kind
