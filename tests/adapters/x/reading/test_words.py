"""What a reader sees of a text."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x.reading.words import shown


def url(short: str, leads_to: str, **more: Any) -> dict[str, Any]:
    return {"url": f"https://t.co/{short}", "expanded_url": leads_to, "start": 0, "end": 23, **more}


def post(text: str, *urls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"text": text, "entities": {"urls": list(urls)}, **more}


def test_what_x_escapes_is_as_it_was_typed() -> None:
    assert shown(post("1 &lt; 2 &gt; 0 &amp; so on")).text == "1 < 2 > 0 & so on"


def test_who_typed_an_escape_is_shown_it() -> None:
    """X has escaped their "&" once, and it is undone once."""
    assert shown(post("&amp;lt; is &amp;amp;lt;")).text == "&lt; is &amp;lt;"


def test_a_short_link_is_where_it_leads() -> None:
    found = shown(post("see https://t.co/aB1, now", url("aB1", "https://example.org/?a=1&lt;=2")))
    assert found.text == "see https://example.org/?a=1&lt;=2, now"
    assert found.urls == ("https://example.org/?a=1&lt;=2",)


def test_a_longer_link_that_begins_like_a_known_one_is_another() -> None:
    assert shown(post("https://t.co/aB12", url("aB1", "https://example.org"))).text == "https://t.co/aB12"


@pytest.mark.parametrize(
    "leads_to", ["javascript:alert(1)", "https://", "https://[x", 5, None, "https://e.org/\u202e\n"]
)
def test_a_link_that_leads_nowhere_stays_as_it_is(leads_to: Any) -> None:
    found = shown(post("see https://t.co/aB1", url("aB1", leads_to)))
    assert (found.text, found.urls) == ("see https://t.co/aB1", ())


@pytest.mark.parametrize(
    "link",
    [
        url("pic", "https://x.com/ann/status/5/photo/1", media_key="3_1"),
        url("pic", "https://twitter.com/ann/status/5/video/1"),
        url("pic", "https://twitter.com/messages/media/5"),
    ],
)
def test_a_link_that_stands_for_a_file_is_no_text(link: dict[str, Any]) -> None:
    found = shown(post("look https://t.co/pic", link), has_media=True)
    assert (found.text, found.visible, found.urls) == ("look", None, ())


def test_a_link_to_a_file_that_is_not_shown_stays() -> None:
    """Else nobody would know that there was one."""
    link = url("pic", "https://x.com/ann/status/5/photo/1", media_key="3_1")
    assert shown(post("look https://t.co/pic", link)).text == "look https://x.com/ann/status/5/photo/1"


def test_the_link_behind_a_quote_is_not_what_was_written() -> None:
    found = shown(post("so true https://t.co/q", url("q", "https://twitter.com/bob/status/77")), quoted="77")
    assert found.text == "so true https://twitter.com/bob/status/77"
    assert found.visible == "so true"
    assert found.urls == ()


def test_a_link_to_another_post_is_what_was_written() -> None:
    found = shown(post("see https://t.co/q", url("q", "https://x.com/bob/status/771")), quoted="77")
    assert found.visible is None


def test_whom_a_reply_answers_is_not_what_was_written() -> None:
    found = shown(post("@shop @bob thanks &amp; bye", display_text_range=[11, 30]))
    assert (found.text, found.visible) == ("@shop @bob thanks & bye", "thanks & bye")


@pytest.mark.parametrize("start", [0, 3, 400, -1, True, "11", None])
def test_a_place_that_makes_no_sense_hides_nothing(start: Any) -> None:
    assert shown(post("@shop @bob thanks", display_text_range=[start, 17])).visible is None


def test_words_in_front_of_that_place_are_never_hidden() -> None:
    assert shown(post("pay me @shop @bob thanks", display_text_range=[18, 24])).visible is None


def test_a_long_post_has_all_of_its_text_and_its_own_links() -> None:
    note = {"text": "@shop all of it https://t.co/n", "entities": {"urls": [url("n", "https://example.org")]}}
    found = shown({**post("@shop all…", display_text_range=[6, 10]), "note_post": note})
    assert (found.text, found.visible) == ("@shop all of it https://example.org", "all of it https://example.org")


@pytest.mark.parametrize("note", [None, {}, {"text": None}, {"text": 5}, "x"])
def test_a_note_without_text_is_none(note: Any) -> None:
    assert shown({**post("short"), "note_post": note}).text == "short"


def test_lines_stay_and_control_characters_go() -> None:
    assert shown(post("a\nb\t\x00\x1b[1mc\u202e")).text == "a\nb\t[1mc\u202e"


@pytest.mark.parametrize("text", [None, 5, [], {}])
def test_what_is_no_text_is_none(text: Any) -> None:
    assert shown({"text": text}).text is None


def test_links_of_a_direct_message_may_stand_by_themselves() -> None:
    message = {"text": "https://t.co/d", "urls": [url("d", "https://example.org")]}
    assert shown(message).text == "https://example.org"
