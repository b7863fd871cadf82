"""A post as X is told it."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x.outbound import posts
from convergekit.adapters.x.outbound.native import XNative, native_of
from convergekit.errors import UnsupportedContentError

POLL = {"options": ["yes", "no"], "minutes": 60}


@pytest.mark.parametrize(
    ("native", "body"),
    [
        ({}, {}),
        ({"poll": POLL}, {"poll": {"options": ["yes", "no"], "duration_minutes": 60}}),
        ({"quote_post_id": "9"}, {"quote_tweet_id": "9"}),
        ({"reply_settings": "following"}, {"reply_settings": "following"}),
        ({"made_with_ai": True}, {"made_with_ai": True}),
        ({"paid_partnership": True}, {"paid_partnership": True}),
        ({"community_id": "5", "share_with_followers": True}, {"community_id": "5", "share_with_followers": True}),
        ({"card_uri": "card://1"}, {"card_uri": "card://1"}),
        ({"direct_message_deep_link": "https://x.com/m"}, {"direct_message_deep_link": "https://x.com/m"}),
        ({"hand_over": True}, {"direct_message_deep_link": "https://x.com/own"}),
    ],
)
def test_what_only_x_knows_has_its_place_in_the_body(native: Any, body: dict[str, Any]) -> None:
    assert posts.body("hi", native_of(native), link="https://x.com/own") == {"text": "hi", **body}


def test_an_answer_names_its_post_and_whom_it_does_not_address() -> None:
    native = XNative(exclude_reply_user_ids=("3",))

    assert posts.body("hi", native, parent="9")["reply"] == {
        "in_reply_to_tweet_id": "9",
        "exclude_reply_user_ids": ["3"],
    }


def test_files_and_who_is_shown_on_them() -> None:
    native = XNative(tagged_user_ids=("3",))

    assert posts.body("", native, media=("1", "2")) == {"media": {"media_ids": ["1", "2"], "tagged_user_ids": ["3"]}}


def test_in_a_thread_the_first_post_has_what_there_is_one_of_and_the_last_has_the_link() -> None:
    native = native_of({"poll": POLL, "made_with_ai": True, "hand_over": True})
    first = posts.body("1", native, link="https://x.com/own", last=False)
    last = posts.body("2", native, link="https://x.com/own", first=False)

    assert first.keys() == {"text", "poll", "made_with_ai"}
    assert last.keys() == {"text", "made_with_ai", "direct_message_deep_link"}


@pytest.mark.parametrize(
    ("native", "field"),
    [
        ({"unknown": 1}, "unknown"),
        ({"poll": {"options": ["yes"], "minutes": 60}}, "poll.options"),
        ({"poll": {"options": ["yes"] * 5, "minutes": 60}}, "poll.options"),
        ({"poll": {"options": ["yes", "x" * 26], "minutes": 60}}, "poll.options.1"),
        ({"poll": {"options": ["yes", ""], "minutes": 60}}, "poll.options.1"),
        ({"poll": {"options": ["yes", "no"], "minutes": 4}}, "poll.minutes"),
        ({"poll": {"options": ["yes", "no"], "minutes": 10_081}}, "poll.minutes"),
        ({"poll": POLL, "quote_post_id": "9"}, "exclude each other"),
        ({"card_uri": "c", "quote_post_id": "9"}, "exclude each other"),
        ({"quote_post_id": "nine"}, "quote_post_id"),
        ({"reply_settings": "everyone"}, "reply_settings"),
        ({"hand_over": True, "direct_message_deep_link": "https://x.com/m"}, "hand_over"),
        ({"direct_message_deep_link": "javascript:alert(1)"}, "direct_message_deep_link"),
        ({"share_with_followers": True}, "share_with_followers"),
        ("text", "native of x"),
    ],
)
def test_what_x_would_refuse_or_not_understand_is_refused_and_named(native: Any, field: str) -> None:
    with pytest.raises(UnsupportedContentError, match=field.replace(".", r"\.")):
        native_of(native)


def test_a_refusal_does_not_show_what_was_written() -> None:
    with pytest.raises(UnsupportedContentError) as caught:
        native_of({"poll": {"options": ["yes", "secret" * 10], "minutes": 60}})

    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("native", "attachments", "parent"),
    [
        ({"poll": POLL}, 1, None),
        ({"quote_post_id": "9"}, 1, None),
        ({"card_uri": "c"}, 1, None),
        ({"tagged_user_ids": ["3"]}, 0, None),
        ({"exclude_reply_user_ids": ["3"]}, 0, None),
        ({"hand_over": True}, 0, None),
    ],
)
def test_what_does_not_go_together_is_refused(native: Any, attachments: int, parent: str | None) -> None:
    with pytest.raises(UnsupportedContentError):
        posts.check(native_of(native), attachments=attachments, parent=parent)


def test_the_usual_post_is_one_that_tweepy_knows() -> None:
    said = posts.body("hi", native_of({"poll": POLL, "reply_settings": "following"}), parent="9")

    assert posts.arguments(said) == {
        "text": "hi",
        "in_reply_to_tweet_id": "9",
        "poll_options": ["yes", "no"],
        "poll_duration_minutes": 60,
        "reply_settings": "following",
    }
    assert posts.arguments({**said, "made_with_ai": True}) is None


def test_tweepy_makes_the_same_body_of_its_arguments() -> None:
    """What we say, and what tweepy says for us, is one thing: else a field would depend on which way it goes."""
    tweepy = pytest.importorskip("tweepy")
    native = native_of({"reply_settings": "following", "exclude_reply_user_ids": ["3"], "tagged_user_ids": ["4"]})
    said = posts.body("hi", native, parent="9", media=("1",))
    asked: list[Any] = []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tweepy.Client, "_make_request", lambda self, method, route, json, user_auth: asked.append(json))
        tweepy.Client().create_tweet(**(posts.arguments(said) or {}))

    assert asked == [said]
