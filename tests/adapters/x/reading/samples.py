"""What X sends, in the shapes that its documents and its API's description show; people, ids and words are ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 7, 25, tzinfo=UTC)
OWN, ANN, BOB = "1111111111111111111", "2222222222222222222", "3333333333333333333"
ROOT, PARENT, POST = "2080761390344937796", "2080763000000000000", "2080765813578191303"
DIRECT, GROUP = "2080765901528535096", "1578398451921985538"

US = {"id": OWN, "username": "shop", "name": "The Shop", "verified": True, "verified_type": "business"}
SHE = {"id": ANN, "username": "Ann_Lee", "name": "Ann", "verified": False, "verified_type": "none"}
HE = {"id": BOB, "username": "bob", "name": "Bob"}
#: The label of X for accounts that a program runs: unlike a company's it leads nowhere.
LABEL = {"description": "Automated", "badge_url": "https://pbs.twimg.com/semantic_core_img/1/label?format=png"}


def mention(text: str = "hey @shop", **more: Any) -> dict[str, Any]:
    """A post of Ann's that mentions us."""
    return {
        "id": POST,
        "author_id": ANN,
        "conversation_id": POST,
        "created_at": "2026-07-24T21:23:23.000Z",
        "text": text,
        "lang": "en",
        "reply_settings": "everyone",
        "possibly_sensitive": False,
        "edit_history_tweet_ids": [POST],
        "entities": {"mentions": [{"start": 4, "end": 9, "username": "shop", "id": OWN}]},
        **more,
    }


def page(*items: Any, **includes: Any) -> dict[str, Any]:
    """An answer with *items*, and Ann and us beside."""
    return {
        "data": list(items),
        "includes": {"users": [SHE, US], **includes},
        "meta": {"result_count": len(items)},
    }


def envelope(event_type: str, payload: Any, uuid: str = "-6850472171600526495", **more: Any) -> dict[str, Any]:
    """What a webhook, or a line of the stream, tells of *payload*."""
    data = {"event_uuid": uuid, "filter": {"user_id": OWN}, "event_type": event_type, "tag": "t", "payload": payload}
    return {"data": {**data, **more}}


def direct(text: str = "hello!", **more: Any) -> dict[str, Any]:
    """A direct message of Ann's to us, as `/2/dm_events` tells it."""
    return {
        "id": DIRECT,
        "event_type": "MessageCreate",
        "text": text,
        "sender_id": ANN,
        "dm_conversation_id": f"{OWN}-{ANN}",
        "created_at": "2026-07-24T21:23:44.000Z",
        **more,
    }


def direct_by_webhook(text: str = "hello!", **data: Any) -> dict[str, Any]:
    """The same message in the shape of API 1.1, in which webhooks tell of it."""
    return {
        "type": "message_create",
        "id": DIRECT,
        "created_timestamp": "1784928224372",
        "message_create": {
            "target": {"recipient_id": OWN},
            "sender_id": ANN,
            "message_data": {"text": text, "entities": {"urls": [], "user_mentions": []}, **data},
        },
    }


def received(*messages: Any) -> dict[str, Any]:
    """A webhook's body that tells of direct *messages*."""
    users = {ANN: {"data": SHE}, OWN: {"data": US}}
    return envelope("dm.received", {"direct_message_events": list(messages), "users": users})
