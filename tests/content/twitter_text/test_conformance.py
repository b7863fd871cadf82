"""The conformance cases of twitter-text, each as it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unicodedata import is_normalized

import pytest
import yaml  # type: ignore[import-untyped, unused-ignore]

from convergekit.content.twitter_text import (
    LONGEST,
    entities,
    is_hashtag,
    is_list,
    is_url,
    is_username,
    parse,
    replied_to,
    utf16_index,
    weighted_length,
)

#: Beside the repository: the cases are under a licence of their own, and no part of what is published.
CASES: Final = Path(__file__).parents[4] / "shared" / "conformance" / "twitter-text"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not in {CASES.parts[-3:]}")

Case = dict[str, Any]


def cases(name: str, *sections: str) -> list[Any]:
    """All of the *sections*, or of the file."""
    if not CASES.is_dir():
        return []
    found = yaml.safe_load((CASES / f"{name}.yml").read_text("utf-8"))["tests"]
    return [
        pytest.param(section, case, id=f"{section}: {case['description']}")
        for section in sections or found
        for case in found[section]
    ]


def urls(text: str) -> list[str]:
    return [each.url for each in entities(text).urls]


def hashtags(text: str) -> list[str]:
    return [each.name for each in entities(text).hashtags]


def mentions_or_lists(text: str) -> list[Case]:
    return [
        {
            "screen_name": each.name,
            "list_slug": f"/{each.list}" if each.list else "",
            "indices": at(text, each.start, each.end),
        }
        for each in entities(text).mentions
    ]


def at(text: str, *indices: int) -> list[int]:
    return [utf16_index(text, index) for index in indices]


EXTRACT: Final[dict[str, Callable[[str], Any]]] = {
    "mentions": lambda text: [each.name for each in entities(text).mentions],
    "mentions_with_indices": lambda text: [
        {name: value for name, value in each.items() if name != "list_slug"} for each in mentions_or_lists(text)
    ],
    "mentions_or_lists_with_indices": mentions_or_lists,
    "replies": replied_to,
    "urls": urls,
    "urls_with_indices": lambda text: [
        {"url": each.url, "indices": at(text, each.start, each.end)} for each in entities(text).urls
    ],
    "urls_with_directional_markers": lambda text: [
        {"url": each.url, "indices": at(text, each.start, each.end)} for each in entities(text).urls
    ],
    "tco_urls_with_params": urls,
    "hashtags": hashtags,
    "hashtags_from_astral": hashtags,
    "hashtags_with_indices": lambda text: [
        {"hashtag": each.name, "indices": at(text, each.start, each.end)} for each in entities(text).hashtags
    ],
    "cashtags": lambda text: [each.symbol for each in entities(text).cashtags],
    "cashtags_with_indices": lambda text: [
        {"cashtag": each.symbol, "indices": at(text, each.start, each.end)} for each in entities(text).cashtags
    ],
}
VALIDATE: Final[dict[str, Callable[[str], bool]]] = {
    "usernames": is_username,
    "lists": is_list,
    "hashtags": is_hashtag,
    "urls": is_url,
    "urls_without_protocol": lambda text: is_url(text, protocol=False),
}
COUNTERS: Final = (
    "WeightedTweetsCounterTest",
    "WeightedTweetsWithDiscountedEmojiCounterTest",
    "UnicodeDirectionalMarkerCounterTest",
)


@pytest.mark.parametrize(("section", "case"), cases("extract"))
def test_entities_are_found(section: str, case: Case) -> None:
    assert EXTRACT[section](case["text"]) == case["expected"]


@pytest.mark.parametrize(("section", "case"), cases("tlds"))
def test_top_level_domains_are_known(section: str, case: Case) -> None:
    assert urls(case["text"]) == case["expected"]


@pytest.mark.parametrize(("section", "case"), cases("validate", *VALIDATE))
def test_whole_strings_are_told_apart(section: str, case: Case) -> None:
    assert VALIDATE[section](case["text"]) is case["expected"]


@pytest.mark.parametrize(("section", "case"), cases("validate", *COUNTERS))
def test_posts_are_weighed(section: str, case: Case) -> None:
    """The first section is of the rules before 2018, without emoji. Their ranges end with the last one, in UTF-16."""
    text, emoji = case["text"], section != "WeightedTweetsCounterTest"
    found = parse(text, emoji=emoji)

    assert {
        "weightedLength": found.length,
        "valid": found.valid,
        "permillage": found.permillage,
        "displayRangeStart": found.display_range[0],
        "displayRangeEnd": utf16_index(text, found.display_range[1]) - 1,
        "validRangeStart": found.valid_range[0],
        "validRangeEnd": utf16_index(text, found.valid_range[1]) - 1,
    } == case["expected"]
    assert weighted_length(text, emoji=emoji) == found.length


@pytest.mark.parametrize(("section", "case"), cases("validate", "tweets"))
def test_what_was_valid_once_is_valid(section: str, case: Case) -> None:
    """Of the time when 140 characters were the limit, and none weighed 2; Latin letters weigh 1 ever since."""
    text = case["text"]
    limit = 140 if max(text) < "\u1100" else 2 * 140

    assert parse(text, limit=limit).valid is case["expected"]


def test_the_weights_are_those_of_the_configuration() -> None:
    """What NFC makes something else of is weighed as that, and so it is left out."""
    config = json.loads((CASES / "config-v3.json").read_text("utf-8"))
    ranges = [range(each["start"], each["end"] + 1) for each in config["ranges"] if each["weight"] == config["scale"]]
    light = {chr(point) for points in ranges for point in points}
    stable = [each for each in map(chr, range(0x110000)) if is_normalized("NFC", each)]

    assert config["maxWeightedTweetLength"] == LONGEST
    assert weighted_length("example.com") == config["transformedURLLength"]
    assert [each for each in stable if weighted_length(each) != (1 if each in light else 2)] == []
