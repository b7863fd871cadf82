"""Jasmin: answers and reports in SMPP's words, bytes for what is not GSM, and an acknowledgement of its own."""

from __future__ import annotations

import pytest

from convergekit.errors import (
    AccountError,
    NotSentError,
    RejectedError,
    ThrottledError,
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

CONFIG = channel("jasmin", {"url": "http://127.0.0.1:1401", "username": "anna", "password": "wonderland"})
ID = "0a1b2c3d-0000-4000-8000-000000000041"


def test_a_text_goes_as_a_form() -> None:
    request = sent(CONFIG, out("Grüße"))

    assert (request.method, request.url) == ("POST", "http://127.0.0.1:1401/send")
    assert request.fields == {
        "username": "anna",
        "password": "wonderland",
        "from": "+15005550006",
        "to": "+4915112345678",
        "coding": "0",
        "content": "Grüße",
        "dlr": "yes",
        "dlr-level": "3",
        "dlr-method": "POST",
        "dlr-url": f"{HOME}?ref={REFERENCE}",
    }


@pytest.mark.parametrize(("text", "octets"), [("Привет", "041F04400438043204350442"), ("👋", "D83DDC4B")])
def test_what_gsm_cannot_write_goes_as_the_bytes_that_the_phone_gets(text: str, octets: str) -> None:
    fields = sent(CONFIG, out(text)).fields

    assert (fields["coding"], fields["hex-content"]) == ("8", octets)
    assert "content" not in fields


def test_the_time_that_is_left_is_told_in_minutes() -> None:
    assert sent(CONFIG, out(lasts=3600)).fields["validity-period"] == "60"
    assert sent(CONFIG, out("Привет", lasts=3600)).fields["validity-period"] == "60"


def test_files_are_refused() -> None:
    with pytest.raises(UnsupportedContentError):
        sent(CONFIG, out(files=(PICTURE,)))


def test_its_id_is_taken_from_the_sentence() -> None:
    assert answered(CONFIG, f'Success "{ID}"').ids == (ID,)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "Mandatory argument [to] is not found.", FailureKind.INVALID_MESSAGE),
        (
            400,
            "Mandatory arguments not found, please refer to the HTTPAPI specifications.",
            FailureKind.INVALID_MESSAGE,
        ),
        (400, "Argument [to] has an invalid value: [x].", FailureKind.INVALID_MESSAGE),
        (403, "Authorization failed for username [anna] (Long content is not authorized).", FailureKind.CONFIG),
        (412, "No route found", FailureKind.UNREACHABLE),
    ],
)
def test_what_is_refused_says_why(status: int, text: str, kind: FailureKind) -> None:
    with pytest.raises(RejectedError) as refused:
        answered(CONFIG, f'Error "{text}"', status)
    assert refused.value.kind is kind
    assert text[:10] in str(refused.value)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("Authentication failure for username:anna", AccountError),
        ("Cannot charge submit_sm, check RouterPB log file for details", AccountError),
        ("User throughput exceeded", ThrottledError),
    ],
)
def test_a_403_is_many_things(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        answered(CONFIG, f'Error "{text}"', 403)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, "Cannot send submit_sm, check SMPPClientManagerPB log file for details"),
        (400, "Failover route has no bound connectors"),
        (503, "InterceptorPB not connected !"),
    ],
)
def test_what_stands_in_no_queue_was_not_sent(status: int, text: str) -> None:
    with pytest.raises(NotSentError):
        answered(CONFIG, f'Error "{text}"', status)


@pytest.mark.parametrize("text", ["", "Success", "<html>hello</html>"])
def test_a_200_that_says_something_else_leaves_it_open(text: str) -> None:
    with pytest.raises(UncertainError):
        answered(CONFIG, text)


@pytest.mark.parametrize(
    ("word", "level", "status", "kind"),
    [
        ("ESME_ROK", "1", Status.SENT, None),  # level 1: the network's centre has it, and no more
        ("ENROUTE", "2", Status.SENT, None),
        ("DELIVRD", "2", Status.DELIVERED, None),
        # Read by somebody for the subscriber, says SMPP; taken by the centre, mean many: it was passed on either way.
        ("ACCEPTD", "2", Status.RELAYED, None),
        ("EXPIRED", "2", Status.FAILED, FailureKind.EXPIRED),
        ("DELETED", "2", Status.FAILED, FailureKind.CANCELLED),
        ("UNDELIV", "2", Status.FAILED, None),
        ("REJECTD", "2", Status.FAILED, None),
        ("ESME_RINVDSTADR", "1", Status.FAILED, FailureKind.INVALID_ADDRESS),
        ("ESME_RTHROTTLED", "1", Status.FAILED, FailureKind.THROTTLED),  # Jasmin has tried again by itself, in vain
    ],
)
def test_a_report_says_it_in_smpps_words(word: str, level: str, status: Status, kind: FailureKind | None) -> None:
    body = {"id": ID, "id_smsc": "71", "message_status": word, "level": level, "connector": "smsc", "err": "045"}
    found = report(called(CONFIG, body, query=f"ref={REFERENCE}", form=True))

    assert (found.status, found.ids, found.delivery) == (status, (ID,), "d41")
    if status is Status.FAILED:
        assert found.failure is not None
        assert (found.failure.kind, found.failure.code) == (kind, "045")


def test_a_report_may_come_by_get() -> None:
    query = f"ref={REFERENCE}&id={ID}&message_status=DELIVRD&level=2"

    assert report(called(CONFIG, query=query)).status is Status.DELIVERED


@pytest.mark.parametrize("word", ["UNKNOWN", "ESME_RSOMETHING"])
def test_what_says_that_nothing_is_known_changes_nothing(word: str) -> None:
    """SMPP's UNKNOWN is no failure, though some read it as one."""
    body = {"id": ID, "message_status": word, "level": "2"}

    assert notes(called(CONFIG, body, query=f"ref={REFERENCE}", form=True)) == ["sms.report"]


@pytest.mark.parametrize("form", [True, False])
def test_a_message_comes_by_either_method(form: bool) -> None:
    fields = {"id": ID, "from": "+4915112345678", "to": "1500", "origin-connector": "smsc", "content": "Hi there"}
    query = "id=" + ID + "&from=%2B4915112345678&to=1500&origin-connector=smsc&content=Hi+there"
    found = message(called(CONFIG, fields, form=True) if form else called(CONFIG, query=query))

    assert found.sender is not None
    assert (found.sender.uri, found.text, found.message_id) == ("sms:+4915112345678", "Hi there", ID)


def test_ucs_2_is_read_from_the_bytes() -> None:
    """`content` is garbled on the way, so the hexadecimal digits count."""
    fields = {"id": ID, "from": "491511", "to": "1500", "coding": "8", "content": "\x04?", "binary": "041f0440"}

    assert message(called(CONFIG, fields, form=True)).text == "Пр"


def test_ucs_2_is_read_from_the_content_where_an_older_jasmin_has_no_bytes() -> None:
    body = b"id=1&from=491511&to=1500&coding=8&content=%04%1F%04%40"
    found = message(called(CONFIG, body, media_type="application/x-www-form-urlencoded"))

    assert found.text == "Пр"


def test_latin_1_is_read_from_the_bytes() -> None:
    fields = {"id": ID, "from": "491511", "to": "1500", "coding": "3", "content": "?t?", "binary": "e974e9"}

    assert message(called(CONFIG, fields, form=True)).text == "été"


def test_a_message_is_acknowledged_in_its_own_words() -> None:
    ack = CONFIG.loaded.callbacks.ack

    assert (ack.status, ack.body) == (200, "ACK/Jasmin")
