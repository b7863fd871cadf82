"""The benchmark of X runs, says what it promises to say, and compares what is the same."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from bench.x import X
from tests.bench.running import figures

#: What each part has beside it; the tests have tweepy, and the rest is in the environment of the benchmarks.
PEERS = {"calls": "tweepy", "texts": "twitter_text", "imports": "convergekit"}


def test_each_part_runs_and_says_what_it_found() -> None:
    assert figures(*(f"x.{part}" for part in X if find_spec(PEERS[part]) is not None))


def test_both_sides_make_the_same_of_each_text() -> None:
    peer = pytest.importorskip("twitter_text", reason="`make bench` has it")
    from bench.x.texts import TEXTS
    from convergekit.content.twitter_text import entities, parse

    for text in TEXTS.values():
        theirs = peer.parse_tweet(text)
        assert parse(text).length == theirs.weightedLength
        assert 260 <= parse(text).length <= 275
        assert [url.url for url in entities(text).urls] == peer.extract_urls(text)
