"""Africa's Talking: what became of the recipient stands inside of a 201, and no reference of ours comes back."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.errors import AccountError, InvalidInputError, RejectedError, UncertainError
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

CONFIG = channel("africastalking", {"username": "anna", "api_key": "wonderland"}, **{"from": "41234"})
ID = "ATXid_41"


def looked_at(code: int, status: str = "Success", **more: Any) -> dict[str, Any]:
    recipient = {"statusCode": code, "status": status, "number": "+254700000041", "messageId": ID, "cost": "KES 0"}
    return {"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [recipient | more]}}


def happened(word: str, reason: str | None = None) -> dict[str, str]:
    fields = {"id": ID, "status": word, "phoneNumber": "+254700000041", "networkCode": "63902", "retryCount": "0"}
    return fields if reason is None else fields | {"failureReason": reason}


def test_a_text_goes_as_a_form() -> None:
    request = sent(CONFIG, out("Habari", "sms:+254700000041"))

    assert request.url == "https://api.africastalking.com/version1/messaging"
    assert request.headers["apikey"] == "wonderland"
    assert request.headers["accept"] == "application/json"
    assert request.fields == {"username": "anna", "to": "+254700000041", "from": "41234", "message": "Habari"}


def test_the_sandbox_is_elsewhere() -> None:
    account = {"username": "sandbox", "api_key": "wonderland", "url": "https://api.sandbox.africastalking.com"}

    assert sent(channel("africastalking", account)).url == "https://api.sandbox.africastalking.com/version1/messaging"


@pytest.mark.parametrize("code", [100, 101, 102])
def test_processed_sent_and_queued_are_taken(code: int) -> None:
    assert answered(CONFIG, looked_at(code), 201).ids == (ID,)


@pytest.mark.parametrize(
    ("code", "word", "kind"),
    [
        (401, "RiskHold", FailureKind.BLOCKED),
        (402, "InvalidSenderId", FailureKind.CONFIG),
        (403, "InvalidPhoneNumber", FailureKind.INVALID_ADDRESS),
        (404, "UnsupportedNumberType", FailureKind.INVALID_ADDRESS),
        (406, "UserInBlacklist", FailureKind.OPTED_OUT),
        (407, "CouldNotRoute", FailureKind.UNREACHABLE),
        # Theirs with the operator, about everybody; what they think of us, nobody has said.
        (409, "DoNotDisturbRejection", FailureKind.BLOCKED),
        (502, "RejectedByGateway", None),
    ],
)
def test_a_201_may_refuse_inside(code: int, word: str, kind: FailureKind | None) -> None:
    with pytest.raises(RejectedError, match=word) as refused:
        answered(CONFIG, looked_at(code, word, messageId="None"), 201)
    assert (refused.value.kind, refused.value.code) == (kind, str(code))


@pytest.mark.parametrize("code", [500, 501])
def test_a_fault_behind_a_201_leaves_it_open(code: int) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, looked_at(code, "InternalServerError", messageId="None"), 201)


@pytest.mark.parametrize(
    "body",
    [looked_at(405, "InsufficientBalance"), {"SMSMessageData": {"Message": "InsufficientBalance", "Recipients": []}}],
)
def test_no_money_is_about_the_account(body: dict[str, Any]) -> None:
    with pytest.raises(AccountError):
        answered(CONFIG, body, 201)


def test_a_sender_that_is_not_ours_leaves_no_recipient() -> None:
    with pytest.raises(RejectedError, match="InvalidSenderId") as refused:
        answered(CONFIG, {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}, 201)
    assert refused.value.kind is FailureKind.CONFIG


def test_a_wrong_key_is_told_in_words() -> None:
    with pytest.raises(AccountError):
        answered(CONFIG, "The supplied authentication is invalid", 401)


@pytest.mark.parametrize("body", [b"", b"<html>", {"SMSMessageData": {}}, looked_at(101, messageId="")])
def test_a_201_without_an_id_leaves_it_open_for_nothing_else_comes_back(body: Any) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, body, 201)


def test_a_message_is_read() -> None:
    fields = {
        "id": "in41",
        "linkId": "l1",
        "from": "+254700000041",
        "to": "41234",
        "text": "Habari",
        "date": "2026-03-01T12:00:00Z",
    }
    found = message(called(CONFIG, fields, form=True))

    assert found.sender is not None
    assert (found.sender.uri, found.text, found.message_id) == ("sms:+254700000041", "Habari", "in41")
    assert [each.uri for each in found.to] == ["sms:41234"]


@pytest.mark.parametrize("date", ["2026-03-01 12:00:00", "2026-03-01T12:00:00.000Z", "yesterday", ""])
def test_a_message_is_read_whatever_its_date_looks_like(date: str) -> None:
    fields = {"id": "in41", "from": "+254700000041", "to": "41234", "text": "Habari", "date": date}

    assert message(called(CONFIG, fields, form=True)).text == "Habari"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Sent", Status.SENT),
        ("Submitted", Status.SENT),
        ("Buffered", Status.SENT),  # the operator has it, and keeps trying
        ("Success", Status.DELIVERED),  # in a report; in the answer to a send it means no more than taken
        ("Rejected", Status.FAILED),
        ("Failed", Status.FAILED),
    ],
)
def test_a_report_is_matched_by_its_id(word: str, status: Status) -> None:
    found = report(called(CONFIG, happened(word), form=True))

    assert (found.status, found.ids) == (status, (ID,))


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("UserIsInactive", FailureKind.UNREACHABLE),
        ("UserDoesNotExist", FailureKind.INVALID_ADDRESS),
        ("NotNetworkSubcriber", FailureKind.INVALID_ADDRESS),
        ("DoNotDisturbRejection", FailureKind.BLOCKED),
        ("InsufficientCredit", FailureKind.UNREACHABLE),  # of the subscriber, not of our account
        ("UserNotSubscribedToProduct", FailureKind.BLOCKED),  # never asked for it, or no longer: nobody says which
    ],
)
def test_the_reason_says_what_kind_of_failure(reason: str, kind: FailureKind) -> None:
    found = report(called(CONFIG, happened("Failed", reason), form=True))

    assert found.failure is not None
    assert (found.failure.kind, found.failure.code) == (kind, reason)


def test_who_is_on_the_black_list_wants_nothing_from_us() -> None:
    read = called(CONFIG, happened("Rejected", "UserInBlackList"), form=True)

    assert consents(read) == [("sms:+254700000041", False)]


def test_a_word_that_nobody_knows_changes_nothing() -> None:
    assert notes(called(CONFIG, happened("Pondering"), form=True)) == ["sms.report"]


def test_a_report_without_an_id_matches_nothing_and_breaks_nothing() -> None:
    fields = happened("Success")
    del fields["id"]

    assert called(CONFIG, fields, form=True).events


def test_who_opts_out_at_the_operator_is_told_of_without_a_message() -> None:
    read = called(CONFIG, {"senderId": "ACME", "phoneNumber": "+254700000041"}, form=True)

    assert consents(read) == [("sms:+254700000041", False)]
    assert len(read.events) == 1


@pytest.mark.parametrize(("update", "granted"), [("addition", True), ("deletion", False)])
def test_who_joins_or_leaves_a_service_is_told_of(update: str, granted: bool) -> None:
    fields = {"phoneNumber": "+254700000041", "shortCode": "41234", "keyword": "NEWS", "updateType": update}

    assert consents(called(CONFIG, fields, form=True)) == [("sms:+254700000041", granted)]


def test_an_opt_out_of_nobody_changes_nothing() -> None:
    with pytest.raises(InvalidInputError):
        called(CONFIG, {"senderId": "ACME", "phoneNumber": "hello there nobody"}, form=True)
