"""The shapes of API 1.1, which webhooks still use, brought into those of API 2. Pure tables and small steps.

Nothing is judged here: what makes no sense is handed on as it is, and found by whoever reads the newer shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import first_of, mapping, sequence, words

__all__ = ["direct_of", "post_of"]


def direct_of(raw: Any) -> tuple[Any, dict[str, Any]]:
    """A direct message of API 1.1, and what goes with it, as API 2 has them; as it is where it is of API 2."""
    event = mapping(raw)
    if "message_create" not in event:
        return raw, {}
    created = mapping(event["message_create"])
    said = mapping(created.get("message_data"))
    files = [mapping(mapping(said.get("attachment")).get("media"))]
    media = [_media(each) for each in files if each]
    links = [*sequence(mapping(said.get("entities")).get("urls")), *_links_to(files)]
    item = {
        "id": event.get("id"),
        "event_type": "MessageCreate",
        "created_at": event.get("created_timestamp"),
        "sender_id": created.get("sender_id"),
        "recipient_id": mapping(created.get("target")).get("recipient_id"),
        "text": said.get("text"),
        "entities": {"urls": links},
        "attachments": {"media_keys": [each["media_key"] for each in media]},
    }
    return item, {"media": media}


def post_of(raw: Any) -> tuple[Any, dict[str, Any]]:
    """A status of API 1.1, and what goes with it, as API 2 has them; as it is where it is of API 2."""
    status = mapping(raw)
    if "user" not in status:
        return raw, {}
    others = [mapping(status.get(name)) for name in ("quoted_status", "retweeted_status")]
    shown = [_post(each) for each in others if each]
    files = [media for each in (status, *others) for media in _files(each)]
    users = [mapping(each.get("user")) for each in (status, *others) if each]
    return _post(status), {"users": users, "posts": shown, "media": [_media(each) for each in files]}


def _post(status: Mapping[str, Any]) -> dict[str, Any]:
    longer = mapping(status.get("extended_tweet"))
    files = _files(status)
    entities = mapping(first_of(longer, "entities") or status.get("entities"))
    history = sequence(mapping(status.get("edit_history")).get("edit_tweet_ids"))
    return {
        "id": first_of(status, "id_str", "id"),
        "author_id": first_of(mapping(status.get("user")), "id_str", "id"),
        "text": first_of(longer, "full_text") or first_of(status, "full_text", "text"),
        "display_text_range": first_of(longer, "display_text_range") or status.get("display_text_range"),
        "created_at": status.get("timestamp_ms"),
        "lang": status.get("lang"),
        "possibly_sensitive": status.get("possibly_sensitive"),
        "in_reply_to_user_id": first_of(status, "in_reply_to_user_id_str", "in_reply_to_user_id"),
        "referenced_posts": _references(status),
        "edit_history_post_ids": history,
        "entities": {
            "urls": [*sequence(entities.get("urls")), *_links_to(files)],
            "mentions": [_mention(mapping(each)) for each in sequence(entities.get("user_mentions"))],
        },
        "attachments": {"media_keys": [_media(each)["media_key"] for each in files]},
    }


def _references(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    answered = first_of(status, "in_reply_to_status_id_str", "in_reply_to_status_id")
    quoted = first_of(status, "quoted_status_id_str", "quoted_status_id")
    reposted = first_of(mapping(status.get("retweeted_status")), "id_str", "id")
    named = {"replied_to": answered, "quoted": quoted, "retweeted": reposted}
    return [{"type": kind, "id": id} for kind, id in named.items() if id is not None]


def _mention(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": first_of(raw, "id_str", "id"), "username": raw.get("screen_name")}


def _files(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    longer = mapping(status.get("extended_tweet"))
    places = (longer.get("extended_entities"), status.get("extended_entities"), status.get("entities"))
    named = (sequence(mapping(place).get("media")) for place in places)
    return [mapping(each) for each in next(filter(None, named), ())][:20]


def _links_to(files: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The links in the text that stand for files, marked as API 2 marks them."""
    return [
        {"url": each.get("url"), "expanded_url": each.get("expanded_url"), "media_key": "file"}
        for each in files
        if each.get("url") is not None
    ]


def _media(raw: Mapping[str, Any]) -> dict[str, Any]:
    video = mapping(raw.get("video_info"))
    return {
        "media_key": f"1.1_{words(str(first_of(raw, 'id_str', 'id')))}",
        "type": raw.get("type"),
        "url": first_of(raw, "media_url_https", "media_url"),
        "alt_text": raw.get("ext_alt_text"),
        "duration_ms": video.get("duration_millis"),
        "variants": sequence(video.get("variants")),
    }
