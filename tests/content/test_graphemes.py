"""One idea of what a reader takes for one character, the same everywhere."""

import time

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from convergekit.content import clusters, graphemes
from convergekit.content.graphemes import boundary_before, joined

from .strategies import texts


@pytest.mark.parametrize(
    "text",
    [
        "e\u0301",
        "\r\n",
        "👨\u200d👩\u200d👧\u200d👦",  # GB11: a family
        "👩🏽\u200d🚀",  # GB11 across a skin tone
        "🏴\U000e0067\U000e0062\U000e007f",  # a flag made of tags
        "1\ufe0f\u20e3",
        "🇩🇪",  # GB12
        "\u1100\u1161\u11a8",  # GB6 to GB8: Hangul
        "\u0915\u094d\u0937",  # GB9c: a conjunct
        "\u0915\u094d\u200d\u0937",
        "\u0600\u0661",  # GB9b: a sign before its number
        "a" + "\u0301" * 1000,
    ],
)
def test_what_is_one_character_stays_one(text: str) -> None:
    assert clusters(text) == [text]
    assert boundary_before("x" + text + "y", 0, len(text)) == 1 if len(text) > 1 else True


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("🇩🇪🇫🇷🇩", 3),
        ("a\u200db", 2),  # a joiner between letters joins nothing
        ("\u0a15\u0a4d\u0a15", 2),  # Gurmukhi has no conjuncts by GB9c
        ("\n\u0301", 2),
        ("\r\r\n", 2),
        ("", 0),
    ],
)
def test_what_is_several_characters_is_told_apart(text: str, count: int) -> None:
    assert len(clusters(text)) == count


@given(texts)
def test_clusters_are_a_partition(text: str) -> None:
    assert "".join(clusters(text)) == text


@given(texts, st.data())
def test_a_boundary_is_where_a_cluster_ends(text: str, data: st.DataObject) -> None:
    ends, position = {0}, 0
    for cluster in clusters(text):
        position += len(cluster)
        ends.add(position)
    start = data.draw(st.sampled_from(sorted(ends)))
    asked = data.draw(st.integers(start, len(text)))

    assert boundary_before(text, start, asked) == max(end for end in ends if start <= end <= asked)


def test_a_mark_joins_the_space_before_it() -> None:
    assert joined(" ", "\u0301")
    assert joined("\u0600", " ")
    assert not joined(" ", "a")
    assert not joined("", "\u0301")


@given(st.text(st.sampled_from("🇦🇩a👍🏽\u0301\u200d\u0903\u0600\r\n "), max_size=30))
def test_our_short_cut_for_flags_says_what_the_full_rules_say(text: str) -> None:
    import regex

    assert clusters(text) == regex.findall(r"\X", text)


@given(st.text(st.sampled_from("🇦🇩a👍🏽\u0301\u200d\u0600\r\n \u1100\u1161ก\u0e33"), max_size=30))
def test_another_implementation_agrees(text: str) -> None:
    """An oracle of its own; without conjuncts, on which docs/decisions/0002 has more to say."""
    graphemecluster = pytest.importorskip("uniseg.graphemecluster")

    assert clusters(text) == list(graphemecluster.grapheme_clusters(text))


@pytest.mark.parametrize("unit", ["🇩🇪", "a\u0301", "👍🏽", "\u0915\u094d", "\u0600", "\r\n", "👨\u200d"])
def test_time_is_linear(unit: str) -> None:
    """A run of flags made the plain pattern quadratic: these 200,000 took two minutes of processor time."""
    begun = time.process_time()
    clusters(unit * 100_000)

    assert time.process_time() - begun < 10


def test_between_characters_of_scripts_that_join_nothing_is_a_boundary() -> None:
    """The short way asks no table, so the table is asked here for all of them."""
    apart = [chr(code) for code in range(0x80, 0x10000) if graphemes._APART.fullmatch(chr(code))]

    assert len(apart) > 30_000
    assert regex.fullmatch(r"[\p{GCB=Other}\p{GCB=LV}\p{GCB=LVT}]*", "".join(apart))
