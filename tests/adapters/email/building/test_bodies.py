"""Bodies: in the plainest encoding that carries them, in lawful lines, and cheap when they are large."""

from __future__ import annotations

import base64
import os
import tracemalloc
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.building import File
from tests.adapters.email.building.kit import built, field, is_lawful, read, text_of


@pytest.mark.parametrize(
    ("text", "seven", "eight"),
    [
        ("plain\n", "7bit", "7bit"),
        ("", "7bit", "7bit"),
        ("x" * 998 + "\n", "7bit", "7bit"),
        ("x" * 999 + "\n", "quoted-printable", "quoted-printable"),
        ("short\n" * 200 + "x" * 999, "quoted-printable", "quoted-printable"),
        ("Grüße aus Köln, wo die Sonne scheint\n", "quoted-printable", "8bit"),
        ("ü" * 499 + "\n", "base64", "8bit"),
        ("ü" * 500 + "\n", "base64", "base64"),
        ("Добрый день\n", "base64", "8bit"),
        ("a\0b", "quoted-printable", "quoted-printable"),
    ],
)
def test_the_plainest_encoding_that_carries_it_is_taken(text: str, seven: str, eight: str) -> None:
    for eight_bit, expected in ((False, seven), (True, eight)):
        raw = built(text=text, eight_bit=eight_bit)
        assert field(raw, "Content-Transfer-Encoding") == expected
        assert is_lawful(raw)
        assert eight_bit or raw.isascii()
        assert text_of(read(raw)).removesuffix("\n") == text.removesuffix("\n")


@pytest.mark.parametrize("text", ["a\nb\n", "a\r\nb\r\n", "a\rb\r", "a\r\nb\n", "a\nb\r"])
def test_all_line_ends_are_one(text: str) -> None:
    assert built(text=text).endswith(b"\r\n\r\na\r\nb\r\n")


@pytest.mark.parametrize("end", ["\n.\n", "\r.\r", "\r\n.\n", "\n.\r\n", "\r.\n", "\n.\r", "\r\n.\r\n"])
def test_no_spelling_of_the_end_of_a_mail_goes_out_but_the_one_that_smtp_doubles(end: str) -> None:
    """SMTP smuggling: a server that takes a bare LF for a line end would read a second mail in the first."""
    inner = f"a{end}MAIL FROM:<x@example.net>\r\n"
    forwarded = File(inner.encode(), "message/rfc822", "mail.eml")
    for raw in (built(text=inner), built(text=inner, html=inner, files=[forwarded])):
        assert is_lawful(raw)


def test_a_text_ends_with_a_line_end() -> None:
    assert built(text="a").endswith(b"\r\n\r\na\r\n")
    assert built(text="See you at noon, café").endswith(b"\r\n\r\nSee you at noon, caf=C3=A9\r\n")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=3000))
def test_lines_in_quoted_printable_are_short_and_end_with_what_is_seen(text: str) -> None:
    raw = built(text="a" * 1000 + text)
    for line in raw.partition(b"\r\n\r\n")[2].split(b"\r\n"):
        assert len(line) <= 78
        assert not line.endswith((b" ", b"\t"))  # RFC 2045 §6.7: mail systems take it away


# Files


def files_of(raw: bytes) -> list[EmailMessage]:
    return [cast("EmailMessage", each) for each in read(raw).iter_attachments()]


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 57 * 600 - 1, 57 * 600, 57 * 600 + 1, 57 * 1200])
def test_a_file_comes_out_as_it_went_in(size: int) -> None:
    content = os.urandom(size)
    raw = built(files=[File(content, "application/pdf", "a.pdf")])
    [file] = files_of(raw)
    assert file.get_content() == content
    assert is_lawful(raw)
    encoded = raw.split(b"\r\n\r\n")[3] if size else b""
    assert max(map(len, encoded.split(b"\r\n"))) <= 76


def test_line_ends_of_a_text_file_are_left_alone() -> None:
    content = b"a\nb\r\nc\rd"
    [file] = files_of(built(files=[File(content, "text/csv", "a.csv")]))
    assert file.get_payload(decode=True) == content


@pytest.mark.parametrize(
    ("content", "charset"), [("Größe".encode(), "utf-8"), ("Größe".encode("latin-1"), None), (b"\xc3", None)]
)
def test_a_text_file_says_that_it_is_utf8_where_it_is(content: bytes, charset: str | None) -> None:
    [file] = files_of(built(files=[File(content, "text/plain", "a.txt")]))
    assert file.get_param("charset") == charset


def test_a_character_across_two_blocks_is_still_utf8() -> None:
    [file] = files_of(built(files=[File(b"a" * 65_535 + "ü".encode(), "text/plain", "a.txt")]))
    assert file.get_param("charset") == "utf-8"


MAIL = b"From: ann@example.org\nSubject: Hello\n\nHello\n"


def test_a_mail_in_a_mail_is_not_encoded() -> None:
    """RFC 2046 §5.2.1: readers would not look into it."""
    [file] = files_of(built(files=[File(MAIL, "message/rfc822", "mail.eml")]))
    assert file.get_content_type() == "message/rfc822"
    assert file["Content-Transfer-Encoding"] == "7bit"
    assert file.get_content()["Subject"] == "Hello"


@pytest.mark.parametrize("content", [MAIL + "Größe".encode(), MAIL + b"x" * 999, MAIL + b"\0"])
def test_a_mail_in_a_mail_that_cannot_go_out_as_it_is_goes_as_a_file(content: bytes) -> None:
    [file] = files_of(built(files=[File(content, "message/rfc822", "mail.eml")]))
    assert file.get_content_type() == "application/octet-stream"
    assert file.get_content() == content
    assert file.get_filename() == "mail.eml"


def test_a_mail_in_a_mail_may_have_eight_bits_where_the_server_takes_them() -> None:
    raw = built(files=[File(MAIL + "Größe".encode(), "message/rfc822", "mail.eml")], eight_bit=True)
    assert files_of(raw)[0]["Content-Transfer-Encoding"] == "8bit"


def test_a_file_that_calls_itself_a_multipart_is_none() -> None:
    """RFC 2046 §5.1: a multipart in base64 is no lawful one."""
    [file] = files_of(built(files=[File(b"--a\r\n\r\nx\r\n--a--", "multipart/mixed", "a.mime")]))
    assert file.get_content_type() == "application/octet-stream"
    assert file.get_content() == b"--a\r\n\r\nx\r\n--a--"


def test_a_boundary_that_a_mail_in_the_mail_has_is_not_taken() -> None:
    forwarded = File(built(files=[File(b"x", "application/pdf", "a.pdf")]), "message/rfc822", "mail.eml")
    [file] = files_of(built(files=[forwarded]))
    [inner] = file.get_content().iter_attachments()
    assert inner.get_content() == b"x"


def test_a_large_file_is_never_there_twice() -> None:
    content = os.urandom(1 << 20)
    files = [File(content, "application/pdf", "a.pdf")]
    tracemalloc.start()
    try:
        raw = built(files=files)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert base64.b64encode(content[:57]) in raw
    assert peak + len(content) < 3 * len(content)
