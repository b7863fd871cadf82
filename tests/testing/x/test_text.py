"""What a text weighs, and what is in it, at the server that plays X: of its own, so that ours is held against it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from convergekit.testing.x._text import entities, links, mentions, shortened, weight

CASES = Path(__file__).parents[3].parent / "shared" / "conformance" / "twitter-text" / "validate.yml"
#: Cases of addresses that are none since a part of them is too long: nobody here looks so closely.
TOO_CLOSE = ("invalid domain labels", "punycode encoded")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://example.org/a?b=c, or not", ["https://example.org/a?b=c"]),
        ("(example.com/x) and www.example.de.", ["example.com/x", "www.example.de"]),
        ("ann@example.org, 1.2.3, a.b, @example.com", []),
        ("見るhttps://example.org/見る です", ["https://example.org/見る"]),
    ],
)
def test_links_are_found_with_and_without_a_scheme(text: str, found: list[str]) -> None:
    assert links(text) == found


def test_what_is_in_a_text_stands_where_the_entities_say() -> None:
    text = "@Ann & #tag $CASH example.org/a <b> https://example.org/b"
    shown = shortened(text)
    found = entities(text, shown, {"Ann": "1"}.get)
    said = {kind: [shown[each["start"] : each["end"]] for each in some] for kind, some in found.items()}
    assert said["mentions"] == ["@Ann"]
    assert (said["hashtags"], said["cashtags"]) == (["#tag"], ["$CASH"])
    assert said["urls"] == [each["url"] for each in found["urls"]]
    assert [each["expanded_url"] for each in found["urls"]] == ["http://example.org/a", "https://example.org/b"]
    assert "&amp;" in shown
    assert mentions("@Ann mail@example.org @bob/list") == ("ann", "bob")


@pytest.mark.skipif(not CASES.is_file(), reason="the cases of twitter-text lie beside this project, not in it")
def test_it_weighs_what_twitter_text_says() -> None:
    groups: dict[str, list[dict[str, Any]]] = yaml.safe_load(CASES.read_text("utf-8"))["tests"]
    names = ("WeightedTweetsWithDiscountedEmojiCounterTest", "UnicodeDirectionalMarkerCounterTest")
    cases = [each for name in names for each in groups[name]]
    cases = [each for each in cases if not any(words in each["description"] for words in TOO_CLOSE)]
    assert len(cases) >= 10
    assert {each["text"]: weight(each["text"]) for each in cases} == {
        each["text"]: each["expected"]["weightedLength"] for each in cases
    }
