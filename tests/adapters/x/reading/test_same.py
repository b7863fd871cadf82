"""The same thing is the same event, whether polling, a webhook or the stream tells of it."""

from __future__ import annotations

import json
from typing import Any

from convergekit.adapters.x.reading import activity, directs, posts
from convergekit.model import Event
from tests.adapters.x.reading.samples import (
    ANN,
    LABEL,
    NOW,
    OWN,
    PARENT,
    SHE,
    US,
    direct,
    direct_by_webhook,
    envelope,
    mention,
    page,
    received,
)


def told(body: Any) -> list[Event]:
    return list(activity(json.dumps(body).encode(), own=OWN, now=NOW))


def test_a_post_is_the_same_by_poll_and_by_webhook() -> None:
    shown = {
        "users": [{**SHE, "affiliation": LABEL}, US],
        "tweets": [{"id": PARENT, "author_id": OWN, "text": "We are open."}],
        "media": [{"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/a.jpg"}],
    }
    references = [{"type": "replied_to", "id": PARENT}]
    post = mention("@shop look", referenced_tweets=references, attachments={"media_keys": ["3_1"]})

    by_poll = list(posts({"data": [post], "includes": shown}, own=OWN, now=NOW))

    assert by_poll == told(envelope("post.mention.create", post, includes=shown))
    assert by_poll == told(envelope("post.reply.create", post, uuid="7", includes=shown))


def test_an_edited_post_is_the_same_by_poll_and_by_webhook() -> None:
    post = mention(edit_history_tweet_ids=[PARENT, mention()["id"]])
    shown = {"users": [SHE, US]}
    assert list(posts(page(post), own=OWN, now=NOW)) == told(envelope("post.mention.create", post, includes=shown))


def test_a_direct_message_is_the_same_by_poll_and_by_webhook() -> None:
    """But for the original, which is what X sent, and comes in two shapes."""
    (by_poll,) = directs(page(direct("a &amp; b")), own=OWN, now=NOW)
    (by_webhook,) = told(received(direct_by_webhook("a &amp; b")))

    without = {"native": None}
    assert by_poll.model_copy(update=without) == by_webhook.model_copy(update=without)
    assert by_poll.sender is not None
    assert by_poll.sender.uri == f"x:{ANN}"
