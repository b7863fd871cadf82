"""What X makes a link of, and where it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given

from convergekit.content.twitter_text import (
    Cashtag,
    Entities,
    Hashtag,
    Mention,
    Url,
    entities,
    is_hashtag,
    is_list,
    is_url,
    is_username,
    replied_to,
)

from .strategies import posts


def test_all_kinds_with_their_places() -> None:
    text = "@ann see https://example.com/a?b=c, #tag 👍🏽 $TEST @bob/list"

    found = entities(text)

    assert found == Entities(
        (Url(9, 34, "https://example.com/a?b=c"),),
        (Mention(0, 4, "ann"), Mention(50, 59, "bob", "list")),
        (Hashtag(36, 40, "tag"),),
        (Cashtag(44, 49, "TEST"),),
    )
    assert [text[each.start : each.end] for kind in found for each in kind] == [
        *("https://example.com/a?b=c", "@ann", "@bob/list", "#tag", "$TEST")
    ]


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("nothing here. Or there.", []),
        ("example.com.", ["example.com"]),
        ("(example.com/a_(b))", ["example.com/a_(b)"]),
        ("example.com:8080", ["example.com"]),
        ("example.com:8080/a", ["example.com:8080/a"]),
        ("http://example.com:8080?a=b.", ["http://example.com:8080?a=b"]),
        ("example.com?a=b", ["example.com"]),
        ("www.example.co.uk", ["www.example.co.uk"]),
        ("example.com.nowhere", ["example.com"]),
        ("example.com..a.co", ["example.com"]),
        ("-example.com", []),
        ("ann@example.com", []),
        ("#example.com $a.co", []),
        ("日本語example.comです", ["example.com"]),
        ("日本語.com", []),
        ("http://日本語.com/日", ["http://日本語.com/"]),
        ("a.com日.a.co日.b.co/c", ["a.com", "a.co", "b.co/c"]),
        ("Example.CoM HTTPS://A.CO", ["Example.CoM", "HTTPS://A.CO"]),
        ("xhttp://example.com", []),
        ("http://a_b.com http://a_b.c.com", ["http://a_b.c.com"]),
        ("a_b.c.com", ["b.c.com"]),
        ("example.xn--p1ai", ["example.xn--p1ai"]),
        ("http://" + "a" * 64 + ".com", []),
        ("http://example.com/" + "a" * 4077, ["http://example.com/" + "a" * 4077]),
        ("http://example.com/" + "a" * 4078, []),
        ("http://t.co/abc/more http://t.co/" + "a" * 41, ["http://t.co/abc"]),
        ("x.co/a!(b) x.co/a(b)", ["x.co/a", "x.co/a(b)"]),
        ("vermögen.vermögensberatung", ["vermögen.vermögensberatung"]),
        ("example.РФ/я", ["example.РФ/я"]),
    ],
)
def test_urls(text: str, urls: list[str]) -> None:
    assert [each.url for each in entities(text).urls] == urls


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ann@bob", []),
        ("@ann.@bob", ["ann", "bob"]),
        ("RT@ann XRT@bob", ["ann"]),
        ("@" + "a" * 21, ["a" * 20]),
        ("@ann://", []),
        ("@é @1_a", ["1_a"]),
    ],
)
def test_mentions(text: str, names: list[str]) -> None:
    assert [each.name for each in entities(text).mentions] == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("#a #1 #1a #_a_", ["a", "1a", "_a_"]),
        ("#a#b &#39; x#y", []),
        ("##a", ["a"]),
        ("#\ufe0f\u20e3 #\u0301 日#x", ["\u0301"]),
        ("✌\ufe0f#a", ["a"]),
        ("#a://", []),
        ("#日本語。", ["日本語"]),
    ],
)
def test_hashtags(text: str, names: list[str]) -> None:
    assert [each.name for each in entities(text).hashtags] == names


@pytest.mark.parametrize(
    ("text", "symbols"),
    [("$A $BC.D, $abcdefg $1", ["A", "BC.D"]), ("x$A", []), ("$A.bcd", ["A"]), ("$Aé", []), ("a\u3000$A", ["A"])],
)
def test_cashtags(text: str, symbols: list[str]) -> None:
    assert [each.symbol for each in entities(text).cashtags] == symbols


def test_of_two_that_overlap_the_first_stays() -> None:
    found = entities("https://example.com/#tag/@ann $a.co")

    assert [each.url for each in found.urls] == ["https://example.com/#tag/@ann"]
    assert found.mentions == ()
    assert found.hashtags == ()
    assert [each.symbol for each in found.cashtags] == ["a.co"]


def test_a_reply_begins_with_a_name() -> None:
    assert replied_to("  @ann hello") == "ann"
    assert replied_to("hello @ann") is None
    assert replied_to("@ann@example.com") is None


@given(posts)
def test_no_two_overlap_and_all_are_in_their_place(text: str) -> None:
    found = sorted((each.start, each.end) for kind in entities(text) for each in kind)

    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(end <= start for (_, end), (start, _) in pairwise(found))
    for url in entities(text).urls:
        assert url.url == text[url.start : url.end]
    for each in entities(text).mentions:
        assert text[each.start + 1 :].startswith(each.name)


@pytest.mark.parametrize("text", ["", "@", "ann", "@ann ", " @ann", "@ann/list", "@" + "a" * 21])
def test_no_username(text: str) -> None:
    assert not is_username(text)


@pytest.mark.parametrize("text", ["", "@ann", " @ann/list", "@ann/list ", "@ann/1"])
def test_no_list(text: str) -> None:
    assert not is_list(text)


@pytest.mark.parametrize("text", ["", "#", "tag", "#1", " #tag", "#a #b"])
def test_no_hashtag(text: str) -> None:
    assert not is_hashtag(text)


@pytest.mark.parametrize(
    "text", ["", "example.com", "ftp://example.com", "http://a b.com", "http://-a.com", "http://a"]
)
def test_no_url(text: str) -> None:
    assert not is_url(text)


def test_whole_strings() -> None:
    assert is_username("@ann")
    assert is_list("@ann/list")
    assert is_hashtag("#日本語")
    assert is_url("http://[::1]/a")
    assert is_url("example.com", protocol=False)
