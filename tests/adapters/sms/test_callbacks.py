"""What a gateway tells, as events; by a profile that has all that profiles can say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from convergekit.abc import Headers, Request
from convergekit.adapters.sms import Sms, SmsConfig
from convergekit.adapters.sms.callbacks import Callbacks, Read
from convergekit.errors import InvalidInputError
from convergekit.model import (
    Address,
    ConsentChanged,
    CustomReceived,
    Event,
    Failure,
    FailureKind,
    MessageReceived,
    Receipt,
    ReceiptReceived,
    Status,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANN, US = "sms:+4915112345678", "+15005550006"
PROFILE: dict[str, Any] = {
    "name": "all-of-it",
    "title": "All that a profile can say",
    "media": ["sms", "mms", "whatsapp"],
    "prefixes": {"whatsapp:": "whatsapp", "MM-": "mms"},
    "send": {"url": "https://example.org", "fields": {}, "numbers": "digits"},
    "callbacks": {
        "methods": ["GET", "POST"],
        "each": "results",
        "inbound": [
            {
                "when": [{"path": "type", "equals": "mo"}],
                "id": ["id", "message.id"],
                "from": ["from.number", "from"],
                "to": "to",
                "text": ["text", "message.text"],
                "subject": "subject",
                "at": ["at", "^sent"],
                "decode": [
                    {"how": "utf16be-hex", "when": [{"path": "coding", "equals": "8"}]},
                    {"how": "utf16be", "when": [{"path": "charset", "matches": "(?i)utf-16"}]},
                ],
                "medium": {"path": "medium", "words": {"WA": "whatsapp"}},
                "media": {"urls": ["media.*.url", "Media#"], "types": "media.*.type", "names": "media.*.name"},
                "parts": {"reference": "ref", "number": "part", "total": "parts", "udh": "udh"},
                "keyword": {"path": "optout", "words": {"STOPPED": "stop", "ASKED": "help"}},
                "reply_to": "answers",
                "name": "from.name",
            },
            {"when": [{"path": "type", "equals": "bundle"}], "each": "messages", "from": "from", "text": "text"},
        ],
        "status": [
            {
                "when": [{"path": "type", "equals": "dlr"}],
                "id": "id",
                "at": "at",
                "at_format": "unix",
                "word": ["status", "group"],
                "reference": "client_ref",
                "to": "to",
                "code": ["code", "status_code"],
                "reason": "reason",
                "segments": {"id": "segment", "total": "of", "pattern": "of ([0-9]+)"},
            },
            {"when": [{"path": "type", "equals": "list"}], "each": "to", "id": "^id", "to": "number", "word": "status"},
        ],
        "consent": [
            {"when": [{"path": "type", "equals": "gone"}], "from": "from", "id": "id", "at": "at"},
            {"when": [{"path": "type", "equals": "back"}], "from": "from", "granted": True},
        ],
        "ignored": [[{"path": "direction", "equals": "outbound"}]],
    },
    "words": {
        "Queued": "accepted",
        "sent": "sent",
        "delivered": "delivered",
        "seen": "read",
        "failed": "failed",
        "expired": "expired",
        "mystery": "none",
    },
    "codes": {"E21": "opted_out", "63": "throttled", "7": "failed", "0": "none"},
}
CONFIG = SmsConfig.model_validate({"profile": PROFILE, "from": US})
CALLBACKS = Callbacks(CONFIG, "alerts")


def call(body: Any = None, query: str = "", *, callbacks: Callbacks = CALLBACKS, now: datetime = NOW) -> Read:
    content = b"" if body is None else json.dumps(body).encode()
    return callbacks.read(Request("POST" if content else "GET", query=query, body=content), now=now)


def mo(**fields: Any) -> dict[str, Any]:
    return {"type": "mo", "id": "m1", "from": "4915112345678", "to": "15005550006", "text": "Hello"} | fields


def dlr(**fields: Any) -> dict[str, Any]:
    return {"type": "dlr", "id": "x1", "status": "delivered"} | fields


def one(read: Read) -> Event:
    assert not read.pieces
    (event,) = read.events
    return event


def message(**fields: Any) -> MessageReceived:
    event = one(call(mo(**fields)))
    assert isinstance(event, MessageReceived)
    return event


def receipt(**fields: Any) -> Receipt:
    event = one(call(dlr(**fields)))
    assert isinstance(event, ReceiptReceived)
    return event.receipt


# --- messages ----------------------------------------------------------------


def test_a_message_is_all_that_the_gateway_says_of_it() -> None:
    body = mo(subject="Hi", at="2026-03-01T11:59:00+0000", answers="x1", **{"from": {"number": "+4915112345678"}})
    event = one(call({"results": [body]}))
    assert isinstance(event, MessageReceived)
    assert event.key == "in:m1"
    assert event.channel == "alerts"
    assert event.message_id == "m1"
    assert event.sender == Address(ANN)
    assert event.conversation is not None
    assert (event.conversation.channel, event.conversation.address.uri) == ("alerts", ANN)
    assert event.to == (Address("sms:+15005550006"),)
    assert event.at == NOW - timedelta(minutes=1)
    assert (event.text, event.subject, event.reply_to) == ("Hello", "Hi", "x1")
    assert event.native == body
    assert Sms.of(event) == Sms(gateway="all-of-it", medium="mms")  # an SMS has no subject


def test_fields_may_stand_in_other_places() -> None:
    event = message(id=None, text=None, message={"id": 7, "text": "there"})
    assert (event.key, event.text) == ("in:7", "there")


def test_a_form_and_a_query_are_read_as_well() -> None:
    fields = {"TYPE": "mo", "Id": "m1", "From": "+4915112345678", "Text": "Grüße", "Media0": "https://example.org/a"}
    for query, body in ((urlencode(fields), b""), ("", urlencode(fields).encode())):
        event = one(CALLBACKS.read(Request("POST" if body else "GET", query=query, body=body), now=NOW))
        assert isinstance(event, MessageReceived)
        assert (event.key, event.text, event.native) == ("in:m1", "Grüße", fields)
        assert [file.url for file in event.attachments] == ["https://example.org/a"]


def test_without_an_id_the_same_message_has_the_same_key_for_some_seconds() -> None:
    def key(_seconds: float = 0, /, **fields: Any) -> str:
        return one(call(mo(id=None, **fields), now=NOW + timedelta(seconds=_seconds))).key

    assert key() == key(9.9)
    assert key() != key(10)
    assert key() != key(text="Hello!")
    assert key() != key(0, **{"from": "4915112345679"})
    assert key(at="2026-03-01T11:59:00Z") == key(3600, at="2026-03-01T11:59:00Z")
    assert key().startswith("in#")


@pytest.mark.parametrize("sender", ["not a number at all, and long", "+0", "", None, {"number": []}, []])
def test_a_sender_who_is_nobody_does_not_make_a_message_disappear(sender: Any) -> None:
    event = message(**{"from": sender})
    assert (event.sender, event.conversation, event.text) == (None, None, "Hello")
    assert event.native["from"] == sender


def test_a_sender_may_be_a_name_or_a_short_code() -> None:
    assert message(**{"from": "Bank"}).sender == Address("sms:Bank")
    assert message(**{"from": "12345"}).sender == Address("sms:12345")


def test_a_recipient_who_is_nobody_is_left_out() -> None:
    assert message(to="not a number at all, and long").to == ()
    assert message(to=None).to == ()


def test_a_sender_has_the_name_that_the_gateway_tells() -> None:
    sender = message(**{"from": {"number": "+4915112345678", "name": "Ann\r\nExample"}}).sender
    assert sender is not None
    assert sender.display_name == "Ann Example"
    assert message(**{"from": {"number": "+4915112345678", "name": ["x"]}}).sender == Address(ANN)


@pytest.mark.parametrize(
    ("fields", "uri", "medium"),
    [
        ({"from": "whatsapp:+4915112345678"}, "whatsapp:+4915112345678", "whatsapp"),
        ({"from": "4915112345678", "to": "WhatsApp:+15005550006"}, "whatsapp:+4915112345678", "whatsapp"),
        ({"medium": "wa"}, "whatsapp:+4915112345678", "whatsapp"),
        ({"medium": "WhatsApp"}, "whatsapp:+4915112345678", "whatsapp"),  # our own word needs none
        ({"medium": "rcs"}, ANN, "sms"),  # which this gateway does not carry
        ({"medium": "carrier pigeon"}, ANN, "sms"),
        ({"from": "mm-4915112345678"}, ANN, "mms"),
        ({}, ANN, "sms"),
    ],
)
def test_a_medium_is_told_by_a_word_or_by_a_prefix(fields: dict[str, Any], uri: str, medium: str) -> None:
    event = message(**fields)
    assert event.sender == Address(uri)
    assert Sms.of(event).medium == medium


def test_an_empty_message_is_one_and_files_alone_are_one() -> None:
    assert message(text="").text == ""
    assert message(text=None).text == ""
    event = message(text=None, media=[{"url": "https://example.org/cat.jpg"}])
    assert (event.text, Sms.of(event).medium) == (None, "mms")


def test_files_have_their_types_and_names() -> None:
    files = message(
        media=[
            {"url": "https://example.org/1", "type": "Image/JPEG; q=1", "name": "a/b\\cat.jpg"},
            {"url": "https://example.org/2", "name": ".."},
            {"url": "https://example.org/3", "type": "nonsense", "name": "dog.png"},
            {"url": "ftp://example.org/4"},
            {"url": "https://example.org/\x07"},
            {"url": 5},
            "https://example.org/6",
            {"url": " https://example.org/7 ", "type": "text/plain"},
        ]
    ).attachments
    assert [(file.url, file.media_type, file.name) for file in files] == [
        ("https://example.org/1", "image/jpeg", "cat.jpg"),
        ("https://example.org/2", "application/octet-stream", None),
        ("https://example.org/3", "image/png", "dog.png"),
        ("https://example.org/7", "text/plain", None),
    ]


def test_a_text_is_decoded_where_the_profile_says_so() -> None:
    assert message(text="00480069", coding=8).text == "Hi"
    assert message(text="00480069", coding=0).text == "00480069"
    utf16 = quote("Grüße 中".encode("utf-16-be"))
    read = call(query=f"type=mo&from=%2B4915112345678&charset=UTF-16BE&text={utf16}")
    event = one(read)
    assert isinstance(event, MessageReceived)
    assert event.text == "Grüße 中"


def test_text_that_is_no_text_is_not_given_as_an_empty_one() -> None:
    assert message(text=["Hello"]).text == "Hello"  # a list of one
    bad, good = call([mo(text={"body": "Hello"}), mo(id="m2")]).events
    assert isinstance(bad, CustomReceived)
    assert (bad.name, good.key) == ("sms.unreadable", "in:m2")


def test_a_part_of_a_longer_message_waits_for_the_others() -> None:
    read = call(
        {"results": [mo(ref=9, part=2, parts=3), mo(id="m2", udh="050003070201"), mo(id="m3", part=1, parts=1)]}
    )
    assert [(each.message.key, each.reference, each.number, each.total) for each in read.pieces] == [
        ("in:m1", "9", 2, 3),
        ("in:m2", "07", 1, 2),
    ]
    assert [event.key for event in read.events] == ["in:m3"]


def test_a_part_that_says_stop_is_no_message_yet() -> None:
    read = call(mo(text="STOP", ref=9, part=1, parts=2))
    assert not read.events
    assert read.pieces[0].message.details == {"gateway": "all-of-it"}


def test_a_word_of_the_list_is_a_change_of_consent() -> None:
    event, consent = call(mo(text=" Stop. ")).events
    assert isinstance(event, MessageReceived)
    assert isinstance(consent, ConsentChanged)
    assert Sms.of(event).keyword == "stop"
    assert (consent.key, consent.address, consent.granted) == ("consent:in:m1", Address(ANN), False)


def test_the_gateways_own_word_counts_before_ours() -> None:
    _, consent = call(mo(text="whatever", optout="stopped")).events
    assert isinstance(consent, ConsentChanged)
    assert consent.evidence == "all-of-it: STOP"
    asked = one(call(mo(text="STOP", optout="ASKED")))
    assert Sms.of(asked).keyword == "help"


# --- reports -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [("queued", Status.ACCEPTED), ("SENT", Status.SENT), ("delivered", Status.DELIVERED), ("seen", Status.READ)],
)
def test_a_word_is_a_status(word: str, status: Status) -> None:
    assert receipt(status=word).status is status


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"status": "failed"}, Failure()),
        ({"status": "expired"}, Failure(kind=FailureKind.EXPIRED)),
        ({"status": "failed", "code": 63}, Failure(kind=FailureKind.THROTTLED, code="63")),
        ({"status": "expired", "code": "e21"}, Failure(kind=FailureKind.OPTED_OUT, code="e21")),
        ({"status": "expired", "code": "7"}, Failure(kind=FailureKind.EXPIRED, code="7")),
        ({"status": "expired", "code": "9999"}, Failure(kind=FailureKind.EXPIRED, code="9999")),
        ({"status": "failed", "reason": "no\r\nroute"}, Failure(text="no route")),
    ],
)
def test_a_failure_says_why(fields: dict[str, Any], failure: Failure) -> None:
    found = receipt(**fields)
    assert (found.status, found.failure) == (Status.FAILED, failure)


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"status": "new", "group": "expired"}, Failure(kind=FailureKind.EXPIRED)),
        ({"status": "failed", "group": "expired"}, Failure()),
        ({"status": "failed", "code": "9999", "status_code": 63}, Failure(kind=FailureKind.THROTTLED, code="63")),
        ({"status": "failed", "code": "9999", "status_code": 8888}, Failure(code="9999")),
    ],
)
def test_of_several_words_and_codes_the_first_that_is_listed_counts(fields: dict[str, Any], failure: Failure) -> None:
    assert receipt(**fields).failure == failure


def test_a_code_beside_a_delivery_is_none_of_a_failure() -> None:
    assert receipt(code="e21").failure is None


@pytest.mark.parametrize("fields", [{"status": "no-such-word"}, {"status": "mystery"}, {"status": "failed", "code": 0}])
def test_what_is_not_known_is_noted_and_changes_nothing(fields: dict[str, Any]) -> None:
    event = one(call(dlr(**fields)))
    assert isinstance(event, CustomReceived)
    assert event.name == "sms.report"
    assert event.data == {"word": fields["status"], "id": "x1", "reference": None}
    assert event.native == dlr(**fields)


def test_a_report_is_dated_and_says_to_whom() -> None:
    event = one(call(dlr(at=1772366400, to="4915112345678")))
    assert isinstance(event, ReceiptReceived)
    assert event.at == event.receipt.occurred_at == NOW
    assert event.receipt.address == Address(ANN)
    assert event.receipt.ids == ("x1",)
    assert Sms.of(event).gateway == "all-of-it"


def test_our_own_reference_comes_back_in_the_url_or_in_a_field() -> None:
    by_url = one(call(dlr(), "status=8&ref=d-1_A.2"))
    assert isinstance(by_url, ReceiptReceived)
    assert (by_url.receipt.delivery, by_url.receipt.part) == ("d-1_A", 2)
    by_field = receipt(client_ref="d2.0")
    assert (by_field.delivery, by_field.part) == ("d2", 0)
    other = one(call(dlr(client_ref="theirs"), "ref=d%2D3.1"))
    assert isinstance(other, ReceiptReceived)
    assert (other.receipt.delivery, other.receipt.part) == ("d-3", 1)
    assert receipt(client_ref="theirs").delivery is None


def test_a_report_without_an_id_is_known_by_our_reference_or_by_whom_it_went_to() -> None:
    assert one(call(dlr(id=None), "ref=d1.0")).key == "st:d1.0:delivered"
    assert receipt(id=None, to="4915112345678").address == Address(ANN)
    with pytest.raises(InvalidInputError, match="no message"):
        call(dlr(id=None))


def test_keys_of_reports_tell_them_apart() -> None:
    keys = [
        one(call(dlr(**fields))).key
        for fields in ({}, {"status": "sent"}, {"status": "failed", "code": 1}, {"segment": "s1"}, {"id": "x2"})
    ]
    assert keys == ["st:x1:delivered", "st:x1:sent", "st:x1:failed:1", "st:x1:delivered:segment s1", "st:x2:delivered"]
    assert one(call(dlr())).key == one(call(dlr(at=1772366400))).key  # a repeat


def test_reports_of_one_id_to_several_people_are_several() -> None:
    people = [{"number": number, "status": "sent"} for number in ("4915112345678", "4915112345679")]
    read = call({"type": "list", "id": "x1", "to": people})
    receipts = [event.receipt for event in read.events if isinstance(event, ReceiptReceived)]
    assert len({event.key for event in read.events}) == len(receipts) == 2
    assert [each.address for each in receipts] == [Address(ANN), Address("sms:+4915112345679")]
    assert [event.native for event in read.events] == people
    alone = {"type": "list", "id": "x1", "to": people[0]}
    assert one(call(alone)).native == alone  # all of it, where it is about nothing else


@pytest.mark.parametrize(
    ("fields", "segment", "segments"),
    [
        ({"segment": "s2", "of": "2 of 3"}, "s2", 3),
        ({"segment": "s1", "of": "1 of 1"}, None, None),  # there are none
        ({"segment": "s2", "of": "of many"}, "s2", None),
        ({"segment": "s2", "of": "of 0"}, "s2", None),
        ({"segment": "s2", "of": "of " + "9" * 100}, "s2", None),
        ({"segment": 2}, "2", None),
        ({}, None, None),
    ],
)
def test_a_segment_is_reported_by_itself(fields: dict[str, Any], segment: str | None, segments: int | None) -> None:
    found = receipt(**fields)
    assert (found.segment, found.segments) == (segment, segments)


def test_where_each_id_of_the_reply_is_a_segments_the_id_names_it() -> None:
    status = [{"word": "status", "id": "id"}]
    profile = PROFILE | {"reply": {"ids": "ids.*", "segments": True}, "callbacks": {"status": status, "inbound": []}}
    callbacks = Callbacks(SmsConfig.model_validate({"profile": profile}), "alerts")
    event = one(call(dlr(), callbacks=callbacks))
    assert isinstance(event, ReceiptReceived)
    assert event.receipt.segment == "x1"


def test_an_opt_out_that_a_report_tells_is_a_failure_of_its_kind() -> None:
    """Whose it is, the ledger knows: so it takes consent back also where the report names nobody."""
    for who in ({"to": "4915112345678"}, {}):
        report = one(call(dlr(status="failed", code="E21", **who)))
        assert isinstance(report, ReceiptReceived)
        assert report.receipt.failure is not None
        assert report.receipt.failure.kind is FailureKind.OPTED_OUT


def test_what_somebody_has_told_the_gateway_itself_is_a_change_of_consent() -> None:
    gone = one(call({"type": "gone", "from": "4915112345678", "id": "o1", "at": "2026-03-01T12:00:00Z"}))
    back = one(call({"type": "back", "from": "4915112345678"}))
    assert isinstance(gone, ConsentChanged)
    assert isinstance(back, ConsentChanged)
    assert (gone.key, gone.address, gone.granted, gone.at) == ("consent:o1:False", Address(ANN), False, NOW)
    assert (back.address, back.granted, back.evidence) == (Address(ANN), True, "all-of-it: told by the gateway")
    with pytest.raises(InvalidInputError, match="nobody is named"):
        call({"type": "gone", "from": "not a number at all, and long"})


def test_who_leaves_a_second_time_has_left() -> None:
    """Without an id a repeat comes within seconds; what comes later is meant anew."""
    keys = [one(call({"type": "gone", "from": "12345"}, now=NOW + timedelta(seconds=each))).key for each in (0, 9, 60)]
    assert keys[0] == keys[1] != keys[2]


# --- batches -----------------------------------------------------------------


def test_what_is_broken_in_a_batch_costs_nothing_of_the_rest() -> None:
    broken: list[Any] = [None, 7, "x", [], {"type": "mo", "text": {"a": 1}}, dlr(status=None), dlr(id=[])]
    read = call({"results": [mo(), *broken, dlr(), mo(id="m2")]})
    names = [event.name if isinstance(event, CustomReceived) else event.key for event in read.events]
    assert [name for name in names if not name.startswith("sms.")] == ["in:m1", "st:x1:delivered", "in:m2"]
    assert len(names) == 3 + len(broken) - 1  # an empty list in a list is nothing
    unreadable = [
        event for event in read.events if isinstance(event, CustomReceived) and event.name == "sms.unreadable"
    ]
    assert [event.data for event in unreadable] == [broken[4], broken[5], broken[6]]
    assert len({event.key for event in read.events}) == len(names)


def test_a_body_that_is_a_list_is_a_batch() -> None:
    assert [event.key for event in call([mo(), mo(id="m2")]).events] == ["in:m1", "in:m2"]


def test_a_rule_may_have_a_list_inside() -> None:
    read = call({"type": "bundle", "messages": [{"from": "4915112345678", "text": "a"}, {}, {"text": "b"}]})
    kinds = [event.text if isinstance(event, MessageReceived) else event.type for event in read.events]
    assert kinds == ["a", "custom.received", "b"]


@pytest.mark.parametrize("body", [dlr(status=None), [dlr(id=None)], {"results": [{"type": "mo"}, dlr(status={})]}])
def test_where_nothing_makes_sense_the_call_is_refused(body: Any) -> None:
    with pytest.raises(InvalidInputError, match="nothing of the call makes sense"):
        call(body)


def test_what_no_rule_is_about_is_noted() -> None:
    event = one(call({"hello": "there"}))
    assert isinstance(event, CustomReceived)
    assert (event.name, event.data) == ("sms.unknown", {"hello": "there"})
    assert event.key == one(call({"hello": "there"})).key


def test_what_is_ignored_is_nothing_and_so_is_an_empty_batch() -> None:
    assert call({"direction": "outbound"}) == Read()
    assert call({"results": []}) == Read()


def test_a_batch_of_a_hundred_thousand_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="entries"):
        call([0] * 100_000)


def test_a_refusal_shows_nothing_of_what_was_said() -> None:
    with pytest.raises(InvalidInputError) as caught:
        call({"type": "mo", "id": "sesame" * 200, "from": "sesame"})
    assert "sesame" not in str(caught.value)


def test_what_comes_by_another_content_type_is_read_all_the_same() -> None:
    request = Request("POST", headers=Headers({"content-type": "text/html; charset=x"}), body=json.dumps(mo()).encode())
    assert one(CALLBACKS.read(request, now=NOW)).key == "in:m1"
