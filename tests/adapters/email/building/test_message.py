"""A mail is what it was told to be, whoever reads it, and the same each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convergekit.adapters.email.building import File, build, needs_smtputf8
from convergekit.errors import UnsupportedContentError
from convergekit.model import Address, Importance
from tests.adapters.email.building.kit import ANN, BEN, built, field, is_lawful, names, parts, read, text_of, types

PNG = File(b"\x89PNG\r\n", "image/png", "logo.png", "logo@example.org")
PDF = File(b"%PDF", "application/pdf", "terms.pdf")
PAGE = '<p>Hello <img src="cid:logo@example.org"></p>'


def test_a_plain_text_has_the_fields_of_a_mail_and_no_others() -> None:
    raw = built(cc=(BEN,))
    assert raw.decode().splitlines() == [
        "Date: Sun, 01 Mar 2026 12:30:05 +0000",
        "From: Support Desk <support@example.org>",
        "To: ann@example.org",
        "Cc: Ben <ben@example.org>",
        "Subject: Your parcel",
        "Message-ID: <token@example.org>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        "",
        "It is on its way.",
    ]


def test_the_date_is_told_in_utc() -> None:
    raw = built(date=datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=2))))
    assert field(raw, "Date") == "Sat, 28 Feb 2026 22:30:00 +0000"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "text/plain"),
        ({"html": PAGE}, ("multipart/alternative", ["text/plain", "text/html"])),
        ({"html": PAGE, "text": ""}, "text/html"),
        (
            {"html": PAGE, "files": [PNG]},
            ("multipart/alternative", ["text/plain", ("multipart/related", ["text/html", "image/png"])]),
        ),
        ({"files": [PDF]}, ("multipart/mixed", ["text/plain", "application/pdf"])),
        ({"files": [PNG]}, ("multipart/mixed", ["text/plain", "image/png"])),
        ({"text": "", "files": [PDF]}, ("multipart/mixed", ["text/plain", "application/pdf"])),
        (
            {"html": PAGE, "files": [PDF, PNG]},
            (
                "multipart/mixed",
                [
                    ("multipart/alternative", ["text/plain", ("multipart/related", ["text/html", "image/png"])]),
                    "application/pdf",
                ],
            ),
        ),
    ],
)
def test_there_is_as_much_structure_as_there_are_parts(changes: dict[str, Any], expected: object) -> None:
    raw = built(**changes)
    mail = read(raw)
    assert types(mail) == expected
    assert not any(part.defects for part in mail.walk())
    assert is_lawful(raw)


def test_an_image_is_shown_where_the_page_refers_to_it_and_is_a_file_otherwise() -> None:
    escaped = '<img src="cid:a%40x"> <IMG SRC=CID:b&amp;c>'
    files = [File(b"1", "image/png", "a.png", "a@x"), File(b"2", "image/png", "b.png", "b&c")]
    files += [File(b"3", "image/png", "c.png", "c"), File(b"4", "image/png", "a.png", "a")]
    mail = read(built(html=escaped, files=files))
    found = {part.get_content(): part for part in mail.walk() if part.get_content_maintype() == "image"}
    assert [found[each].get_content_disposition() for each in (b"1", b"2", b"3", b"4")] == ["inline"] * 2 + [
        "attachment"
    ] * 2
    assert found[b"1"]["Content-ID"] == "<a@x>"
    assert found[b"3"]["Content-ID"] == "<c>"


def test_a_page_and_its_images_say_which_of_them_is_the_root() -> None:
    mail = read(built(html=PAGE, files=[PNG]))
    [related] = [part for part in mail.walk() if part.get_content_subtype() == "related"]
    assert related.get_param("type") == "text/html"  # RFC 2387 §3.1


def test_an_answer_names_what_it_answers_and_all_before_it() -> None:
    raw = built(in_reply_to="c@x", references=("a@x", "c@x", "b@x"))
    assert field(raw, "In-Reply-To") == "<c@x>"
    assert field(raw, "References") == "<a@x> <b@x> <c@x>"  # RFC 5322 §3.6.4: the parent last


def test_a_message_that_answers_none_has_no_such_fields() -> None:
    assert not {"In-Reply-To", "References"} & set(names(built()))


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        (Importance.URGENT, {"Importance": "high", "X-Priority": "1"}),
        (Importance.NORMAL, {}),
        (Importance.BULK, {"Precedence": "bulk"}),
    ],
)
def test_importance_shows(importance: Importance, expected: dict[str, str]) -> None:
    mail = read(built(importance=importance))
    assert {each: mail[each] for each in ("Importance", "X-Priority", "Precedence") if each in mail} == expected


def test_language_and_reply_to_show() -> None:
    mail = read(built(language="pt-BR", reply_to=BEN))
    assert mail["Content-Language"] == "pt-BR"
    assert mail["Reply-To"] == "Ben <ben@example.org>"


UNSUBSCRIBE = {
    "List-Unsubscribe": "<https://example.org/off?t=1>, <mailto:off@example.org>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def test_the_channel_says_fields_of_its_own() -> None:
    raw = built(own_headers={"Auto-Submitted": "auto-replied", **UNSUBSCRIBE})
    assert field(raw, "Auto-Submitted") == "auto-replied"
    assert {name: field(raw, name) for name in UNSUBSCRIBE} == UNSUBSCRIBE


def test_what_the_message_says_stands_in_place_of_what_the_channel_would_say() -> None:
    own = {"Auto-Submitted": "auto-generated", **UNSUBSCRIBE}
    theirs = {"auto-submitted": "no", "List-Unsubscribe": "<mailto:x@example.org>", "PRECEDENCE": "list", "X-A": "1"}
    mail = read(built(own_headers=own, headers=theirs, importance=Importance.BULK))
    assert [mail.get_all(name) for name in theirs] == [[value] for value in theirs.values()]
    assert "List-Unsubscribe-Post" not in mail  # RFC 8058 §3.1: it speaks of a URL that is not there any more


def test_who_is_no_mailbox_is_not_shown() -> None:
    sms = Address("sms:+4915112345678")
    raw = built(to=(sms, ANN), cc=(sms,))
    assert field(raw, "To") == "ann@example.org"
    assert "Cc" not in names(raw)


def test_the_same_parts_make_the_same_octets() -> None:
    made = [built(html=PAGE, files=[PDF, PNG], subject="Größe") for _ in range(2)]
    assert made[0] == made[1]


def test_every_mail_has_boundaries_of_its_own() -> None:
    one, other = (read(built(files=[PDF], boundary_seed=seed)).get_boundary() for seed in ("a", "b"))
    assert one != other


def test_a_boundary_that_the_text_has_is_not_taken() -> None:
    """A mail that quotes another one, or itself, is still cut where it was put together."""
    taken = read(built(files=[PDF])).get_boundary()
    mail = read(built(files=[PDF], text=f"--{taken}\n\n--{taken}--\n"))
    text, _ = mail.iter_parts()
    assert text_of(cast("EmailMessage", text)) == f"--{taken}\n\n--{taken}--\n"


# Addresses beyond ASCII

UNI = Address("mailto:ünï@example.org", display_name="Ünï")


@pytest.mark.parametrize(
    ("changes", "name"), [({"to": (UNI,)}, "To"), ({"cc": (UNI,)}, "Cc"), ({"sender": UNI}, "From")]
)
def test_an_address_without_an_ascii_form_is_not_written_otherwise(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(UnsupportedContentError, match=rf"^{name} has an address beyond ASCII") as caught:
        built(**changes)
    assert "ünï" not in str(caught.value)
    assert needs_smtputf8(**parts(**changes))


def test_a_percent_sign_is_no_character_beyond_ascii() -> None:
    assert not needs_smtputf8(**parts(to=(Address("mailto:a%25b@example.org"),)))


def test_with_smtputf8_names_addresses_and_subject_stand_raw() -> None:
    raw = built(to=(UNI,), subject="Größe", smtputf8=True)
    assert field(raw, "To") == "Ünï <ünï@example.org>" or field(raw, "To") == '"Ünï" <ünï@example.org>'
    assert field(raw, "Subject") == "Größe"


def test_an_international_domain_needs_no_smtputf8() -> None:
    address = Address("mailto:ann@bücher.example", display_name="Ünï")
    assert not needs_smtputf8(**parts(to=(address,)))
    assert "ann@xn--bcher-kva.example" in field(built(to=(address,)), "To")


# Whatever the strings are

ANY = st.text(st.characters(), max_size=300) | st.text(
    st.sampled_from('ab "\\<>,;:@()=?_é€😀\r\n\t\0\x0b\x85\u2028\u202e\ud800 '), max_size=300
)
NAMED = ("Date", "From", "To", "Cc", "Subject", "Message-ID", "In-Reply-To", "References", "X-Note", "MIME-Version")


def named(display_name: str | None) -> Address:
    """An address as it would be if nobody had looked at the name."""
    return Address.model_construct(uri="mailto:ann@example.org", display_name=display_name)


def shown(raw: bytes, name: str) -> list[str]:
    """The display names in a field. Python's newer reader puts spaces between the words of a long one (3.11)."""
    return [str(make_header(decode_header(each))) for each, _ in getaddresses([field(raw, name)])]


@given(subject=ANY, sender=ANY, cc=st.lists(ANY, max_size=4), note=ANY, id=ANY, utf8=st.booleans())
@example(subject="a\r\nBcc: b@x", sender="", cc=[], note="", id="a@b", utf8=False)
@example(subject="", sender="a", cc=["=?utf-8?q?a?="], note="=?utf-8?q?a?=", id="a@b", utf8=False)
@example(subject="a" * 3000, sender="é" * 300, cc=["b " * 100], note=" " * 3000 + "a", id="a@b", utf8=True)
def test_a_header_says_what_it_was_told_or_nothing_is_sent(
    subject: str, sender: str, cc: list[str], note: str, id: str, utf8: bool
) -> None:
    try:
        raw = built(
            subject=subject,
            sender=named(sender),
            cc=[named(each) for each in cc],
            headers={"X-Note": note},
            in_reply_to=id,
            references=(id, "z@x"),
            smtputf8=utf8,
        )
    except UnsupportedContentError:
        return
    mail = read(raw)
    assert [name for name in names(raw) if not name.startswith("Content-")] == [
        name for name in NAMED if (name != "Cc" or cc) and (name != "In-Reply-To" or name in mail)
    ]
    assert is_lawful(raw)
    assert mail["Subject"] == subject
    assert mail["X-Note"] == note
    assert shown(raw, "From") == [sender.strip()]
    assert shown(raw, "Cc") == [each.strip() for each in cc] if cc else True
    assert [each.addr_spec for each in mail["To"].addresses] == ["ann@example.org"]
    assert text_of(mail) == "It is on its way.\n"


@given(text=ANY, html=ANY, name=ANY, content=st.binary(max_size=200), eight_bit=st.booleans())
@example(text="--=_a", html="x", name="../../etc/passwd", content=b"", eight_bit=False)
@example(text="." * 2000, html=".\r\n..\r\n", name="ä" * 300, content=b"\r\n.\r\n", eight_bit=True)
@example(text="a\r\rb\n\r", html="\x0c\x0b", name='a;b*="c".txt', content=b"", eight_bit=True)
def test_a_body_says_what_it_was_told_or_nothing_is_sent(
    text: str, html: str, name: str, content: bytes, eight_bit: bool
) -> None:
    try:
        raw = built(text=text, html=html, files=[File(content, "image/png", name)], eight_bit=eight_bit)
    except UnsupportedContentError:
        return
    mail = read(raw)
    assert is_lawful(raw)
    assert eight_bit or raw.isascii()
    assert not any(part.defects for part in mail.walk())
    [attachment] = mail.iter_attachments()
    assert attachment["Content-Disposition"].params["filename"] == name
    assert attachment.get_content() == content
    for subtype, told in (("plain", text), ("html", html)):
        if told or subtype == "html":
            part = mail.get_body((subtype,))
            assert part is not None
            assert text_of(part).removesuffix("\n") == with_lf(told).removesuffix("\n")


def with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def test_arguments_that_may_be_left_out_are() -> None:
    raw = build(
        sender=ANN,
        text="x",
        message_id="a@b",
        date=datetime(2026, 1, 1, tzinfo=UTC),
        boundary_seed="s",
    )
    assert names(raw) == [
        "Date", "From", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    ]  # fmt: skip
