"""What X is asked for, and what it calls things."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x.reading import Dialect, direct_fields, fields
from convergekit.adapters.x.reading.names import renamed

BESIDE = {"expansions", "user.fields", "media.fields"}


@pytest.mark.parametrize(("dialect", "own"), [("tweet", "tweet.fields"), ("post", "post.fields")])
def test_all_that_belongs_to_a_post_is_asked_for(dialect: Dialect, own: str) -> None:
    asked = fields(dialect)
    assert asked.keys() == BESIDE | {own, "poll.fields"}
    assert {"author_id", "attachments.media_keys", "attachments.poll_ids"} <= set(asked["expansions"].split(","))
    assert {"affiliation", "username"} <= set(asked["user.fields"].split(","))
    assert {"alt_text", "variants", "url"} <= set(asked["media.fields"].split(","))
    assert {"end_datetime", "options", "voting_status"} <= set(asked["poll.fields"].split(","))


@pytest.mark.parametrize("dialect", ["tweet", "post"])
def test_all_that_belongs_to_a_direct_message_is_asked_for(dialect: Dialect) -> None:
    asked = direct_fields(dialect)
    assert asked.keys() == BESIDE | {"dm_event.fields"}
    assert set(asked["expansions"].split(",")) == {"attachments.media_keys", "sender_id"}


def test_each_dialect_is_asked_in_its_own_names() -> None:
    """Of the newer one no older name is asked for, which it would refuse, and the other way round."""
    older, newer = (" ".join(f"{name} {value}" for name, value in fields(each).items()) for each in ("tweet", "post"))
    assert "tweet" not in newer
    assert "post" not in older


def test_what_cannot_be_changed_by_anybody() -> None:
    asked: Any = fields("tweet")
    with pytest.raises(TypeError):
        asked["expansions"] = ""


def test_an_item_with_newer_names_is_itself() -> None:
    item = {"id": "1", "referenced_posts": []}
    assert renamed(item) is item


def test_older_names_become_newer_ones_and_others_stay() -> None:
    assert renamed({"id": "1", "note_tweet": 2, "edit_history_tweet_ids": 3}) == {
        "id": "1",
        "note_post": 2,
        "edit_history_post_ids": 3,
    }
