"""A post as X is told it. Pure.

`body` is the body of POST /2/tweets; `arguments` is the same as tweepy's `create_tweet` takes it, where it knows all of
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from convergekit.errors import UnsupportedContentError
from convergekit.model import FailureKind

from .native import XNative

__all__ = ["arguments", "body", "check", "check_text"]

_DOLLARS: Final = "$\uff04"

#: Where a field stands in the body, and what tweepy 4.17 calls it. What is not listed it does not know.
_TWEEPY: Final[Mapping[str, str]] = {
    "text": "text",
    "reply.in_reply_to_tweet_id": "in_reply_to_tweet_id",
    "reply.exclude_reply_user_ids": "exclude_reply_user_ids",
    "media.media_ids": "media_ids",
    "media.tagged_user_ids": "media_tagged_user_ids",
    "poll.options": "poll_options",
    "poll.duration_minutes": "poll_duration_minutes",
    "quote_tweet_id": "quote_tweet_id",
    "reply_settings": "reply_settings",
    "direct_message_deep_link": "direct_message_deep_link",
}


def check(native: XNative, *, attachments: int, parent: str | None) -> None:
    """Raise `UnsupportedContentError` where what was asked for does not go together, before anything is sent."""
    if native.excludes_attachments and attachments:
        raise _refused("a post with a poll, a quoted post or a card has no attachments")
    if native.tagged_user_ids and not attachments:
        raise _refused("native of x: tagged_user_ids: there is no photo on which somebody could be shown")
    if native.exclude_reply_user_ids and parent is None:
        raise _refused("native of x: exclude_reply_user_ids: it answers nobody")
    if native.hand_over and parent is None:
        raise _refused("native of x: hand_over: it answers nobody who could be invited")


def check_text(text: str) -> None:
    """Raise `UnsupportedContentError` where accounts of self-serve may not post *text*: with more than one cashtag."""
    if sum(map(text.count, _DOLLARS)) < 2:
        return
    from convergekit.content.twitter_text import entities  # nearly no post comes so far

    if len(entities(text).cashtags) > 1:
        raise _refused('X takes one cashtag ($ABC) in a post, of all accounts but those that say replies = "any"')


def body(
    text: str,
    native: XNative,
    *,
    parent: str | None = None,
    media: Sequence[str] = (),
    link: str | None = None,
    first: bool = True,
    last: bool = True,
) -> dict[str, Any]:
    """What is posted.

    Args:
        text: Of this part.
        native: What only X knows.
        parent: The post that it answers.
        media: Ids of what was uploaded.
        link: Into a direct message with us, for a hand-over.
        first: Whether it is the first part of its message.
        last: Whether it is the last one.
    """
    said: dict[str, Any] = {"text": text} if text else {}
    if parent is not None:
        left_out = {"exclude_reply_user_ids": list(native.exclude_reply_user_ids)}
        said["reply"] = {"in_reply_to_tweet_id": parent, **(left_out if native.exclude_reply_user_ids else {})}
    if media:
        shown = {"tagged_user_ids": list(native.tagged_user_ids)}
        said["media"] = {"media_ids": list(media), **(shown if native.tagged_user_ids else {})}
    said |= {name: True for name in ("made_with_ai", "paid_partnership") if getattr(native, name)}
    if first:
        said |= _of_the_first(native)
    if last and (deep := link if native.hand_over else native.direct_message_deep_link) is not None:
        said["direct_message_deep_link"] = deep
    return said


def _of_the_first(native: XNative) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if native.poll is not None:
        said["poll"] = {"options": list(native.poll.options), "duration_minutes": native.poll.minutes}
    if native.quote_post_id is not None:
        said["quote_tweet_id"] = native.quote_post_id
    for name in ("reply_settings", "community_id", "card_uri"):
        if (value := getattr(native, name)) is not None:
            said[name] = value
    if native.share_with_followers:
        said["share_with_followers"] = True
    return said


def arguments(said: Mapping[str, Any]) -> dict[str, Any] | None:
    """*said* as tweepy's `create_tweet` is called; None where it has no name for something in it."""
    flat = dict(_leaves(said))
    return {_TWEEPY[path]: value for path, value in flat.items()} if flat.keys() <= _TWEEPY.keys() else None


def _leaves(said: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _refused(reason: str) -> UnsupportedContentError:
    return UnsupportedContentError(reason, kind=FailureKind.CONTENT)
