"""Transfer encodings: nothing raises, nothing that may matter is lost, and what is damaged is told."""

import base64
import os

import pytest

from convergekit.adapters.email.reading import transfer

PLAIN = bytes(range(256)) * 5
ENCODED = base64.encodebytes(PLAIN)


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (None, ""),
        ("7bit", ""),
        (" 8BIT ", ""),
        ("binary", ""),
        ("Base64", "base64"),
        ("base64 (as usual)", "base64"),
        ("base64; x=y", "base64"),
        ("quoted printable", "quoted-printable"),
        ("x-uuencode", "uuencode"),
    ],
)
def test_the_encoding_is_known_by_its_names(value: str | None, encoding: str) -> None:
    assert transfer.parse(value) == (encoding, None)


def test_an_encoding_that_nobody_knows_is_none_and_told() -> None:
    encoding, defect = transfer.parse("rot13")
    assert (encoding, defect is None) == ("", False)


@pytest.mark.parametrize(
    "body",
    [
        ENCODED,
        ENCODED.replace(b"\n", b"\r\n"),
        ENCODED.replace(b"\n", b"\r\n") + b"\r\n\r\n",
        ENCODED.replace(b"\n", b""),
        ENCODED.replace(b"\n", b" \n"),
        ENCODED.rstrip(),
    ],
)
def test_base64_is_read_however_its_lines_end(body: bytes) -> None:
    assert transfer.decode("base64", body, 0, len(body)) == (PLAIN, None)


@pytest.mark.parametrize("size", range(8))
def test_base64_of_any_length_is_no_defect(size: int) -> None:
    body = base64.encodebytes(PLAIN[:size]).replace(b"\n", b"\r\n")
    assert transfer.decode("base64", body, 0, len(body)) == (PLAIN[:size], None)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        pytest.param(base64.b64encode(b"Ann!") + b"\n" + base64.b64encode(b"Bob!") + b"\n", b"Ann!Bob!", id="joined"),
        pytest.param(b"YQ==YmM=ZGVm", b"abcdef", id="padding in the middle"),
        pytest.param(b"YQ", b"a", id="no padding"),
        pytest.param(b"YWJjZ", b"abc", id="six bits too many"),
        pytest.param(b"YWJj" * 20 + b"!YWJj", b"abc" * 21, id="a character that is none of it"),
        pytest.param(b"YWJj" * 20 + b"\0\xffYWJj", b"abc" * 21, id="bytes that are none of it"),
    ],
)
def test_damaged_base64_is_read_as_far_as_it_goes(body: bytes, content: bytes) -> None:
    found, defect = transfer.decode("base64", body, 0, len(body))
    assert found == content
    assert defect


def test_what_a_mailing_list_writes_below_base64_stays_readable() -> None:
    footer = b"_____\nYou get this since you asked for it; here is how to stop that: https://example.org/\n"
    body = base64.encodebytes(b"Hello Ann, all is well.\n") + footer
    content, defect = transfer.decode("base64", body, 0, len(body))
    assert content == b"Hello Ann, all is well.\n" + footer
    assert defect


def test_text_that_only_says_it_is_base64_is_the_text() -> None:
    body = b"Hello Bob, this was never encoded at all.\r\nAnn\r\n"
    content, defect = transfer.decode("base64", body, 0, len(body))
    assert content == body
    assert defect


def test_only_the_range_counts() -> None:
    raw = b"===" + ENCODED + b"==="
    assert transfer.decode("base64", raw, 3, len(raw) - 3) == (PLAIN, None)


@pytest.mark.parametrize(
    ("body", "content", "is_damaged"),
    [
        (b"caf=C3=A9 =\r\nau lait=20\r\n", "café au lait \r\n".encode(), False),
        (b"caf=c3=a9", "café".encode(), False),
        (b"ends in a soft break=", b"ends in a soft break", False),
        (b"soft =  \r\nbreak", b"soft break", True),
        (b"https://example.org/?a=b&c==d=", b"https://example.org/?a=b&c==d", True),
        (b"a =\rb\nc", b"a =\rb\nc", True),
        (b"100 =? =G1", b"100 =? =G1", True),
    ],
)
def test_quoted_printable_loses_no_sign_that_encodes_nothing(body: bytes, content: bytes, is_damaged: bool) -> None:
    found, defect = transfer.decode("quoted-printable", body, 0, len(body))
    assert (found, defect is not None) == (content, is_damaged)


def test_uuencode_is_an_encoding_of_a_part() -> None:
    body = b"begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n"
    assert transfer.decode("uuencode", body, 0, len(body)) == (b"Cat", None)


def test_damaged_uuencode_is_left_as_it_is() -> None:
    body = b"begin 644 cat.txt\r\nnothing of the kind\r\n"
    content, defect = transfer.decode("uuencode", body, 0, len(body))
    assert content == body
    assert defect


@pytest.mark.parametrize("encoding", ["", "base64", "quoted-printable", "uuencode"])
def test_random_bytes_do_not_raise(encoding: str) -> None:
    for size in range(200):
        transfer.decode(encoding, os.urandom(size), 0, size)
