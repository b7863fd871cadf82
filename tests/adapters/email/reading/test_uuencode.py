"""Files in the form of uuencode, in the middle of a text."""

import binascii

import pytest

from convergekit.adapters.email.reading.uuencode import split


def encoded(name: str, content: bytes) -> str:
    lines = [binascii.b2a_uu(content[at : at + 45]).decode() for at in range(0, len(content), 45)]
    return "".join((f"begin 644 {name}\n", *lines, "`\nend\n"))


def test_a_file_is_taken_out_of_the_text() -> None:
    content = bytes(range(256)) * 3
    text, files = split("See below.\n" + encoded("my cat.gif", content) + "Regards\n")
    assert text == "See below.\nRegards\n"
    assert files == [("my cat.gif", content)]


def test_so_are_several_and_one_that_is_empty() -> None:
    text, files = split(encoded("a", b"one") + encoded("b", b"") + "text\n" + encoded("c", b"three").rstrip())
    assert text == "text\n"
    assert files == [("a", b"one"), ("b", b""), ("c", b"three")]


def test_lines_whose_spaces_were_cut_off_or_that_have_a_checksum_are_read() -> None:
    assert split("begin 644 a\n#0V%Tx\nend\n".replace("x", "!"))[1] == [("a", b"Cat")]


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 at the beginning\nand so on\nend\n",
        "begin 644 a\n#0V%T\n",
        "I begin 644 a\n#0V%T\n`\nend\n",
        "begin the day\n#0V%T\n`\nend\n",
    ],
)
def test_what_is_no_file_stays(text: str) -> None:
    assert split(text) == (text, [])
