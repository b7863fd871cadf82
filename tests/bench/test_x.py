"""The benchmark of X runs, says what it promises to say, and compares what is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.x import X

ROOT = Path(__file__).parents[2]
#: What each part has beside it; the tests have tweepy, and the rest is in the environment of the benchmarks.
PEERS = {"calls": "tweepy", "texts": "twitter_text", "imports": "convergekit"}


@pytest.mark.parametrize("part", X)
def test_each_part_runs_and_says_what_it_found(part: str) -> None:
    if find_spec(PEERS[part]) is None:
        pytest.skip(f"{PEERS[part]} is not here; `make bench` has it")
    run = [sys.executable, "-m", "bench", "--quick", "--json", f"x.{part}"]

    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.stderr == ""
    assert done.returncode in {0, 1}  # quick figures may miss a goal
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines
    assert all(line["ok"] in {True, False} for line in lines if line["goal"] != "-")


def test_both_sides_make_the_same_of_each_text() -> None:
    peer = pytest.importorskip("twitter_text", reason="`make bench` has it")
    from bench.x.texts import TEXTS
    from convergekit.content.twitter_text import entities, parse

    for text in TEXTS.values():
        theirs = peer.parse_tweet(text)
        assert parse(text).length == theirs.weightedLength
        assert 260 <= parse(text).length <= 275
        assert [url.url for url in entities(text).urls] == peer.extract_urls(text)
