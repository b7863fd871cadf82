"""Text that is too long: nothing is lost, everything fits, and a reader can read on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import Unit, clusters, length
from convergekit.content.measure import fitting
from convergekit.content.split import TooNarrow, pieces, split

from .strategies import texts

UNITS = st.sampled_from(["codepoint", "utf16", "byte", "gsm7", "weighted"])
WHITE = (
    " \t\n\v\f\r\x85\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u200b\u2028\u2029\u205f\u3000"
)


@given(texts, UNITS, st.integers(6, 60))
def test_every_part_fits(text: str, unit: Unit, limit: int) -> None:
    assert all(length(part, unit) <= limit for part in split(text, limit, unit))


@given(texts, UNITS, st.integers(6, 60))
def test_nothing_is_lost_but_white_space_at_a_cut(text: str, unit: Unit, limit: int) -> None:
    end = 0
    for piece in pieces(text, fitting(text, limit, unit)):
        assert text[end : piece.start].strip(WHITE) == ""
        end = piece.end
    assert text[end:].strip(WHITE) == ""


@given(texts, UNITS, st.integers(40, 80))
def test_no_cluster_is_broken_unless_it_is_larger_than_a_part(text: str, unit: Unit, limit: int) -> None:
    inside, position = set[int](), 0
    for cluster in clusters(text):
        if length(cluster, unit) <= limit:
            inside.update(range(position + 1, position + len(cluster)))
        position += len(cluster)
    found = list(pieces(text, fitting(text, limit, unit)))

    cuts = {piece.end for piece in found[:-1]} | {piece.start for piece in found[1:]}
    assert not cuts & inside


@given(texts, st.integers(1, 60))
def test_text_that_fits_is_left_alone(text: str, extra: int) -> None:
    assert split(text, max(1, len(text)) + extra) == (text,)


@given(texts.filter(str.strip), st.integers(4, 60))
def test_no_part_is_blank(text: str, limit: int) -> None:
    parts = split(text, limit)

    assert len(parts) == 1 or all(part.strip(WHITE) for part in parts)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("hello world foo bar", 11, ("hello world", "foo bar")),
        ("hello world ", 11, ("hello world",)),
        ("a b\n\nc d e f", 8, ("a b", "c d e f")),
        ("one two\nthree four", 12, ("one two", "three four")),
        ("x = [\n    1,\n    2,\n]", 12, ("x = [\n    1,", "    2,\n]")),
        ("x" * 25, 10, ("x" * 10, "x" * 10, "x" * 5)),
        ("x" * 250, 100, ("x" * 100, "x" * 100, "x" * 50)),
        ("a " + "b" * 9, 10, ("a", "b" * 9)),
        ("日本語テキスト、これは長い文章です。", 8, ("日本語テキスト、", "これは長い文章で", "す。")),
        ("tel. 30\u00a0000 x", 9, ("tel.", "30\u00a0000 x")),
    ],
)
def test_a_cut_lies_where_a_reader_would_make_it(text: str, limit: int, expected: tuple[str, ...]) -> None:
    assert split(text, limit) == expected


@pytest.mark.parametrize("before", ["see ", "日本語テキスト", "(", "a\n"])
def test_a_url_is_not_cut(before: str) -> None:
    url = "https://example.org/some/path?with=query"

    parts = split(f"{before * 3}{url} and more", 45)

    assert any(url in part for part in parts)


def test_a_url_longer_than_a_part_goes_through_and_is_reported() -> None:
    url = "https://example.org/" + "path/" * 20
    found = list(pieces(url, fitting(url, 50, "codepoint")))

    assert "".join(url[piece.start : piece.end] for piece in found) == url
    assert found[0].broken == "url"


def test_a_cluster_larger_than_a_part_goes_through_and_is_reported() -> None:
    storm = "a" + "\u0301" * 50
    found = list(pieces(storm, fitting(storm, 20, "codepoint")))

    assert "".join(storm[piece.start : piece.end] for piece in found) == storm
    assert [piece.broken for piece in found] == ["cluster", "cluster", None]


def test_a_part_too_small_for_one_character_is_an_error() -> None:
    with pytest.raises(TooNarrow):
        split("a😀", 3, "byte")


@pytest.mark.parametrize("text", [" " * 100, "\n" * 100, ""])
def test_blank_text_that_does_not_fit_is_one_empty_part(text: str) -> None:
    assert split(text, 10) == ("",)


@pytest.mark.parametrize(
    "unit",
    ["hello wörld, text. ", "x", "🇩🇪", "a\u0301", " \u0301", "日本", "https://e.org/", " ", "\n", "a://", "👨\u200d"],
)
@pytest.mark.parametrize("measure", ["codepoint", "byte", "gsm7", "weighted"])
def test_a_megabyte_of_anything_is_split(unit: str, measure: Unit) -> None:
    text = unit * (300_000 // len(unit))

    parts = split(text, 1530, measure)

    assert re.sub(r"\s+", "", "".join(parts)) == re.sub(r"\s+", "", text)
