"""The user data header: 3GPP TS 23.040 §9.2.3.24."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content.udh import Concatenation, UserDataHeader, read_header


@pytest.mark.parametrize(
    ("octets", "part"),
    [
        ("05 00 03 07 02 01", Concatenation(7, 2, 1)),
        ("06 08 04 01 02 03 03", Concatenation(258, 3, 3, 16)),
        ("05 00 03 FF FF FF", Concatenation(255, 255, 255)),
    ],
)
def test_which_part_it_is_is_written_and_read(octets: str, part: Concatenation) -> None:
    data = bytes.fromhex(octets)

    assert part.to_header() == data
    assert read_header(data + b"text behind it") == UserDataHeader(size=len(data), concatenation=part)


@pytest.mark.parametrize(
    ("octets", "header"),
    [
        ("05 00 03 07 02 00", UserDataHeader(size=6)),  # there is no part 0
        ("05 00 03 07 02 03", UserDataHeader(size=6)),  # nor a third of two
        ("05 00 03 07 00 00", UserDataHeader(size=6)),
        ("0A 00 03 07 02 01 00 03 08 02 02", UserDataHeader(size=11, concatenation=Concatenation(8, 2, 2))),  # the last
        ("03 24 01 01", UserDataHeader(size=4, single_shift=1)),
        ("0B 00 03 07 02 01 24 01 03 25 01 03", UserDataHeader(12, Concatenation(7, 2, 1), 3, 3)),
        ("06 05 04 0B 84 23 F0", UserDataHeader(size=7)),  # ports: none of ours, and no harm
        ("04 00 03 07 02", UserDataHeader(size=5)),  # the element is longer than the header
        ("06 00 03 07 02 01 24", UserDataHeader(size=7)),  # half an element
        ("05 00 03", UserDataHeader()),  # longer than what there is
        ("00", UserDataHeader(size=1)),
        ("", UserDataHeader()),
    ],
)
def test_what_makes_no_sense_is_ignored(octets: str, header: UserDataHeader) -> None:
    assert read_header(bytes.fromhex(octets)) == header


@given(st.binary(max_size=40))
def test_whatever_comes_is_read_or_ignored(data: bytes) -> None:
    assert read_header(data).size <= len(data)


@given(st.sampled_from([8, 16]), st.data())
def test_what_is_written_is_read_back(bits: int, data: st.DataObject) -> None:
    total = data.draw(st.integers(1, 255))
    reference, number = data.draw(st.integers(0, 2**bits - 1)), data.draw(st.integers(1, total))
    part = Concatenation(reference, total, number, 16 if bits == 16 else 8)

    assert read_header(part.to_header()).concatenation == part


@pytest.mark.parametrize("numbers", [(256, 2, 1), (-1, 2, 1), (1, 2, 3), (1, 2, 0), (1, 256, 1)])
def test_a_part_that_there_is_not_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="there is no part"):
        Concatenation(*numbers)
