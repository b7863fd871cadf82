"""What webhooks and the stream tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from convergekit.adapters.x import X
from convergekit.adapters.x.reading import activity
from convergekit.errors import InvalidInputError
from convergekit.model import (
    AuthorisationRevoked,
    ConversationKind,
    CustomReceived,
    Event,
    MessageReceived,
    MessageRetracted,
    ReceiptReceived,
    Status,
    TypingChanged,
)
from tests.adapters.x.reading.samples import (
    ANN,
    BOB,
    DIRECT,
    LABEL,
    NOW,
    OWN,
    PARENT,
    POST,
    SHE,
    US,
    direct,
    direct_by_webhook,
    envelope,
    mention,
    received,
)


def read(body: Any) -> list[Event]:
    return list(activity(json.dumps(body).encode(), own=OWN, now=NOW))


def one(body: Any) -> Event:
    (event,) = read(body)
    return event


def custom(body: Any) -> CustomReceived:
    event = one(body)
    assert isinstance(event, CustomReceived)
    return event


@pytest.mark.parametrize("kind", ["post.mention.create", "post.reply.create", "post.create", "post.quote.create"])
def test_a_post_is_a_message_whatever_it_is_told_as(kind: str) -> None:
    event = one(envelope(kind, mention(), includes={"users": [SHE, US]}))
    assert isinstance(event, MessageReceived)
    assert (event.key, event.text) == (f"post:{POST}", "hey @shop")
    assert event.sender is not None
    assert event.sender.display_name == "@Ann_Lee"


def test_a_quote_of_ours_is_known_by_what_it_is_told_as() -> None:
    payload = mention(entities={}, referenced_tweets=[{"type": "quoted", "id": PARENT}])
    told = X.of(one(envelope("post.quote.create", payload)))
    assert (told.kind_of_mention, told.summoned) == ("quote", True)


def test_a_direct_message_in_the_older_shape_is_a_message() -> None:
    event = one(received(direct_by_webhook()))
    assert isinstance(event, MessageReceived)
    assert (event.key, event.text, event.message_id) == (f"dm:{DIRECT}", "hello!", DIRECT)
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.address.uri) == (ConversationKind.DIRECT, f"x:{ANN}")
    assert X.of(event).handle == "Ann_Lee"


def test_who_wrote_is_known_by_the_place_at_which_they_are_shown() -> None:
    payload = {"direct_message_events": [direct_by_webhook()], "users": {ANN: {"data": {"username": "Ann_Lee"}}}}
    assert X.of(one(envelope("dm.received", payload))).handle == "Ann_Lee"


def test_a_direct_message_in_the_newer_shape_is_the_same_message() -> None:
    event = one(envelope("dm.received", direct()))
    assert isinstance(event, MessageReceived)
    assert (event.key, event.text) == (f"dm:{DIRECT}", "hello!")


def test_several_messages_of_one_call_are_all_read() -> None:
    other = {**direct_by_webhook("and?"), "id": "20"}
    assert [event.key for event in read(received(direct_by_webhook(), other))] == [f"dm:{DIRECT}", "dm:20"]


def test_a_broken_message_of_several_does_not_keep_the_others_from_being_read() -> None:
    told = read(received(direct_by_webhook(), {"type": "message_create", "message_create": {}}, None))
    assert [event.name if isinstance(event, CustomReceived) else event.key for event in told] == [
        f"dm:{DIRECT}",
        "x.unreadable",
        "x.unreadable",
    ]


def test_a_file_in_the_older_shape_is_an_attachment() -> None:
    media = {
        "id": 5,
        "id_str": "5",
        "type": "photo",
        "media_url_https": "https://ton.twitter.com/1.1/ton/data/dm/1/2/a.jpg",
        "url": "https://t.co/f",
        "expanded_url": "https://twitter.com/messages/media/1",
        "ext_alt_text": "A cup",
    }
    event = one(received(direct_by_webhook("look https://t.co/f", attachment={"type": "media", "media": media})))
    assert isinstance(event, MessageReceived)
    (file,) = event.attachments
    assert (event.text, file.url, file.description) == ("look", media["media_url_https"], "A cup")


def test_what_went_to_somebody_else_is_not_ours_to_answer() -> None:
    message = direct_by_webhook()
    message["message_create"]["target"] = {"recipient_id": BOB}
    assert custom(received(message)).name == "x.unreadable"


@pytest.mark.parametrize("kind", ["dm.sent", "chat.sent"])
def test_what_we_wrote_is_no_event(kind: str) -> None:
    assert read(envelope(kind, {"direct_message_events": [direct_by_webhook()]})) == []


def test_our_own_post_is_no_event() -> None:
    assert read(envelope("post.create", mention(author_id=OWN))) == []


def test_a_deleted_post_is_taken_back() -> None:
    event = one(envelope("post.delete", {"id": POST, "author_id": ANN}, includes={"users": [{"data": SHE}]}))
    assert isinstance(event, MessageRetracted)
    assert (event.key, event.target) == (f"delete:{POST}", POST)
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.address.uri) == (ConversationKind.PUBLIC, f"x:{ANN}")
    assert event.sender is not None
    assert event.sender.display_name == "@Ann_Lee"


def test_an_authorisation_that_is_taken_back_names_its_account() -> None:
    payload = {"date_time": "2026-07-23T21:44:05+00:00", "user_id": OWN, "app_id": "29820954"}
    event = one(envelope("oauth.revoke", payload, filter={}))
    assert isinstance(event, AuthorisationRevoked)
    assert (event.account, event.at) == (OWN, datetime(2026, 7, 23, 21, 44, 5, tzinfo=UTC))
    again = one(envelope("oauth.revoke", {**payload, "date_time": "2026-08-01T00:00:00+00:00"}, filter={}))
    assert again.key != event.key


def test_what_was_read_is_a_receipt() -> None:
    payload = {
        "direct_message_mark_read_events": [
            {
                "created_timestamp": "1784928300000",
                "sender_id": ANN,
                "target": {"recipient_id": OWN},
                "last_read_event_id": DIRECT,
            }
        ]
    }
    event = one(envelope("dm.read", payload))
    assert isinstance(event, ReceiptReceived)
    assert (event.receipt.status, event.receipt.ids) == (Status.READ, (DIRECT,))
    assert event.receipt.address is not None
    assert event.receipt.address.uri == f"x:{ANN}"
    assert event.key == f"read:{ANN}:{DIRECT}"
    assert event.conversation is not None
    assert event.conversation.address.uri == f"x:{ANN}"


def test_what_we_read_ourselves_is_no_receipt() -> None:
    payload = {"direct_message_mark_read_events": [{"sender_id": OWN, "last_read_event_id": DIRECT}]}
    assert read(envelope("dm.read", payload)) == []


@pytest.mark.parametrize("wrapped", [True, False])
def test_who_types_is_told_and_not_kept(wrapped: bool) -> None:
    item = {"created_timestamp": "1784928300000", "sender_id": ANN, "target": {"recipient_id": OWN}}
    event = one(envelope("dm.indicate_typing", {"direct_message_indicate_typing_events": [item]} if wrapped else item))
    assert isinstance(event, TypingChanged)
    assert (event.typing, event.key) == (True, "")
    assert event.at == datetime(2026, 7, 24, 21, 25, tzinfo=UTC)


def chat(**more: Any) -> dict[str, Any]:
    payload = {
        "id": "e4f4d3fc-8bbf-4928-92eb-e5058d6bb6f6",
        "created_at_msec": "1784841183370",
        "sender_id": ANN,
        "conversation_id": f"{ANN}:{OWN}",
        "encoded_event": "CwABAAAA",
        **more,
    }
    return envelope("chat.received", payload)


def test_an_encrypted_message_came_and_cannot_be_read() -> None:
    event = one(chat())
    assert isinstance(event, MessageReceived)
    assert (event.key, event.text) == ("chat:e4f4d3fc-8bbf-4928-92eb-e5058d6bb6f6", None)
    assert X.of(event).encrypted == "xchat"
    assert event.native == {"data": chat()["data"]["payload"]}
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.address.uri) == (ConversationKind.DIRECT, f"x:{ANN}")
    assert event.at == datetime(2026, 7, 23, 21, 13, 3, 370_000, tzinfo=UTC)


def test_an_encrypted_message_of_a_group_is_in_the_group() -> None:
    event = one(chat(conversation_id="g1578398451921985538"))
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.address.uri) == (
        ConversationKind.GROUP,
        "x:dm-1578398451921985538",
    )


def test_an_encrypted_message_of_ours_is_no_event() -> None:
    assert read(chat(sender_id=OWN)) == []


@pytest.mark.parametrize("kind", ["profile.update.bio", "follow.follow", "like.create", "something.new"])
def test_what_has_no_event_of_its_own_is_told_under_xs_word(kind: str) -> None:
    event = custom(envelope(kind, {"before": "a", "after": "b"}))
    assert event.name == f"x.{kind}"
    assert event.data["payload"] == {"before": "a", "after": "b"}
    assert event.key == f"activity:{kind}:-6850472171600526495"


def test_without_an_id_of_its_own_it_is_known_by_what_it_says() -> None:
    body, other = envelope("like.create", {"id": "a"}), envelope("like.create", {"id": "b"})
    del body["data"]["event_uuid"], other["data"]["event_uuid"]
    assert custom(body).key == custom(body).key != custom(other).key


def test_what_is_told_of_another_account_is_not_answered_as_ours() -> None:
    """One webhook serves all accounts of an app."""
    event = custom(envelope("dm.received", {"direct_message_events": [direct_by_webhook()]}, filter={"user_id": BOB}))
    assert event.name == "x.dm.received"


def test_the_id_of_a_call_is_not_what_is_recognised() -> None:
    """X gives each telling another."""
    first = one(envelope("post.mention.create", mention(), uuid="1"))
    assert first.key == one(envelope("post.reply.create", mention(), uuid="-2")).key


def test_several_envelopes_of_one_line_are_all_read() -> None:
    body = {"data": [envelope("post.create", mention())["data"], envelope("dm.received", direct())["data"]]}
    assert [event.key for event in read(body)] == [f"post:{POST}", f"dm:{DIRECT}"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"5", b"{", b"\xff{}", b"[" * 100_000, b'{"data":' * 5000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        activity(body, own=OWN, now=NOW)


# Account Activity API


def status(**more: Any) -> dict[str, Any]:
    return {
        "id": int(POST),
        "id_str": POST,
        "created_at": "Fri Jul 24 21:23:23 +0000 2026",
        "timestamp_ms": "1784928203000",
        "text": "hey @shop",
        "user": {"id": int(ANN), "id_str": ANN, "screen_name": "Ann_Lee", "name": "Ann"},
        "entities": {"user_mentions": [{"screen_name": "shop", "id_str": OWN}], "urls": []},
        "lang": "en",
        **more,
    }


def account(**lists: Any) -> dict[str, Any]:
    return {"for_user_id": OWN, **lists}


def test_a_status_is_a_message() -> None:
    event = one(account(user_has_blocked=False, tweet_create_events=[status()]))
    assert isinstance(event, MessageReceived)
    assert (event.key, event.text) == (f"post:{POST}", "hey @shop")
    assert X.of(event).summoned
    assert event.native == {"data": status(), "includes": {"users": [status()["user"]]}}


def test_a_long_status_that_answers_and_quotes_is_read_whole() -> None:
    quoted = status(id=1, id_str="1", text="We are open.", user={"id_str": OWN, "screen_name": "shop"})
    media = {"id_str": "5", "type": "photo", "media_url_https": "https://pbs.twimg.com/media/a.jpg"}
    longer = {
        "full_text": "@shop all of it https://t.co/p",
        "display_text_range": [6, 15],
        "entities": {"user_mentions": [{"screen_name": "shop", "id_str": OWN}]},
        "extended_entities": {"media": [{**media, "url": "https://t.co/p", "expanded_url": "https://x.com/a"}]},
    }
    event = one(
        account(
            tweet_create_events=[
                status(
                    text="@shop all…",
                    truncated=True,
                    extended_tweet=longer,
                    in_reply_to_status_id_str=PARENT,
                    in_reply_to_user_id_str=OWN,
                    quoted_status_id_str="1",
                    quoted_status=quoted,
                )
            ]
        )
    )
    assert isinstance(event, MessageReceived)
    assert (event.text, event.visible_text, event.reply_to) == ("@shop all of it", "all of it", PARENT)
    assert [file.name for file in event.attachments] == ["a.jpg"]
    told = X.of(event)
    assert told.kind_of_mention == "reply"
    assert told.quoted is not None
    assert told.quoted.text == "We are open."


def test_all_lists_of_the_older_kind_are_read() -> None:
    users = {ANN: {"id": ANN, "screen_name": "Ann_Lee", "affiliation": LABEL}}
    told = read(
        account(
            users=users,
            apps={"5": {"name": "X"}},
            direct_message_events=[direct_by_webhook()],
            tweet_delete_events=[{"status": {"id": PARENT, "user_id": ANN}, "timestamp_ms": "1784928203000"}],
            direct_message_mark_read_events=[{"sender_id": ANN, "last_read_event_id": DIRECT}],
            direct_message_indicate_typing_events=[{"sender_id": ANN}],
            user_event={"revoke": {"date_time": "2026-07-23T21:44:05+00:00", "source": {"user_id": OWN}}},
            follow_events=[{"type": "follow"}],
        )
    )
    assert [type(event).type for event in told] == [
        "message.received",
        "message.retracted",
        "receipt.received",
        "typing.changed",
        "authorisation.revoked",
        "custom.received",
    ]
    assert told[0].automated
    assert told[1].at == datetime(2026, 7, 24, 21, 23, 23, tzinfo=UTC)
    assert isinstance(told[-1], CustomReceived)
    assert told[-1].name == "x.follow_events"


def test_the_lists_of_another_account_are_not_read_as_ours() -> None:
    event = custom({"for_user_id": BOB, "direct_message_events": [direct_by_webhook()]})
    assert event.name == "x.account_activity"
