"""Text cut as X counts it: every part is a post, and what X makes a link of stays whole."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from convergekit.content import length, render
from convergekit.content.measure import fitting
from convergekit.content.split import TooNarrow, pieces, split
from convergekit.content.twitter_text import entities
from convergekit.errors import UnsupportedContentError
from convergekit.model import Capabilities, Message, TextLimit

from .twitter_text.strategies import posts

#: No character weighs more than 6: what NFC makes three of.
LIMITS = st.integers(6, 80) | st.just(280)


def weight(text: str) -> int:
    return length(text, "weighted")


@given(posts, LIMITS)
@example("example.comfoo bar", 13)
@example("example.comfoo" * 30, 25)
@example("a@example.com" * 30, 23)
@example("x@" + "a.co日" * 40, 60)
@example("e\u0301" * 50, 7)
@example("a.co", 6)
@example("a.co/b", 6)
def test_every_part_is_a_post(text: str, limit: int) -> None:
    """A piece may weigh more than the text that it is of: where the cut makes a URL of something."""
    assert all(weight(part) <= limit for part in split(text, limit, "weighted"))


@given(posts.map(lambda text: text.replace(" ", "。")), st.integers(46, 100))
@example("日本語example.comテスト、#タグだ。@ann_smithさん。" * 10, 50)
@example("日本語example.comテスト、#タグだ。@ann_smithさん。" * 10, 51)
@example("日本語example.comテスト、#タグだ。@ann_smithさん。" * 10, 57)
def test_what_x_makes_a_link_of_stays_whole(text: str, limit: int) -> None:
    """Unless it is longer than a part itself."""
    inside = {
        position
        for kind in entities(text)
        for each in kind
        if weight(text[each.start : each.end]) <= limit
        for position in range(each.start + 1, each.end)
    }
    found = list(pieces(text, fitting(text, limit, "weighted")))

    assert not inside & ({piece.end for piece in found[:-1]} | {piece.start for piece in found[1:]})


def test_a_url_weighs_the_same_however_long_it_is() -> None:
    url = "https://example.org/" + "path/" * 200

    assert split(f"See {url} soon", 40, "weighted") == (f"See {url} soon",)
    assert split(f"See what is here: {url} soon", 40, "weighted") == ("See what is here:", f"{url} soon")


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("日本語example.comテスト", 30, ("日本語example.com", "テスト")),
        ("これは日本語だ。#日本語タグ", 20, ("これは日本語だ。", "#日本語タグ")),
        ("これは日本語です@ann_smithさん", 20, ("これは日本語です", "@ann_smithさん")),
        ("日本👨\u200d👩\u200d👧\u200d👦", 5, ("日本", "👨\u200d👩\u200d👧\u200d👦")),
        ("日本語\u3000$TEST", 10, ("日本語", "$TEST")),
        ("example.com/a example.com/b", 46, ("example.com/a", "example.com/b")),
        ("example.com/a example.com/b", 47, ("example.com/a example.com/b",)),
    ],
)
def test_a_cut_goes_around(text: str, limit: int, expected: tuple[str, ...]) -> None:
    assert split(text, limit, "weighted") == expected


def test_what_is_longer_than_a_part_goes_through_and_is_told() -> None:
    found = list(pieces("#" + "tag" * 40, fitting("#" + "tag" * 40, 50, "weighted")))

    assert [piece.broken for piece in found] == ["word", "word", None]


def test_a_url_that_weighs_more_than_a_part_goes_through_and_is_told() -> None:
    text = "https://example.org/path"
    found = list(pieces(text, fitting(text, 20, "weighted")))

    assert "".join(text[piece.start : piece.end] for piece in found) == text
    assert found[0].broken == "url"
    assert all(weight(text[piece.start : piece.end]) <= 20 for piece in found)


def test_a_part_that_holds_no_character_is_an_error() -> None:
    with pytest.raises(TooNarrow):
        split("日本", 1, "weighted")


def test_a_message_is_planned_by_it() -> None:
    message = Message(
        "Your parcel is on its way: https://shop.example.com/track/" + "1" * 300 + " Thanks! " + "😀" * 120
    )

    parts = render(message, Capabilities(text=TextLimit(max=280, unit="weighted"))).parts

    assert [weight(part.text or "") for part in parts] == [58, 240]


def test_a_text_that_may_not_be_split_is_refused_in_words() -> None:
    limit = TextLimit(max=280, unit="weighted", overflow="refuse")

    with pytest.raises(UnsupportedContentError, match="longer than one part of at most 280 weighted characters"):
        render(Message("日本" * 71), Capabilities(text=limit))


def test_other_units_have_a_notion_of_urls_of_their_own() -> None:
    assert split("日本語example.comテスト", 10) != split("日本語example.comテスト", 30, "weighted")
