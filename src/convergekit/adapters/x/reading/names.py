"""What X calls things: the two sets of names of 2026, and what has to be asked for. Pure tables.

API 2.167 renamed fields. Both are read, whatever was asked for; inside, things have their newer names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

__all__ = ["Dialect", "direct_fields", "fields", "renamed"]

Dialect: TypeAlias = Literal["tweet", "post"]

#: Older name: newer name.
_NEWER: Final[Mapping[str, str]] = {
    "referenced_tweets": "referenced_posts",
    "edit_history_tweet_ids": "edit_history_post_ids",
    "note_tweet": "note_post",
    "tweets": "posts",
    "in_reply_to_tweet_id": "in_reply_to_post_id",
}

_USER: Final = "affiliation,id,name,username,verified,verified_type"
_MEDIA: Final = "alt_text,duration_ms,media_key,preview_image_url,type,url,variants"
_POST: Final = (
    "attachments,author_id,conversation_id,created_at,display_text_range,edit_history_tweet_ids,entities,id,"
    "in_reply_to_user_id,lang,note_tweet,possibly_sensitive,referenced_tweets,reply_settings,text"
)
#: Without what has become an expansion.
_NEWER_POST: Final = (
    "attachments,conversation_id,created_at,display_text_range,edit_history_post_ids,entities,id,lang,note_post,"
    "possibly_sensitive,reply_settings,text"
)
_DIRECT: Final = "attachments,created_at,dm_conversation_id,entities,event_type,id,participant_ids,sender_id,text"

#: What is shown beside them.
_BESIDE: Final = {"user.fields": _USER, "media.fields": _MEDIA}
_WITH_POLLS: Final = {**_BESIDE, "poll.fields": "end_datetime,id,options,voting_status"}
_EXPANDED: Final = "attachments.media_keys,attachments.poll_ids,author_id"
_DIRECT_EXPANDED: Final = "attachments.media_keys,sender_id"

_FIELDS: Final[Mapping[Dialect, Mapping[str, str]]] = {
    "tweet": MappingProxyType(
        {"tweet.fields": _POST, "expansions": f"{_EXPANDED},referenced_tweets.id", **_WITH_POLLS}
    ),
    "post": MappingProxyType(
        {"post.fields": _NEWER_POST, "expansions": f"{_EXPANDED},referenced_posts", **_WITH_POLLS}
    ),
}
_DIRECT_FIELDS: Final[Mapping[Dialect, Mapping[str, str]]] = {
    "tweet": MappingProxyType(
        {"dm_event.fields": f"{_DIRECT},referenced_tweets", "expansions": _DIRECT_EXPANDED, **_BESIDE}
    ),
    "post": MappingProxyType({"dm_event.fields": _DIRECT, "expansions": _DIRECT_EXPANDED, **_BESIDE}),
}


def fields(dialect: Dialect) -> Mapping[str, str]:
    """Query parameters with which X tells all of a post that is read here. What is not asked for is not paid for."""
    return _FIELDS[dialect]


def direct_fields(dialect: Dialect) -> Mapping[str, str]:
    """Query parameters with which X tells all of a direct message's event that is read here."""
    return _DIRECT_FIELDS[dialect]


def renamed(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """*item* with newer names in place of older ones."""
    if item.keys().isdisjoint(_NEWER):
        return item
    return {_NEWER.get(name, name): value for name, value in item.items()}
