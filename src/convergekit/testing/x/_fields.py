"""Which fields and expansions may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EXPANSIONS", "FIELDS", "words"]


def words(text: str) -> frozenset[str]:
    """The words of *text*."""
    return frozenset(text.split())


#: Fields and expansions by kind, in the names before 2.167; those that 2.167 has besides stand behind.
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "tweet.fields": words(
        "article attachments author_id card_uri community_id context_annotations conversation_id created_at"
        " display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang"
        " media_metadata non_public_metrics note_tweet organic_metrics possibly_sensitive promoted_metrics"
        " public_metrics referenced_tweets reply_settings scopes source suggested_source_links"
        " suggested_source_links_with_counts text withheld"
        " article_title matched_media_notes note_request_suggestions paid_partnership"
    ),
    "user.fields": words(
        "affiliation confirmed_email connection_status created_at description entities id is_identity_verified"
        " location most_recent_tweet_id name parody pinned_tweet_id profile_banner_url profile_image_url protected"
        " public_metrics receives_your_dm subscription subscription_type url username verified"
        " verified_followers_count verified_type withheld subscribes_to_you"
    ),
    "dm_event.fields": words(
        "attachments created_at dm_conversation_id entities event_type id participant_ids referenced_tweets"
        " sender_id text"
    ),
    "media.fields": words(
        "alt_text duration_ms height media_key non_public_metrics organic_metrics preview_image_url promoted_metrics"
        " public_metrics type url variants width"
    ),
    "poll.fields": frozenset({"duration_minutes", "end_datetime", "id", "options", "voting_status"}),
    "place.fields": words("contained_within country country_code full_name geo id name place_type"),
}
EXPANSIONS: Final = words(
    "article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet"
    " attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username geo.place_id"
    " in_reply_to_user_id entities.note.mentions.username referenced_tweets.id"
    " referenced_tweets.id.attachments.media_keys referenced_tweets.id.author_id"
    " sender_id participant_ids affiliation.user_id most_recent_tweet_id pinned_tweet_id affiliation username"
)
