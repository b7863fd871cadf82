"""Header fields: short lines, nothing lost, and ASCII unless it is said otherwise."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.email.building import headers
from convergekit.errors import UnsupportedContentError
from convergekit.model import Address


def lines(field: str) -> list[str]:
    assert field.endswith("\r\n")
    return field.removesuffix("\r\n").split("\r\n")


def test_a_short_field_is_one_line() -> None:
    assert headers.folded("Subject", "Hello") == "Subject: Hello\r\n"


def test_a_long_field_is_folded_and_unfolds_to_itself() -> None:
    value = " ".join(f"word{number}" for number in range(60)) + "   three  spaces"
    found = lines(headers.folded("Subject", value))
    assert max(map(len, found)) <= 76
    assert all(line[:1] == " " and line.strip() for line in found[1:])
    assert "".join(found) == f"Subject: {value}"


def test_what_cannot_be_folded_stays_beside_its_name() -> None:
    """Some programs show nothing of a field whose first line has no value."""
    url = "<https://example.org/" + "x" * 200 + ">"
    found = headers.field("List-Unsubscribe", f"{url}, <mailto:a@b>", smtputf8=False)
    assert found == f"List-Unsubscribe: {url},\r\n <mailto:a@b>\r\n"


def test_what_programs_read_never_becomes_an_encoded_word() -> None:
    """A URL may look like one."""
    found = headers.field("List-Unsubscribe", "<https://example.org/?a=?b>", smtputf8=False)
    assert found == "List-Unsubscribe: <https://example.org/?a=?b>\r\n"


@pytest.mark.parametrize("value", ["a" * 2000, "a" + " " * 2000 + "b", "b" * 990 + " c"])
def test_no_line_is_longer_than_a_line_may_be(value: str) -> None:
    field = headers.field("Subject", value, smtputf8=False)
    assert max(map(len, lines(field))) <= 998


def test_a_field_that_mail_servers_would_cut_off_is_refused() -> None:
    """Postfix drops what is beyond 100 KiB, and says nothing."""
    many = [Address(f"mailto:somebody{number}@example.org") for number in range(4000)]
    with pytest.raises(UnsupportedContentError, match=r"^To is longer than mail servers take"):
        headers.mailboxes("To", many, smtputf8=False)
    assert max(map(len, lines(headers.mailboxes("To", many[:1000], smtputf8=False)))) <= 76


# Encoded-words

WORD = re.compile(r"=\?utf-8\?b\?([A-Za-z0-9+/=]*)\?=")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1), st.sampled_from(["A", "X" * 50]))
def test_encoded_words_are_short_and_each_is_whole_characters(text: str, name: str) -> None:
    found = lines(headers.field(name, text + "é", smtputf8=False))
    assert max(map(len, found)) <= 76  # RFC 2047 §2
    words = [word for line in found for word in WORD.findall(line)]
    assert "".join(base64.b64decode(word).decode() for word in words) == text + "é"  # §5: each decodes by itself
    assert max(len(word) + 12 for word in words) <= 75


@pytest.mark.parametrize("text", ["=?utf-8?q?a?=", " a", "a ", "\u3000a"])
def test_what_would_be_read_otherwise_is_encoded(text: str) -> None:
    assert WORD.search(headers.field("Subject", text, smtputf8=False))


def test_with_smtputf8_text_stands_raw() -> None:
    assert headers.field("Subject", "Größe", smtputf8=True) == "Subject: Größe\r\n"
    found = lines(headers.field("Subject", "Größe 大小 " * 100, smtputf8=True))
    assert max(len(line.encode()) for line in found) <= 76


# Mailboxes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, "ann@example.org"),
        ("", "ann@example.org"),
        (" ", "ann@example.org"),
        ("Ann", "Ann <ann@example.org>"),
        ("Ann Example", "Ann Example <ann@example.org>"),
        ("Dr. Ann", '"Dr. Ann" <ann@example.org>'),
        ('Ann "A" \\', '"Ann \\"A\\" \\\\" <ann@example.org>'),
        ("evil@example.net>, <", '"evil@example.net>, <" <ann@example.org>'),
        ("Änn", "=?utf-8?b?w4Rubg==?= <ann@example.org>"),
        ("=?utf-8?q?Boss?=", "=?utf-8?b?PT91dGYtOD9xP0Jvc3M/PQ==?= <ann@example.org>"),
    ],
)
def test_a_display_name_stands_so_that_nothing_else_can_be_read_from_it(name: str | None, expected: str) -> None:
    assert headers.mailbox("mailto:ann@example.org", name, False) == expected


def test_an_address_is_written_as_it_is_and_not_as_its_uri() -> None:
    assert headers.mailbox("mailto:a%25b@example.org", None, False) == "a%b@example.org"


# Ids


def test_of_very_many_references_the_first_and_the_last_are_kept() -> None:
    ids = [f"{number}@example.org" for number in range(200)]
    found = headers.message_ids("References", ids).removeprefix("References: ").split()
    assert found == [f"<{each}>" for each in [ids[0], *ids[-49:]]]


def test_references_of_great_length_are_fewer() -> None:
    ids = [f"{number}{'x' * 800}@example.org" for number in range(40)]
    field = headers.message_ids("References", ids)
    assert len(field) < 9000
    assert max(map(len, lines(field))) <= 998
    found = field.removeprefix("References: ").split()
    assert (found[0], found[-1]) == (f"<{ids[0]}>", f"<{ids[-1]}>")


def test_each_reference_is_named_once_and_none_that_is_no_id() -> None:
    """What other programs put there may be anything, and an answer must not fail by it."""
    ids = ["a@b", "with space@b", "a@b", "<c@d>", "ü@b", "", "x" * 901, "e"]
    assert headers.message_ids("References", ids) == "References: <a@b> <e>\r\n"
    assert headers.message_ids("References", ["with space@b"]) == ""


# File names


@pytest.mark.parametrize("name", ["terms.pdf", "a b (1).txt", "100%.txt", ".profile"])
def test_a_plain_name_stands_plain(name: str) -> None:
    assert headers.disposition("attachment", name) == (f'Content-Disposition: attachment;\r\n filename="{name}"\r\n')


def test_a_file_without_a_name_has_none() -> None:
    assert headers.disposition("inline", None) == "Content-Disposition: inline\r\n"


def test_a_name_beyond_ascii_stands_in_both_forms() -> None:
    assert headers.disposition("attachment", "Résumé 2.pdf") == (
        "Content-Disposition: attachment;\r\n"
        " filename*=utf-8''R%C3%A9sum%C3%A9%202.pdf;\r\n"
        ' filename="Resume 2.pdf"\r\n'
    )


def test_a_long_name_continues_and_keeps_its_ending_in_both_forms() -> None:
    found = lines(headers.disposition("attachment", "文" * 40 + ".pdf"))
    assert [line.partition("=")[0].strip() for line in found[1:-1]] == [
        f"filename*{number}*" for number in range(len(found) - 2)
    ]
    assert max(map(len, found)) <= 78
    assert found[-1] == ' filename="file.pdf"'


@pytest.mark.parametrize(
    ("name", "expected"), [("文" * 70, "file"), ("é" * 70, "e" * 48), ("é.tar.gz", "e.tar.gz"), ("é.", "e.")]
)
def test_the_form_in_ascii_is_a_name_too(name: str, expected: str) -> None:
    assert lines(headers.disposition("attachment", name))[-1] == f' filename="{expected}"'


@pytest.mark.parametrize("name", ['a"b.txt', "a;b=c.txt", "=?utf-8?q?a?=.txt", "two  spaces.txt", " edge.txt"])
def test_no_name_breaks_out_of_its_quotes(name: str) -> None:
    [last] = lines(headers.disposition("attachment", name))[-1:]
    assert re.fullmatch(r' filename="[^"\\]+"', last)
    assert "=?" not in last
