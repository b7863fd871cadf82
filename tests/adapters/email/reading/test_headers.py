"""Headers: split into fields, unfolded, decoded."""

import pytest

from convergekit.adapters.email.reading.headers import LONGEST, Headers, split


def fields(block: bytes) -> list[tuple[str, str | None]]:
    headers = Headers.parse(block)
    return [(name, headers.get(name)) for name in headers.names()]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"Subject: Hello\r\nTo: bob\r\n\r\nbody", [("subject", "Hello"), ("to", "bob")]),
        (b"Subject: Hello\nTo: bob\n\nbody: no", [("subject", "Hello"), ("to", "bob")]),
        (b"Subject:Hello\r\n", [("subject", "Hello")]),
        (b"Subject  :  Hello  \r\n", [("subject", "Hello")]),
        (b"SUBJECT: Hello", [("subject", "Hello")]),
        (b"Subject:\r\nTo: bob\r\n", [("subject", ""), ("to", "bob")]),
        (b"Subject: a\r\n b\r\n\tc\r\n", [("subject", "a b c")]),
        (b"Subject:\r\n \r\n a\r\n \r\nTo: bob\r\n", [("subject", "a"), ("to", "bob")]),
        (b"Subject: a\rBcc: x@example.org\r\n", [("subject", "a Bcc: x@example.org")]),
        (b"Subject: a\0b\x1b[2Jc\x7f\r\n", [("subject", "a b [2Jc")]),
        (b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n", [("subject", "Grüße")]),
        (b"Subject: Gr\xfc\xdfe\r\n", [("subject", "Grüße")]),
        (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n", [("subject", "Grüße")]),
        (b"Subject: =?utf-8?q?a=0D=0ABcc=3A_b?=\r\n", [("subject", "a Bcc: b")]),
        (b"Subject: =?utf-8?q?a=E2=80=A8b?=\r\n", [("subject", "a b")]),
        (b"\r\nSubject: body", []),
        (b"", []),
    ],
)
def test_fields_are_found(block: bytes, expected: list[tuple[str, str]]) -> None:
    assert fields(block) == expected


@pytest.mark.parametrize(
    ("raw", "names", "body"),
    [
        pytest.param(b"To: a\r\nSubject: b\r\n\r\nbody\r\n", ["to", "subject"], b"body\r\n", id="as it should be"),
        pytest.param(b"To: a\nno field\nSubject: b\n\nbody\n", ["to", "subject"], b"body\n", id="a line in between"),
        pytest.param(b"To: a\n>From b\nX-Y: b\n\nbody\n", ["to", "x-y"], b"body\n", id="of an mbox file"),
        pytest.param(b" folded\nTo: a\n\nbody\n", ["to"], b"body\n", id="a fold of nothing"),
        pytest.param(
            b"To: a\nHello Bob,\nhow are you?\n\n", ["to"], b"Hello Bob,\nhow are you?\n\n", id="no blank line"
        ),
        pytest.param(b"Hello Bob\n", [], b"Hello Bob\n", id="no header"),
        pytest.param(b"To: a\r\n \r\nSubject: b\r\n\r\nbody", ["to", "subject"], b"body", id="a blank fold"),
        pytest.param(b"To: a\r\nSubject: b", ["to", "subject"], b"", id="no body"),
    ],
)
def test_the_body_begins_where_the_header_ends(raw: bytes, names: list[str], body: bytes) -> None:
    block = split(raw, 0, len(raw))
    assert (block.headers.names(), raw[block.end :]) == (names, body)


@pytest.mark.parametrize(
    "raw", [b"To: a\nno field\nSubject: b\n\n", b" folded\nTo: a\n\n", b"To: a\nHello Bob,\nhow are you?\n", b"Hello\n"]
)
def test_what_is_no_header_is_told(raw: bytes) -> None:
    assert split(raw, 0, len(raw)).defects


def test_names_have_no_case_and_the_first_counts() -> None:
    headers = Headers.parse(b"X-A: one\r\nx-b: three\r\nx-a: two\r\n")
    assert (headers.get("X-A"), headers.get("x-a"), headers.get("none")) == ("one", "one", None)
    assert headers.all("X-a") == ["one", "two"]
    assert ("X-B" in headers, "x-c" in headers, 1 in headers) == (True, False, False)
    assert (headers.count("x-a"), headers.count("x-c"), len(headers)) == (2, 0, 3)


def test_raw_is_unfolded_and_not_decoded() -> None:
    headers = Headers.parse(b"To: =?utf-8?q?x?=,\r\n\t\xff <a@b>\r\n")
    assert headers.raw("to") == b"=?utf-8?q?x?=,\t\xff <a@b>"
    assert headers.all_raw("TO") == [headers.raw("to")]
    assert headers.raw("cc") is None


def test_a_value_is_a_line_of_the_model() -> None:
    value = Headers.parse(b"Subject: " + b"a" * 20_000 + b"\r\n").get("subject")
    assert value is not None
    assert len(value) == 8192


def test_a_header_without_an_end_is_cut_and_the_body_found() -> None:
    raw = b"Subject: a\r\n" + b"X-Y: " + b"z" * LONGEST + b"\r\nTo: bob\r\n\r\nbody"
    block = split(raw, 0, len(raw))
    assert block.headers.names() == ["subject", "x-y"]
    assert raw[block.end :] == b"body"
    assert block.defects


def test_no_more_fields_are_taken_than_asked_for() -> None:
    raw = b"a: b\r\n" * 50 + b"\r\nbody"
    block = split(raw, 0, len(raw), most=10)
    assert (len(block.headers), raw[block.end :], len(block.defects)) == (10, b"body", 1)
