"""Paragraphs that were broken into lines (RFC 3676)."""

import pytest

from convergekit.adapters.email.reading.flowed import unflowed


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("One line.\nAnother.\n", "One line.\nAnother.\n"),
        ("A paragraph that \ngoes on \nand ends.\nAnother.\n", "A paragraph that goes on and ends.\nAnother.\n"),
        ("It ends \nhere.\n\n> quoted \n> text\n", "It ends here.\n\n> quoted text\n"),
        (">> deeper \n> and \n> less\n", ">> deeper \n> and less\n"),
        ("said \n> quoted\n", "said \n> quoted\n"),
        ("text\n From there on\n", "text\nFrom there on\n"),
        (" From there on\n >no quote\n", "From there on\n>no quote\n"),
        ("Regards\n-- \nAnn\n", "Regards\n-- \nAnn\n"),
        ("Regards \n-- \nAnn\n", "Regards \n-- \nAnn\n"),
        ("ends in the middle \n", "ends in the middle "),
        ("ends at once ", "ends at once "),
        ("> \n>\n", ">\n>\n"),
        ("", ""),
    ],
)
def test_lines_that_go_on_are_joined(text: str, joined: str) -> None:
    assert unflowed(text, delsp=False) == joined


def test_with_delsp_the_space_is_no_part_of_the_text() -> None:
    assert unflowed("東京 \nタワー\n", delsp=True) == "東京タワー\n"
    assert unflowed("> 東京 \n> タワー\n-- \n", delsp=True) == "> 東京タワー\n-- \n"


def test_what_is_longer_than_anybody_writes_stays_as_it_is() -> None:
    text = "goes \non\n" * 200_000
    assert unflowed(text, delsp=False) is text
