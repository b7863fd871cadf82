"""Whether what X shows is what we sent."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.adapters.x.outbound.sameness import digest, is_same, shown_text


def _url(short: str, long: str) -> dict[str, Any]:
    return {"entities": {"urls": [{"url": short, "expanded_url": long}]}}


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Hello & <good> morning", {"text": "Hello &amp; &lt;good&gt; morning"}),
        ("See https://example.org/a", {"text": "See https://t.co/x", **_url("https://t.co/x", "https://example.org/a")}),
        ("See example.org", {"text": "See https://t.co/x", **_url("https://t.co/x", "http://example.org/")}),
        ("cafe\u0301", {"text": "caf\u00e9"}),
        ("one  \n two ", {"text": "one\ntwo"}),
        ("Thanks!", {"text": "@ann @bob Thanks!"}),
        ("@ann Thanks!", {"text": "@ann Thanks!"}),
        ("A photo", {"text": "A photo https://t.co/pic"}),
        ("", {"text": "https://t.co/pic"}),
        ("A photo", {"text": "@ann A photo https://t.co/a https://t.co/b"}),
        ("https://example.org", {"text": "https://t.co/x https://t.co/p", **_url("https://t.co/x", "https://example.org")}),
        ("a long post", {"text": "a lo\u2026", "note_tweet": {"text": "a long post"}}),
        ("a long post", {"text": "a lo\u2026", "note_post": {"text": "a long post"}}),
        ("see https://example.org", {"text": "see https://t.co/x", "urls": _url("https://t.co/x", "https://example.org")["entities"]["urls"]}),
    ],
)  # fmt: skip
def test_what_x_changes_in_a_text_makes_it_no_other(sent: str, shown: dict[str, Any]) -> None:
    assert is_same(sent, shown_text(shown))


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Hello", "Hello there"),
        ("Hello there", "Hello"),
        ("Hello https://example.org", "Hello"),
        ("Hello https://example.org/a", "Hello https://example.org/b"),
        ("Hello @ann", "Hello"),
        ("Yes", "yes"),
    ],
)
def test_another_text_is_another(sent: str, shown: str) -> None:
    assert not is_same(sent, shown)


@pytest.mark.parametrize(
    "item", [{}, {"text": None}, {"text": 5, "entities": []}, {"text": "a", "entities": {"urls": [1, {"url": ""}]}}]
)
def test_what_is_no_text_harms_nobody(item: dict[str, Any]) -> None:
    assert shown_text(item) in ("", "a")


def test_a_digest_is_of_the_text_as_x_shows_it_and_of_its_place() -> None:
    assert digest("see https://example.org", "x:1") == digest("@ann see  example.org/", "x:1")
    assert digest("see", "x:1") != digest("see", "x:2")
    assert digest("\ud800", "x:1")  # what has no UTF-8 is refused elsewhere, and must not end this


LINKS = ["https://example.org/a?b=c&d", "http://example.org", "https://t.co/own"]
WORDS = st.one_of(
    st.sampled_from([*LINKS, "@ann", "#tag", "$ABC", "a & b <c>", "👩‍👩‍👧‍👧", "字"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
)


def _shown_by_x(text: str, names: list[str], files: int) -> dict[str, Any]:
    """*text* as X shows it, with whom it answers in front and *files* links behind."""
    urls: list[dict[str, str]] = []

    def short(match: re.Match[str]) -> str:
        urls.append({"url": f"https://t.co/{len(urls):010}", "expanded_url": match[0]})
        return urls[-1]["url"]

    named = "".join(f"@{name} " for name in names)
    linked = re.sub(r"https?://[!-~]+", short, text)
    escaped = linked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    behind = "".join(f" https://t.co/f{number:09}" for number in range(files))
    return {"text": unicodedata.normalize("NFC", f"{named}{escaped}{behind}"), "entities": {"urls": urls}}


@given(
    st.lists(WORDS, max_size=12).map(" ".join), st.lists(st.sampled_from(["bob", "eve"]), max_size=2), st.integers(0, 4)
)
def test_whatever_is_sent_is_known_again(text: str, names: list[str], files: int) -> None:
    assert is_same(text, shown_text(_shown_by_x(text, names, files)))


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_is_too_strange_to_be_compared(sent: str, shown: str) -> None:
    assert isinstance(is_same(sent, shown_text({"text": shown})), bool)
    assert len(digest(sent, shown)) == 16
