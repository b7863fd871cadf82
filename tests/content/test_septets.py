"""The GSM 7-bit alphabet as octets: 3GPP TS 23.038."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import gsm7, septets

from .test_gsm7 import ALPHABET


@given(ALPHABET, st.integers(0, 140))
def test_what_is_written_is_read_back(text: str, behind: int) -> None:
    codes = septets.encode(text)

    assert len(codes) == gsm7.septets(text)
    assert septets.decode(codes) == text
    assert septets.unpack(septets.pack(codes, behind=behind), len(codes), behind=behind) == codes


def test_known_octets() -> None:
    assert septets.pack(septets.encode("hellohello")).hex() == "e8329bfd4697d9ec37"
    assert septets.encode("@a€[") == b"\x00\x61\x1b\x65\x1b\x3c"


def test_160_septets_fill_140_octets_and_153_go_behind_a_header() -> None:
    assert len(septets.pack(b"a" * 160)) == 140
    assert len(septets.pack(b"a" * 153, behind=6)) == 134
    assert len(septets.pack(b"a" * 152, behind=7)) == 133


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (b"a\x1bAb", "aAb"),  # nothing there in the extension table: read from the basic one
        (b"\x1b\x1b", " "),
        (b"a\x1b", "a "),
        (b"\x1b\x1b\x65", " e"),
    ],
)
def test_escapes_that_lead_nowhere(codes: bytes, text: str) -> None:
    assert septets.decode(codes) == text


@pytest.mark.parametrize("text", ["ç", "`", "я", "a\x1b", "😀"])
def test_what_is_not_in_the_alphabet_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not in the GSM 7-bit alphabet") as caught:
        septets.encode(text)

    assert text not in str(caught.value)


@given(st.binary(max_size=40))
def test_any_septets_are_some_text(octets: bytes) -> None:
    codes = septets.unpack(octets, 8 * len(octets) // 7)

    assert isinstance(septets.decode(codes), str)


def test_an_octet_is_no_septet() -> None:
    with pytest.raises(ValueError, match="septets"):
        septets.decode(b"\x80")
