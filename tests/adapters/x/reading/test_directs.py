"""Direct messages, and who joins and leaves their groups."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x import X
from convergekit.adapters.x.reading import directs
from convergekit.adapters.x.snowflakes import moment_of
from convergekit.model import ConversationKind, CustomReceived, Event, MembershipChanged, MessageReceived
from tests.adapters.x.reading.samples import ANN, BOB, DIRECT, GROUP, LABEL, NOW, OWN, PARENT, SHE, direct, page


def read(*items: Any, **includes: Any) -> list[Event]:
    return list(directs(page(*items, **includes), own=OWN, now=NOW))


def message(*items: Any, **includes: Any) -> MessageReceived:
    (event,) = read(*items, **includes)
    assert isinstance(event, MessageReceived)
    return event


def test_a_direct_message_is_one_in_a_conversation_of_two() -> None:
    event = message(direct("is it open &amp; free?"))

    assert (event.key, event.message_id, event.text) == (f"dm:{DIRECT}", DIRECT, "is it open & free?")
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.address.uri) == (ConversationKind.DIRECT, f"x:{ANN}")
    assert event.conversation.thread is None
    assert event.sender is not None
    assert event.sender.display_name == "@Ann_Lee"
    assert event.at == moment_of(DIRECT)


def test_the_original_is_kept_with_who_wrote_it() -> None:
    assert message(direct()).native == {"data": direct(), "includes": {"users": [SHE]}}
    (alone,) = directs({"data": [direct()]}, own=OWN, now=NOW)
    assert alone.native == {"data": direct()}


def test_a_message_of_a_group_is_in_the_group() -> None:
    event = message(direct(dm_conversation_id=GROUP))
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.address.uri) == (ConversationKind.GROUP, f"x:dm-{GROUP}")
    assert event.sender is not None
    assert event.sender.uri == f"x:{ANN}"


@pytest.mark.parametrize("called", [f"{ANN}-{BOB}", f"{OWN}-{BOB}", "x-y", "", ["1"], {}])
def test_a_message_of_a_conversation_of_others_is_none_of_ours(called: Any) -> None:
    """It must never become a private conversation with its sender."""
    (event,) = read(direct(dm_conversation_id=called))
    assert isinstance(event, CustomReceived)
    assert event.name == "x.unreadable"


def test_what_we_wrote_is_no_event() -> None:
    assert read(direct(sender_id=OWN)) == []


def test_a_program_is_told_as_one() -> None:
    assert message(direct(), users=[{**SHE, "affiliation": LABEL}]).automated


def test_a_file_comes_with_its_message() -> None:
    shown = {"media_key": "3_1", "type": "photo", "url": "https://ton.twitter.com/dm/1/2/a.jpg", "alt_text": "A cup"}
    link = {"url": "https://t.co/f", "expanded_url": "https://x.com/messages/media/1", "media_key": "3_1"}
    event = message(
        direct("look https://t.co/f", attachments={"media_keys": ["3_1"]}, entities={"urls": [link]}), media=[shown]
    )
    (file,) = event.attachments
    assert (event.text, file.name, file.description) == ("look", "a.jpg", "A cup")


@pytest.mark.parametrize("name", ["referenced_tweets", "referenced_posts"])
def test_a_post_that_a_message_shows_is_named(name: str) -> None:
    assert X.of(message({**direct(), name: [{"id": PARENT}]})).shared == (PARENT,)


@pytest.mark.parametrize(("kind", "membership"), [("ParticipantsJoin", "joined"), ("ParticipantsLeave", "left")])
def test_who_joins_and_leaves_a_group_is_told_one_by_one(kind: str, membership: str) -> None:
    item = {
        "id": DIRECT,
        "event_type": kind,
        "dm_conversation_id": GROUP,
        "participant_ids": [BOB, OWN],
        "sender_id": ANN,
    }
    told = read(item)
    assert all(isinstance(event, MembershipChanged) for event in told)
    assert [(event.key, event.member.uri) for event in told if isinstance(event, MembershipChanged)] == [
        (f"dm:{DIRECT}:{BOB}", f"x:{BOB}"),
        (f"dm:{DIRECT}:{OWN}", f"x:{OWN}"),
    ]
    for event in told:
        assert isinstance(event, MembershipChanged)
        assert event.membership == membership
        assert event.sender is not None
        assert event.conversation is not None
        assert event.conversation.address.uri == f"x:dm-{GROUP}"


def test_a_kind_of_event_that_is_new_is_told_under_its_own_name() -> None:
    (event,) = read(direct(event_type="ReactionCreate"))
    assert isinstance(event, CustomReceived)
    assert (event.key, event.name) == (f"dm:{DIRECT}", "x.dm.ReactionCreate")


@pytest.mark.parametrize("broken", [None, 7, {}, direct(id=None), direct(sender_id="ann")])
def test_a_broken_item_is_told_and_the_others_are_read(broken: Any) -> None:
    names = {event.name if isinstance(event, CustomReceived) else event.key for event in read(direct(), broken)}
    assert names == {f"dm:{DIRECT}", "x.unreadable"}
