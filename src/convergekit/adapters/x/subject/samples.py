"""What X tells by webhook, in the shapes that its documents show, and what it stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from convergekit.model import (
    Address,
    AuthorisationRevoked,
    ConversationKind,
    ConversationRef,
    CustomReceived,
    Event,
    MessageReceived,
    MessageRetracted,
)
from convergekit.testing.adapter import Call, Sample

__all__ = ["ANN", "BOB", "OTHER", "US", "samples"]

US: Final = "1111111111111111111"
ANN: Final = "2222222222222222222"
BOB: Final = "3333333333333333333"
OTHER: Final = "4444444444444444444"

_ROOT, _POST, _DIRECT = "1948494228485046276", "1948494241067958275", "1948494330708623366"
_USERS: Final = {
    ANN: {"data": {"id": ANN, "username": "ann", "name": "Ann"}},
    US: {"data": {"id": US, "username": "support", "name": "Support"}},
}
_ADDRESS: Final = Address(f"x:{ANN}", display_name="@ann")


def _told(event_type: str, payload: Mapping[str, Any], **more: Any) -> Call:
    data = {"event_uuid": "-6850472171600526495", "filter": {"user_id": US}, "event_type": event_type, "tag": "t"}
    body = json.dumps({"data": {**data, "payload": payload, **more}}).encode()
    return Call(body, {"content-type": "application/json"})


_MENTION: Final[Mapping[str, Any]] = {
    "id": _POST,
    "author_id": ANN,
    "conversation_id": _ROOT,
    "created_at": "2025-07-24T21:23:23.000Z",
    "text": "@support is it &lt;late&gt;?",
    "edit_history_tweet_ids": [_POST],
    "referenced_tweets": [{"type": "replied_to", "id": _ROOT}],
    "entities": {"mentions": [{"start": 0, "end": 8, "username": "support", "id": US}]},
}
_MESSAGE: Final[Mapping[str, Any]] = {
    "type": "message_create",
    "id": _DIRECT,
    "created_timestamp": "1753392224372",
    "message_create": {
        "target": {"recipient_id": US},
        "sender_id": ANN,
        "message_data": {"text": "Hello.", "entities": {"urls": [], "user_mentions": []}},
    },
}


def samples() -> Sequence[Sample]:
    """A public mention, a direct message, an encrypted one, a deletion, an end of permission, and news of X' own."""
    return (
        _sample("a mention, in a thread", _told("post.mention.create", _MENTION, includes=_includes()), _mentioned()),
        _sample(
            "a direct message, in the shape of API 1.1",
            _told("dm.received", {"direct_message_events": [_MESSAGE], "users": _USERS}),
            MessageReceived(
                key=f"dm:{_DIRECT}",
                message_id=_DIRECT,
                sender=_ADDRESS,
                conversation=ConversationRef(address=Address(f"x:{ANN}")),
                at="2025-07-24T21:23:44.372Z",
                text="Hello.",
            ),
        ),
        _sample(
            "an encrypted message, which cannot be read here",
            _told("chat.received", {"id": "9", "sender_id": ANN, "conversation_id": f"{US}:{ANN}"}),
            MessageReceived(key="chat:9", message_id="9", sender=Address(f"x:{ANN}"), text=None),
        ),
        _sample(
            "a post that was deleted",
            _told("post.delete", {"id": _POST, "author_id": ANN}),
            MessageRetracted(key=f"delete:{_POST}", target=_POST),
        ),
        _sample(
            "a permission that was taken back",
            _told("oauth.revoke", {"date_time": "2025-07-24T21:23:44+00:00", "user_id": US, "app_id": "7"}),
            AuthorisationRevoked(account=US, at=datetime(2025, 7, 24, 21, 23, 44, tzinfo=UTC)),
        ),
        _sample(
            "something that X has just invented",
            _told("profile.update.bio", {"before": "a", "after": "b"}),
            CustomReceived(name="x.profile.update.bio"),
        ),
    )


def _sample(name: str, said: Call, event: Event) -> Sample:
    return Sample(name, said, [event])


def _includes() -> Mapping[str, Any]:
    return {"users": [each["data"] for each in _USERS.values()]}


def _mentioned() -> MessageReceived:
    return MessageReceived(
        key=f"post:{_POST}",
        message_id=_POST,
        reply_to=_ROOT,
        thread=_ROOT,
        sender=_ADDRESS,
        conversation=ConversationRef(address=Address(f"x:{ANN}"), kind=ConversationKind.PUBLIC, thread=_ROOT),
        at="2025-07-24T21:23:23Z",
        text="@support is it <late>?",
    )
