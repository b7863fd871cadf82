"""What single values of a gateway mean."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.sms.values import decoded, digest, halves, key, line, moment, position, position_in_udh
from convergekit.errors import InvalidInputError

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2026-03-01T12:00:00Z", "iso"),
        ("2026-03-01T12:00:00.000+0000", "iso"),
        ("2026-03-01 12:00:00", "iso"),
        ("2026-03-01 13:00:00 +0100", "iso"),
        ("2026-03-01T14:00:00+02:00", "iso"),
        (" 20260301T120000Z ", "iso"),
        ("1772366400", "unix"),
        ("1772366400.0", "unix"),
        ("1772366400000", "unix_ms"),
        ("2603011200", "%y%m%d%H%M"),
        ("Sun, 01 Mar 2026 12:00:00 +0000", "%a, %d %b %Y %H:%M:%S %z"),
    ],
)
def test_a_date_is_read_in_the_form_of_its_gateway(text: str, form: str) -> None:
    assert moment(text, form) == NOON


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (None, "iso"),
        ("", "iso"),
        ("yesterday", "iso"),
        ("0000-00-00 00:00:00", "iso"),
        ("1970-01-01T00:00:00Z", "iso"),
        ("9999-12-31T23:59:59-23:59", "iso"),
        ("0", "unix"),
        ("1772366400000", "unix"),
        ("1e999", "unix"),
        ("NaN", "unix_ms"),
        ("-1", "unix"),
        ("9" * 90, "unix_ms"),
        ("9" * 5000, "unix"),
        ("2026", "%y%m%d%H%M"),
    ],
)
def test_a_date_that_cannot_be_is_none(text: str | None, form: str) -> None:
    assert moment(text, form) is None


@given(text=st.text(max_size=40), form=st.sampled_from(["iso", "unix", "unix_ms", "%Y-%m-%d %H:%M:%S"]))
def test_no_text_makes_a_date_fail(text: str, form: str) -> None:
    assert moment(text, form) is None or form


@pytest.mark.parametrize("text", ["Hi", "Grüße + 100 %", "中文\U0001f600"])
def test_a_text_is_decoded_as_the_profile_says(text: str) -> None:
    utf16 = text.encode("utf-16-be")
    assert decoded(quote(utf16), "utf16be-percent") == text
    assert decoded(quote_plus(utf16), "utf16be-percent") == text
    assert decoded("".join(f"%{octet:02x}" for octet in utf16), "utf16be-percent") == text
    assert decoded(utf16.hex(), "utf16be-hex") == text
    assert decoded(utf16.hex().upper(), "utf16be-hex") == text
    assert decoded("", "utf16be", utf16) == text
    assert decoded(utf16.decode("latin-1"), "utf16be") == text
    assert decoded(base64.b64encode(text.encode()).decode(), "base64") == text


def test_latin_1_in_hexadecimal_digits() -> None:
    assert decoded("47 72 fc DF", "latin1-hex") == "Grüß"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("xyz", "utf16be-hex"),
        ("004", "utf16be-hex"),
        ("0041ff", "utf16be-hex"),
        ("hello", "latin1-hex"),
        ("abc", "utf16be-percent"),
        ("中文中文", "utf16be-percent"),
        ("中", "utf16be"),
        ("no base64!", "base64"),
        ("/w==", "base64"),
    ],
)
def test_a_text_that_is_not_encoded_so_stays_as_it_came(text: str, how: str) -> None:
    assert decoded(text, how) == text


def test_half_an_emoji_costs_itself_and_no_more() -> None:
    assert decoded("0041d83d0042", "utf16be-hex") == "A\ufffdB"
    assert decoded("feff0041", "utf16be-hex") == "A"


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        ("0041d83d", "utf16be-hex", ("", "d83d")),
        ("de000041d83d", "utf16be-hex", ("de00", "d83d")),
        ("feffde000041", "utf16be-hex", ("de00", "")),
        ("d83dde00", "utf16be-hex", ("", "")),
        ("%00A%D8%3D", "utf16be-percent", ("", "d83d")),
        ("\xde\x00", "utf16be", ("de00", "")),
        ("d83", "utf16be-hex", ("", "")),
        ("", "utf16be-hex", ("", "")),
        ("2D49", "base64", ("", "")),
    ],
)
def test_which_halves_a_part_begins_and_ends_with(text: str, how: str, expected: tuple[str, str]) -> None:
    assert halves(text, how) == expected


@pytest.mark.parametrize(
    ("reference", "number", "total", "expected"),
    [
        ("7", "1", "2", ("7", 1, 2)),
        ("ab", "255", "255", ("ab", 255, 255)),
        ("7", "1", "1", None),  # a message of its own
        ("7", "0", "2", None),
        ("7", "3", "2", None),
        ("7", "1", "256", None),
        ("7", "-1", "2", None),
        ("7", "1.0", "2", None),
        ("7", "²", "3", None),
        ("7", "1", "9" * 5000, None),
        ("", "1", "2", None),
        (None, "1", "2", None),
        ("7", None, "2", None),
        ("7", "1", None, None),
    ],
)
def test_three_values_say_which_part_it_is(
    reference: str | None, number: str | None, total: str | None, expected: tuple[str, int, int] | None
) -> None:
    assert position(reference, number, total) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"\x05\x00\x03\x07\x02\x01", ("07", 1, 2)),
        (b"050003070201", ("07", 1, 2)),
        (b"%05%00%03%07%02%01", ("07", 1, 2)),
        (b"06080412340302", ("1234", 2, 3)),
        (b"0B0504158200000003FF0303", ("ff", 3, 3)),  # behind a port
        (b"", None),
        (b"06050415820000", None),  # a port alone
        (b"050003070001", None),  # of none
        (b"0500030702", None),  # cut off
        (b"hello", None),
        (b"\xff\xfe", None),
        (b"00" * 5000, None),
    ],
)
def test_a_user_data_header_says_which_part_it_is(header: bytes, expected: tuple[str, int, int] | None) -> None:
    assert position_in_udh(header) == expected


@given(st.binary(max_size=20))
def test_no_header_fails(header: bytes) -> None:
    for each in (header, header.hex().encode()):
        found = position_in_udh(each)
        assert found is None or 1 <= found.number <= found.total <= 255


def test_a_line_is_one_line() -> None:
    assert line(" a\r\n\tb\x85c ") == "a b c"
    assert line("\x00 \n") is None
    assert line(None) is None
    with pytest.raises(InvalidInputError):
        line("x" * 501)


def test_a_key_is_readable_and_never_too_long() -> None:
    assert key("st", "id", "sent") == "st:id:sent"
    assert len(key("st", "x" * 400, "y" * 400)) < 100
    assert key("st", "x" * 600, "y") != key("st", "x" * 600, "z")


def test_a_digest_is_of_what_is_said_and_not_of_its_order() -> None:
    assert digest({"a": 1, "b": None}) == digest({"b": None, "a": 1}) != digest({"a": 1})
