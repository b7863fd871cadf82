"""Whether what X shows is what we sent."""

from __future__ import annotations

from typing import Any

import pytest

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
