"""A mail becomes one event, whatever its bytes are; a report becomes what it says of mail of ours."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email import arrival
from convergekit.adapters.email.arrival import NOBODY, Envelope, key_of, one_click, to_events
from convergekit.adapters.email.details import Mail, MailKind
from convergekit.adapters.email.identifiers import Identifiers, thread_name
from convergekit.adapters.email.reading.mail import read
from convergekit.model import (
    Address,
    Event,
    Importance,
    MessageReceived,
    ReceiptReceived,
    Status,
    event_from_json,
    event_to_json,
)
from tests.adapters.email.reading.mails import CONFIG, HEADER, IDENTIFIERS, letter, mail, multipart, outgoing

CAME = datetime(2026, 1, 5, 11, 0, 30, tzinfo=UTC)


def events(raw: bytes, envelope: Envelope | None = None, **settings: Any) -> tuple[Event, ...]:
    config = CONFIG.model_copy(update=settings)
    return to_events(raw, envelope or Envelope(), config=config, identifiers=IDENTIFIERS)


def event(raw: bytes, envelope: Envelope | None = None, **settings: Any) -> MessageReceived:
    [only] = events(raw, envelope, **settings)
    assert isinstance(only, MessageReceived)
    assert not any("fault of ours" in defect for defect in Mail.of(only).defects)
    return only


def details(fields: dict[str, str | None], envelope: Envelope | None = None, **settings: Any) -> Mail:
    return Mail.of(event(mail(fields), envelope, **settings))


# What is in the event


def test_mail_becomes_an_event() -> None:
    raw = mail(
        {"Cc": "Ben <ben@example.net>"}, "It came.\n\nOn 5 Jan 2026, Help <help@example.org> wrote:\n> Did it?\n"
    )
    got = event(raw, Envelope(received_at=CAME))

    ann = Address("mailto:ann@example.net")
    assert (got.sender, got.sender and got.sender.display_name) == (ann, "Ann Example")
    assert got.conversation is not None
    assert (got.conversation.address, got.conversation.thread) == (ann, thread_name("one@example.net"))
    assert got.thread == got.conversation.thread
    assert (got.to, got.cc) == ((Address("mailto:help@example.org"),), (Address("mailto:ben@example.net"),))
    assert (got.subject, got.message_id, got.reply_to) == ("Parcel", "one@example.net", None)
    assert got.at == datetime(2026, 1, 5, 11, tzinfo=UTC)
    assert got.text is not None
    assert got.text.startswith("It came.\n\nOn 5 Jan")
    assert got.visible_text == "It came."
    assert (got.automated, got.importance) == (False, Importance.NORMAL)
    assert got.native == raw
    assert got.key == key_of(read(raw))


def test_both_forms_and_the_files_are_there() -> None:
    raw = multipart(
        "mixed",
        'Content-Type: multipart/alternative; boundary="=-in"\n\n'
        "--=-in\nContent-Type: text/plain\n\nHello\n--=-in\nContent-Type: text/html\n\n<p>Hello</p>\n--=-in--",
        'Content-Type: application/pdf; name="list.pdf"\nContent-Disposition: attachment\n\n%PDF',
    )
    got = event(raw)

    assert got.text is not None
    assert got.html is not None
    assert (got.text.strip(), got.html.strip()) == ("Hello", "<p>Hello</p>")
    assert [(each.name, each.media_type) for each in got.attachments] == [("list.pdf", "application/pdf")]


def test_answers_name_what_they_answer_and_what_came_before() -> None:
    ours = IDENTIFIERS.message_id(outgoing(thread="abcdefghij234567"))
    pseudo = IDENTIFIERS.thread_reference("abcdefghij234567")
    got = event(mail({"In-Reply-To": f"<{ours}>", "References": f"<{pseudo}> <a@x> <{ours}>"}))

    assert (got.reply_to, got.references, got.thread) == (ours, ("a@x", ours), "abcdefghij234567")


def test_reference_that_stands_for_the_thread_is_no_mail() -> None:
    pseudo = IDENTIFIERS.thread_reference("abcdefghij234567")
    got = event(mail({"References": f"<{pseudo}>"}))

    assert (got.reply_to, got.references, got.thread) == (None, (), "abcdefghij234567")


def test_answers_go_where_the_sender_wants_them() -> None:
    got = event(mail({"Reply-To": "Office <office@example.net>"}))

    assert got.sender == Address("mailto:ann@example.net")
    assert got.conversation is not None
    assert got.conversation.address == Address("mailto:office@example.net")


def test_answers_never_go_to_ourselves_by_the_wish_of_a_sender() -> None:
    got = event(mail({"Reply-To": "Help@example.org"}))

    assert got.conversation is not None
    assert got.conversation.address == Address("mailto:ann@example.net")


def test_who_writes_twice_is_heard_in_order() -> None:
    """Also where the second mail begins a thread of its own: it may well speak of the first."""
    first, second = event(mail({"Message-ID": "<a@x>"})), event(mail({"Message-ID": "<b@x>"}))

    assert first.thread != second.thread
    assert first.lane == second.lane == "mailto:ann@example.net"


def test_mail_that_names_nobody_but_us_is_answered_to_nobody() -> None:
    got = event(mail({"From": None, "Reply-To": "help@example.org"}))

    assert got.conversation is not None
    assert (got.conversation.address, got.automated) == (NOBODY, True)


def test_subject_makes_a_thread_where_it_is_asked_for() -> None:
    one, other = mail({"Message-ID": "<a@x>"}), mail({"Message-ID": "<b@x>", "Subject": "AW: Parcel"})

    assert event(one).thread != event(other).thread
    assert event(one, thread_by_subject=True).thread == event(other, thread_by_subject=True).thread


@pytest.mark.parametrize(
    ("date", "came", "at"),
    [
        ("Mon, 05 Jan 2026 12:00:00 +0100", CAME, datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 12:00:00 +0100", None, datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("Mon, 05 Jan 2099 12:00:00 +0100", CAME, CAME),
        ("Mon, 05 Jan 2026 23:00:00 +0000", CAME, datetime(2026, 1, 5, 23, tzinfo=UTC)),
        ("yesterday", CAME, CAME),
        (None, CAME, CAME),
        (None, CAME.replace(tzinfo=None), CAME),
        (None, CAME.astimezone(timezone(timedelta(hours=9))), CAME),
        (None, None, None),
    ],
)
def test_moment_is_when_it_was_written_or_else_when_it_came(
    date: str | None, came: datetime | None, at: datetime | None
) -> None:
    assert event(mail({"Date": date}), Envelope(received_at=came)).at == at


@pytest.mark.parametrize(
    ("fields", "importance"),
    [
        ({"Importance": "High"}, Importance.URGENT),
        ({"X-Priority": "1 (Highest)"}, Importance.URGENT),
        ({"Priority": "urgent"}, Importance.URGENT),
        ({"X-MSMail-Priority": "High"}, Importance.URGENT),
        ({"X-Priority": "3"}, Importance.NORMAL),
        ({"X-Priority": "10"}, Importance.NORMAL),
        ({"Importance": "low"}, Importance.NORMAL),
    ],
)
def test_importance(fields: dict[str, str | None], importance: Importance) -> None:
    assert event(mail(fields)).importance is importance


@pytest.mark.parametrize(("said", "language"), [("de-AT, en", "de-AT"), ("en", "en"), ("!", None), (None, None)])
def test_language(said: str | None, language: str | None) -> None:
    assert event(mail({"Content-Language": said})).language == language


def test_mail_without_an_id_gets_one_that_stays_the_same() -> None:
    raw = mail({"Message-ID": None})
    got = event(raw)

    assert re.fullmatch(r"[0-9a-f]{64}@missing\.invalid", got.message_id or "")
    assert event(raw) == got
    assert event(mail({"Message-ID": None}, "Other")).message_id != got.message_id


def test_forwarded_mail_is_visible_as_a_whole() -> None:
    body = "See below.\n\nFrom: Ann <ann@example.net>\nSent: Monday\nSubject: Parcel\n\nWhere is it?\n"

    assert event(mail({"Subject": "FW: Parcel"}, body)).visible_text is None
    assert event(mail({"Subject": "Re: Parcel"}, body)).visible_text == "See below."


@pytest.mark.parametrize(
    ("fields", "sender"),
    [
        ({"From": None}, NOBODY),
        ({"From": "nobody"}, NOBODY),
        ({"From": None, "Return-Path": "<ann@example.net>"}, Address("mailto:ann@example.net")),
        ({"From": None, "Return-Path": "<not an address>"}, NOBODY),
    ],
)
def test_mail_from_nobody_is_an_event_that_no_program_answers(fields: dict[str, str | None], sender: Address) -> None:
    got = event(mail(fields))

    assert got.sender == sender
    assert got.automated
    assert "nobody is named as its sender" in Mail.of(got).defects


# What is told beside


def test_envelope_is_told() -> None:
    envelope = Envelope(folder="INBOX", uid=17, sender="bounce@example.net", recipients=("help+x@example.org",), size=9)

    assert details({}, envelope) == Mail(
        folder="INBOX",
        uid=17,
        envelope_from="bounce@example.net",
        envelope_to=("help+x@example.org",),
        size=9,
    )


def test_what_a_server_wrote_down_stands_in_for_the_envelope() -> None:
    told = details({"Return-Path": "<bounce@example.net>", "Delivered-To": "help@example.org"})

    assert (told.envelope_from, told.envelope_to) == ("bounce@example.net", ("help@example.org",))
    assert told.size == len(mail({"Return-Path": "<bounce@example.net>", "Delivered-To": "help@example.org"}))


def test_of_several_deliveries_the_last_one_counts() -> None:
    """The topmost: those below were made before it was sent on to us."""
    raw = mail(top=["Delivered-To: help@example.org", "Delivered-To: elsewhere@example.net"])

    assert Mail.of(event(raw)).envelope_to == ("help@example.org",)


def test_header_alone_is_marked() -> None:
    raw = mail({}, "").rstrip() + b"\r\n\r\n"
    got = event(raw, Envelope(is_partial=True, size=90_000_000))

    assert (Mail.of(got).is_partial, Mail.of(got).size, got.subject) == (True, 90_000_000, "Parcel")
    assert got.visible_text is None


def test_results_of_the_configured_server_are_told() -> None:
    raw = mail(top=["Authentication-Results: mx.example.org; dmarc=pass header.from=example.net"])

    [result] = Mail.of(event(raw, authserv_id="mx.example.org")).authentication
    assert (result.method, result.result, result.properties) == ("dmarc", "pass", {"header.from": "example.net"})
    assert Mail.of(event(raw)).authentication == ()
    assert Mail.of(event(raw, authserv_id="other.example.org")).authentication == ()


def test_list_is_told() -> None:
    told = details(
        {
            "List-Id": "News of the shop <news.example.net>",
            "List-Unsubscribe": "<mailto:u@example.net>, <https://example.net/u?a=1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    )

    assert (told.kind, told.list_id, told.unsubscribe) == (
        MailKind.LIST,
        "news.example.net",
        "https://example.net/u?a=1",
    )


@pytest.mark.parametrize(("said", "id"), [("talk.example.net", "talk.example.net"), ("Talk <>", "Talk <>")])
def test_list_may_be_named_in_other_ways(said: str, id: str) -> None:
    assert details({"List-Id": said}).list_id == id


def test_automatic_mail_says_so() -> None:
    got = event(mail({"Auto-Submitted": "auto-replied; x=y"}))

    assert got.automated
    told = Mail.of(got)
    assert (told.kind, told.may_auto_answer, told.auto_submitted) == (MailKind.AUTO_REPLY, False, "auto-replied; x=y")


def test_defects_are_told_and_the_bytes_are_kept() -> None:
    raw = mail({"Date": "yesterday", "Content-Type": "text/plain; charset=no-such-charset"}, "Where?\n")
    got = event(raw)

    assert any("date" in defect for defect in Mail.of(got).defects)
    assert (got.text, got.native) == ("Where?", raw)


def test_details_are_small_where_nothing_is_special() -> None:
    assert event(mail()).details == {"size": len(mail())}


@pytest.mark.parametrize(
    ("unsubscribe", "post", "url"),
    [
        ("<https://example.net/u>", "List-Unsubscribe=One-Click", "https://example.net/u"),
        (
            "<mailto:u@example.net>,\r\n <https://example.net/u>",
            "list-unsubscribe = one-click",
            "https://example.net/u",
        ),
        ("<http://example.net/u>", "List-Unsubscribe=One-Click", None),
        ("<mailto:u@example.net>", "List-Unsubscribe=One-Click", None),
        ("<https://example.net/u>", None, None),
        ("<https://example.net/u>", "something else", None),
        ("<https:///u>", "List-Unsubscribe=One-Click", None),
        ("<https://[bad/u>", "List-Unsubscribe=One-Click", None),
        ("https://example.net/u", "List-Unsubscribe=One-Click", None),
        (None, "List-Unsubscribe=One-Click", None),
    ],
)
def test_one_click(unsubscribe: str | None, post: str | None, url: str | None) -> None:
    """RFC 8058 §3.1: HTTPS, and only where the sender says that one POST is enough."""
    assert one_click(letter({"List-Unsubscribe": unsubscribe, "List-Unsubscribe-Post": post}).headers) == url


# Our own


def test_own_mail_that_comes_back_is_no_event() -> None:
    own = IDENTIFIERS.message_id(outgoing())

    assert events(mail({"From": "Help <HELP@example.org>", "Message-ID": f"<{own}>"})) == ()
    assert events(mail({"From": "shop@example.org", "Message-ID": f"<{own}>", "List-Id": "<l.example.net>"})) == ()


def test_stranger_who_takes_our_id_is_heard() -> None:
    """Else whoever got a mail of ours could make others vanish."""
    own = IDENTIFIERS.message_id(outgoing())

    assert event(mail({"Message-ID": f"<{own}>"})).sender == Address("mailto:ann@example.net")


def test_mail_in_our_name_without_any_id_is_an_event() -> None:
    assert event(mail({"From": "help@example.org", "Message-ID": None})).automated


def test_mail_in_our_name_without_an_id_of_ours_is_automatic() -> None:
    """A colleague's, from another program, or a stranger's: no program answers it, since that would come to us."""
    got = event(mail({"From": "help@example.org"}))

    assert (got.automated, Mail.of(got).kind, Mail.of(got).may_auto_answer) == (True, MailKind.PERSON, False)


def test_form_of_ours_that_names_who_filled_it_in_is_answered() -> None:
    got = event(mail({"From": "help@example.org", "Reply-To": "ann@example.net"}))

    assert got.conversation is not None
    assert (got.automated, got.conversation.address) == (False, Address("mailto:ann@example.net"))


# Reports


def failure(envelope_id: str) -> bytes:
    return multipart(
        "report",
        "Content-Type: text/plain\n\nIt did not arrive.\n\n-- \nThe mail system",
        f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n"
        f"Original-Envelope-Id: {envelope_id}\n\n"
        "Final-Recipient: rfc822; ann@example.net\nAction: failed\nStatus: 5.2.2\n",
        parameters="; report-type=delivery-status",
        From="MAILER-DAEMON@example.net",
    )


def test_report_on_mail_of_ours_is_what_became_of_it() -> None:
    raw = failure(IDENTIFIERS.envelope_id(outgoing("ab" * 16)))
    [got] = events(raw, Envelope(folder="INBOX"))

    assert isinstance(got, ReceiptReceived)
    assert (got.receipt.delivery, got.receipt.status) == ("ab" * 16, Status.FAILED)
    assert got.key == f"{key_of(read(raw))}:0"
    assert (Mail.of(got).kind, Mail.of(got).folder, got.native) == (MailKind.BOUNCE, "INBOX", raw)


def test_reverse_path_of_the_envelope_tells_which_mail_a_report_is_about() -> None:
    verp = IDENTIFIERS.verp(outgoing("ab" * 16), "help@example.org")
    [got] = events(failure("unknown"), Envelope(recipients=(verp,)))

    assert isinstance(got, ReceiptReceived)
    assert got.receipt.delivery == "ab" * 16


def test_report_on_mail_that_is_not_provably_ours_does_not_vanish() -> None:
    stranger = Identifiers(b"somebody else's secret", "example.org")
    got = event(failure(stranger.envelope_id(outgoing())))

    assert got.automated
    assert (Mail.of(got).kind, Mail.of(got).may_auto_answer) == (MailKind.BOUNCE, False)
    assert (got.text or "").startswith("It did not arrive.")
    assert got.visible_text is None  # what a machine says is all new


# The key


TRACE = st.lists(
    st.sampled_from(
        [
            "Received: from a by b; Mon, 5 Jan 2026 12:00:00 +0000",
            "Return-Path: <ann@example.net>",
            "Return-Path: <>",
            "Delivered-To: help@example.org",
            "X-Original-To: help@example.org",
            "X-Spam-Status: No, score=0.1",
            "X-Anything: at all",
            "Authentication-Results: mx.example.org; spf=pass",
            "ARC-Seal: i=1; a=rsa-sha256",
            "DKIM-Signature: v=1; d=example.net",
            "Status: RO",
        ]
    )
)


@given(TRACE, TRACE, st.sampled_from(["", "\r\n", "\r\n\r\n"]))
def test_key_is_the_same_whatever_servers_write_above_it(above: list[str], between: list[str], end: str) -> None:
    first = mail(top=above)
    second = mail(top=between) + end.encode()

    assert key_of(read(first)) == key_of(read(second)) == key_of(read(mail()))


def test_key_is_the_same_however_the_header_is_folded() -> None:
    folded = mail({"Subject": "A\r\n long\r\n\tsubject"})

    assert key_of(read(folded)) == key_of(read(mail({"Subject": "A long subject"})))


CHANGES: list[tuple[dict[str, str | None], str]] = [
    ({}, "Where is it?\n"),
    ({}, "Where was it?\n"),
    ({}, " Where is it?\n"),
    ({"Message-ID": "<two@example.net>"}, "Where is it?\n"),
    ({"Message-ID": None}, "Where is it?\n"),
    ({"From": "Ben <ann@example.net>"}, "Where is it?\n"),
    ({"Subject": "Parcels"}, "Where is it?\n"),
    ({"Subject": None}, "Where is it?\n"),
    ({"Subject": ""}, "Where is it?\n"),
    ({"Date": "Mon, 05 Jan 2026 12:00:01 +0100"}, "Where is it?\n"),
    ({"Content-Type": "text/html"}, "Where is it?\n"),
]


def test_other_content_has_another_key() -> None:
    keys = {key_of(read(mail(fields, body))) for fields, body in CHANGES}

    assert len(keys) == len(CHANGES)
    assert all(re.fullmatch("mail:[0-9a-f]{64}", key) for key in keys)


@given(st.text(max_size=50), st.text(max_size=50))
def test_another_body_has_another_key(one: str, other: str) -> None:
    first, second = (mail(body=each).rstrip(b"\r\n") for each in (one, other))

    assert (key_of(read(first)) == key_of(read(second))) is (first == second)


# Whatever comes


@pytest.mark.parametrize("fields", [{}, {"Auto-Submitted": "auto-generated", "List-Id": "<l.example.net>"}])
def test_details_survive_the_ledger(fields: dict[str, str | None]) -> None:
    raw = mail(fields, top=["Authentication-Results: mx.example.org; dkim=pass (ok) header.d=example.net"])
    envelope = Envelope("INBOX", 7, "ann@example.net", ("help@example.org",), CAME)
    got = event(raw, envelope, authserv_id="mx.example.org")
    back = event_from_json(event_to_json(got))

    assert back == got
    assert Mail.of(back) == Mail.of(got)
    assert Mail.of(back).authentication[0].properties == {"header.d": "example.net"}


LINE = st.text(alphabet=st.characters(exclude_characters="\r\n"), max_size=60)
FIELD = st.sampled_from(
    [
        *(*HEADER, "Reply-To", "Cc", "References", "In-Reply-To", "List-Id", "List-Unsubscribe", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "Content-Language", "Return-Path", "X-Priority", "Delivered-To"),
        *("Authentication-Results", "List-Unsubscribe-Post", "Content-Disposition"),
    ]
)
TYPES = st.sampled_from(
    [
        "text/plain; charset=utf-16",
        "text/html",
        'multipart/mixed; boundary="b"',
        "multipart/report; report-type=delivery-status; boundary=b",
        "message/rfc822",
        "x",
    ]
)
ENVELOPE = st.builds(
    Envelope,
    folder=st.none() | st.text(max_size=20),
    uid=st.none() | st.integers(1, 2**32 - 1),
    sender=st.none() | st.text(max_size=20),
    recipients=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    received_at=st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    is_partial=st.booleans(),
)


@given(st.binary(max_size=300), ENVELOPE)
def test_no_bytes_make_it_raise(raw: bytes, envelope: Envelope) -> None:
    got = event(raw, envelope, authserv_id="mx.example.org", thread_by_subject=True)

    assert got.native == raw
    assert got.key
    assert got.message_id
    event_to_json(got)


@given(st.lists(st.tuples(FIELD, LINE | TYPES), max_size=8), st.text(max_size=100), ENVELOPE)
def test_no_header_makes_it_raise(fields: list[tuple[str, str]], body: str, envelope: Envelope) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    raw = f"{head}\r\n{body}".encode("utf-8", "replace")

    for got in events(raw, envelope, authserv_id="mx.example.org", thread_by_subject=True):
        assert not any("fault of ours" in defect for defect in Mail.of(got).defects)
        assert event_from_json(event_to_json(got)) == got


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"\r\n\r\n",
        b"From: \xff\xfe\r\nSubject: \x00\x1b[31m\r\n\r\n\x00\xff",
        mail({"Subject": "x" * 100_000, "From": '"' + "n" * 20_000 + '" <ann@example.net>'}),
        mail({"Message-ID": "<" + "m" * 20_000 + "@x>", "References": " ".join(f"<{n}@x>" for n in range(20_000))}),
        mail({"List-Id": "l" * 20_000, "Auto-Submitted": "a" * 20_000, "Return-Path": "<" + "r" * 20_000 + ">"}),
        mail({"To": ", ".join(f"a{n}@example.net" for n in range(5_000))}),
    ],
)
def test_hostile_mail_is_an_event(raw: bytes) -> None:
    event_to_json(event(raw))


def test_fault_of_ours_is_an_event_with_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that a fault makes unreadable neither vanishes nor keeps others from coming in behind it."""
    monkeypatch.setattr(arrival, "read", lambda raw: 1 / 0)
    [got] = events(mail())

    assert isinstance(got, MessageReceived)
    assert (got.native, got.automated, got.sender) == (mail(), True, NOBODY)
    assert Mail.of(got).defects == ("it could not be read, by a fault of ours: ZeroDivisionError",)
    assert got.key == events(mail())[0].key
    event_to_json(got)
