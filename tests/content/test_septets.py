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


@pytest.mark.parametrize(
    ("octets", "shifts", "text"),
    [
        (b"\x04\x07\x0b\x0c\x1c\x1d\x40\x60a", {"locking_shift": 1}, "€ıĞğŞşİça"),
        (b"\x1bG\x1bI\x1bS\x1bc\x1bg\x1bi\x1bs\x1be", {"single_shift": 1}, "ĞİŞçğış€"),
        (b"\x1bA\x1bI\x1bO\x1bU\x1ba\x1bi\x1bo\x1bu\x1b\x09\x07", {"single_shift": 2}, "ÁÍÓÚáíóúçì"),
        (b"\x04\x12\x15\x16\x17\x18\x24\x5b\x5c\x60\x7b\x7d\x7f", {"locking_shift": 3}, "êª∞^\\€ºÃÕ~ã`à"),
        (b"\x1b\x05\x1b\x0f\x1b\x12\x1b\x19\x1b[\x1b{\x1b\x7f", {"single_shift": 3}, "êáΦΘÃãâ"),
        (b"\x1bSa", {"locking_shift": 1}, "Sa"),
    ],
)
def test_national_tables_that_a_header_names_are_read(octets: bytes, shifts: dict[str, int], text: str) -> None:
    """3GPP TS 23.038 Annex A."""
    assert septets.decode(octets, **shifts) == text


@pytest.mark.parametrize("shifts", [{"locking_shift": 6}, {"single_shift": 13}])
def test_a_table_that_is_not_here_is_told(shifts: dict[str, int]) -> None:
    """Rather than other characters."""
    with pytest.raises(ValueError, match="no table"):
        septets.decode(b"a", **shifts)


def test_an_octet_is_no_septet() -> None:
    with pytest.raises(ValueError, match="septets"):
        septets.decode(b"\x80")
