"""A mail, read: who says it to whom, when, and what it answers."""

from datetime import UTC, datetime

import pytest

from convergekit.adapters.email.reading.mail import ReadMail, read
from convergekit.model import Address

RAW = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\n"
    b"Reply-To: desk@example.net\r\n"
    b"To: help@example.org, Ann <ann@example.org>\r\n"
    b"Cc: bob@example.org\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n aus Rom\r\n"
    b"Date: Mon, 05 Jan 2026 12:00:00 +0100\r\n"
    b"Message-ID: <three@example.net>\r\n"
    b"In-Reply-To: <two@example.org>\r\n"
    b"References: <one@example.net>\r\n <two@example.org>\r\n"
    b"\r\nHello\r\n"
)


def header(name: str, value: str) -> ReadMail:
    return read(f"{name}: {value}\r\n\r\n".encode("utf-8", "surrogateescape"))


def test_a_mail_is_read() -> None:
    mail = read(RAW)
    assert mail.sender == Address("mailto:j@example.net")
    assert mail.sender is not None
    assert mail.sender.display_name == "Jürgen"
    assert mail.reply_to == Address("mailto:desk@example.net")
    assert mail.to == (Address("mailto:help@example.org"), Address("mailto:ann@example.org"))
    assert mail.cc == (Address("mailto:bob@example.org"),)
    assert mail.subject == "Grüße aus Rom"
    assert mail.date == datetime(2026, 1, 5, 11, tzinfo=UTC)
    assert mail.message_id == "three@example.net"
    assert mail.in_reply_to == ("two@example.org",)
    assert mail.references == ("one@example.net", "two@example.org")
    assert mail.text == "Hello"
    assert mail.defects == ()
    assert mail.raw is RAW
    assert mail.headers is mail.entity.headers


def test_what_is_not_there_is_none_and_no_defect() -> None:
    mail = read(b"X-A: b\r\n\r\n")
    assert (mail.text, mail.html, mail.subject, mail.date, mail.message_id) == (None,) * 5
    assert (mail.sender, mail.reply_to, mail.to, mail.cc, mail.attachments) == (None, None, (), (), ())
    assert (mail.in_reply_to, mail.references, mail.defects) == ((), (), ())


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("Mon, 05 Jan 2026 12:00:00 +0100", datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("5 Jan 2026 12:00 GMT", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("Mon, 5 Jan 26 12:00:00 EST", datetime(2026, 1, 5, 17, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 12:00:00 -0000", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 12:00:00", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 12:00:00 +0100 (CET)", datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("2026-01-05T12:00:00+01:00", datetime(2026, 1, 5, 11, tzinfo=UTC)),
        ("2026-01-05 12:00:00", datetime(2026, 1, 5, 12, tzinfo=UTC)),
    ],
)
def test_a_date_is_in_utc(value: str, date: datetime) -> None:
    mail = header("Date", value)
    assert (mail.date, mail.defects) == (date, ())
    assert mail.date is not None
    assert mail.date.utcoffset() == date.utcoffset()


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "Mon, 99 Jan 2026 12:00:00 +0100",
        "Mon, 05 Jan 2026 12:00:00 +9999999",
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "Mon, 05 Jan 9999 12:00:00 -2300",
        "0001-01-01T00:00:00+12:00",
        "Mon, 05 Jan 99999999999999999999 12:00:00 +0000",
        "é" * 1000,
        ", , ,",
    ],
)
def test_what_is_no_date_or_an_absurd_one_is_none_and_told(value: str) -> None:
    mail = header("Date", value)
    assert (mail.date, len(mail.defects)) == (None, 1)


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("<a@b> <c@d>", ("a@b", "c@d")),
        ("<a@b><c@d>", ("a@b", "c@d")),
        ("<a@b>,\t<c@d>", ("a@b", "c@d")),
        ("Your message of Monday <a@b>", ("a@b",)),
        ('"Ann" <a@b> (of Monday)', ("a@b",)),
        ("a@b", ("a@b",)),
        ("<a\r\n b@c>", ("ab@c",)),
        ("<a b@c>", ("ab@c",)),
        ("<no-at-sign>", ("no-at-sign",)),
        ("yesterday", ()),
        ("<>", ()),
        ("< >", ()),
        ("<a\x07b@c>", ()),
        ("<" + "a" * 999 + ">", ()),
        ("<a@b", ("a@b",)),
    ],
)
def test_ids_are_found_whatever_is_said_beside_them(value: str, ids: tuple[str, ...]) -> None:
    assert header("In-Reply-To", value).in_reply_to == ids
    assert header("Message-ID", value).message_id == (ids[0] if ids else None)


def test_a_broken_message_id_is_told() -> None:
    assert header("Message-ID", "none").defects


def test_of_many_references_the_first_and_the_last_are_kept() -> None:
    ids = [f"{number}@example.org" for number in range(500)]
    mail = header("References", "\r\n ".join(f"<{each}>" for each in ids))
    assert mail.references == (ids[0], *ids[-99:])


@pytest.mark.parametrize("name", ["From", "Subject", "Date", "Message-ID", "To", "Content-Type"])
def test_what_stands_there_twice_is_told_and_the_first_counts(name: str) -> None:
    line = f"{name}: other@example.org\r\n".encode()
    twice = read(line + line + RAW)
    assert any(name.lower() in defect for defect in twice.defects)
    assert twice.text == "Hello"


def test_the_first_sender_counts() -> None:
    mail = read(b"From: ann@example.org\r\nFrom: mallory@example.net\r\n\r\n")
    assert mail.sender == Address("mailto:ann@example.org")
    mail = read(b"From: ann@example.org, mallory@example.net\r\n\r\n")
    assert mail.sender == Address("mailto:ann@example.org")


def test_broken_addresses_are_told_with_the_field_they_stand_in() -> None:
    mail = read(b"From: nobody\r\nTo: ann@example.org, @\r\n\r\n")
    assert (mail.sender, mail.to) == (None, (Address("mailto:ann@example.org"),))
    assert [defect.partition(":")[0] for defect in mail.defects] == ["from", "to"]


def test_no_more_than_a_hundred_defects_are_told_and_none_is_long() -> None:
    mail = header("To", ", ".join(f"{'x' * 500}{number}@@" for number in range(300)))
    assert len(mail.defects) <= 100
    assert max(map(len, mail.defects)) <= 200


def test_what_it_says_is_not_in_its_repr() -> None:
    secret = read(b"Subject: sesame-subject\r\nContent-Type: text/html\r\n\r\n<p>sesame-text</p>")
    assert "sesame" not in repr(secret)
