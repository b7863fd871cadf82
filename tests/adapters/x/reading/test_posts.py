"""Posts that mention, answer or quote us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from convergekit.adapters.x import OtherPost, X
from convergekit.adapters.x.reading import posts
from convergekit.adapters.x.snowflakes import moment_of
from convergekit.model import ConversationKind, CustomReceived, Event, MessageEdited, MessageReceived
from tests.adapters.x.reading.samples import ANN, BOB, HE, LABEL, NOW, OWN, PARENT, POST, ROOT, SHE, US, mention, page


def read(*items: Any, **includes: Any) -> list[Event]:
    return list(posts(page(*items, **includes), own=OWN, now=NOW))


def message(*items: Any, **includes: Any) -> MessageReceived:
    (event,) = read(*items, **includes)
    assert isinstance(event, MessageReceived)
    return event


def replying(parent: str, **more: Any) -> dict[str, Any]:
    references = [{"type": "replied_to", "id": parent}]
    return mention(conversation_id=ROOT, referenced_tweets=references, **more)


def quoting(quoted: str, **more: Any) -> dict[str, Any]:
    return mention(referenced_tweets=[{"type": "quoted", "id": quoted}], **more)


def test_a_mention_is_a_message_in_a_public_conversation() -> None:
    event = message(mention())

    assert (event.key, event.message_id, event.text) == (f"post:{POST}", POST, "hey @shop")
    assert event.conversation is not None
    assert (event.conversation.kind, event.conversation.thread) == (ConversationKind.PUBLIC, POST)
    assert event.conversation.address == event.sender
    assert event.reply_to is None
    assert event.language == "en"
    assert not event.automated


def test_a_person_is_their_id_and_is_shown_with_their_handle() -> None:
    event = message(mention())
    assert event.sender is not None
    assert (event.sender.uri, event.sender.display_name) == (f"x:{ANN}", "@Ann_Lee")
    assert (X.of(event).handle, X.of(event).name) == ("Ann_Lee", "Ann")


def test_who_is_mentioned_is_shown_as_its_recipients() -> None:
    named = [{"id": OWN, "username": "shop"}, {"id": BOB, "username": "bob"}, {"id": ANN, "username": "Ann_Lee"}]
    event = message(mention(entities={"mentions": named}))
    assert [(each.uri, each.display_name) for each in event.to] == [(f"x:{OWN}", "@shop"), (f"x:{BOB}", "@bob")]


def test_when_it_was_posted_is_told_by_its_id() -> None:
    """To the millisecond, and the same whichever way X tells of it."""
    assert message(mention(created_at="2026-07-24T21:23:23Z")).at == moment_of(POST)


@pytest.mark.parametrize("said", ["2026-07-24T21:23:23.000Z", "2026-07-24T21:23:23Z", "2026-07-24T21:23:23+00:00"])
def test_an_old_id_tells_no_time_and_its_date_is_read_with_and_without_fractions(said: str) -> None:
    event = message(mention(id="20", created_at=said))
    assert event.at == datetime(2026, 7, 24, 21, 23, 23, tzinfo=UTC)


@pytest.mark.parametrize("said", ["yesterday", 5, None, "2126-01-01T00:00:00Z", "9" * 40, {}])
def test_a_date_that_makes_no_sense_is_none(said: Any) -> None:
    assert message(mention(id="20", created_at=said)).at is None


def test_ids_may_come_as_numbers_and_stay_text() -> None:
    event = message(mention(id=int(POST), author_id=int(ANN), conversation_id=int(ROOT)))
    assert (event.message_id, event.thread) == (POST, ROOT)
    assert event.sender is not None
    assert event.sender.uri == f"x:{ANN}"


def test_both_sets_of_names_give_the_same_event() -> None:
    older = replying(PARENT, note_tweet={"text": "a long text"})
    renamed = {
        "referenced_tweets": "referenced_posts",
        "edit_history_tweet_ids": "edit_history_post_ids",
        "note_tweet": "note_post",
    }
    newer = {renamed.get(name, name): value for name, value in older.items()}
    parent = {"id": PARENT, "author_id": OWN, "text": "hello"}

    one, other = message(older, tweets=[parent]), message(newer, posts=[parent])

    without = {"native": None}
    assert one.model_copy(update=without) == other.model_copy(update=without)
    assert (one.text, one.reply_to) == ("a long text", PARENT)


# What it answers and quotes


def test_a_reply_names_its_parent_and_its_conversation() -> None:
    event = message(replying(PARENT))
    assert (event.reply_to, event.thread, event.references) == (PARENT, ROOT, (ROOT, PARENT))


def test_a_reply_to_our_post_is_told_as_that() -> None:
    ours = {"id": PARENT, "author_id": OWN, "text": "We are open."}
    told = X.of(message(replying(PARENT), tweets=[ours]))
    assert told.kind_of_mention == "reply"
    assert told.answered == OtherPost(id=PARENT, author=f"x:{OWN}", handle="shop", text="We are open.")


def test_a_reply_to_us_is_known_by_its_field_where_the_post_is_not_shown() -> None:
    told = X.of(message(replying(PARENT, in_reply_to_user_id=OWN)))
    assert told.kind_of_mention == "reply"
    assert told.answered == OtherPost(id=PARENT)


def test_a_reply_to_somebody_else_that_mentions_us_is_a_mention() -> None:
    told = X.of(message(replying(PARENT, in_reply_to_user_id=BOB)))
    assert told.kind_of_mention == "mention"


def test_a_quote_of_our_post_summons_us_without_a_mention() -> None:
    ours = {"id": PARENT, "author_id": OWN, "text": "We are open."}
    event = message(quoting(PARENT, entities={}), tweets=[ours])
    told = X.of(event)
    assert (told.kind_of_mention, told.summoned) == ("quote", True)
    assert told.quoted is not None
    assert told.quoted.text == "We are open."
    assert PARENT in event.references


def test_who_neither_mentions_nor_quotes_us_has_not_summoned_us() -> None:
    theirs = {"id": PARENT, "author_id": BOB, "text": "x"}
    assert not X.of(message(quoting(PARENT, entities={}), tweets=[theirs])).summoned


def test_a_mention_by_handle_alone_summons_us_too() -> None:
    assert X.of(message(mention(entities={"mentions": [{"username": "SHOP"}]}))).summoned


def test_what_x_does_not_show_of_a_quoted_post_is_left_out() -> None:
    assert X.of(message(quoting(PARENT))).quoted == OtherPost(id=PARENT)


# Its author


def test_an_author_who_is_not_shown_is_still_an_address() -> None:
    """Suspended, withheld, or simply not told."""
    (event,) = posts({"data": [mention()]}, own=OWN, now=NOW)
    assert event.sender is not None
    assert (event.sender.uri, event.sender.display_name) == (f"x:{ANN}", None)


def test_xs_own_label_marks_a_program() -> None:
    assert message(mention(), users=[{**SHE, "affiliation": LABEL}]).automated


def test_a_company_that_calls_itself_automated_is_no_program() -> None:
    badge = {**LABEL, "user_id": ["783214"], "url": "https://x.com/automated"}
    assert not message(mention(), users=[{**SHE, "affiliation": badge}]).automated


def test_a_badge_is_told_by_its_kind() -> None:
    assert X.of(message(mention(), users=[{**SHE, "verified_type": "blue"}])).verified == "blue"
    assert X.of(message(mention())).verified is None


def test_a_name_cannot_pretend_to_read_otherwise() -> None:
    event = message(mention(), users=[{**SHE, "username": None, "name": "\u202eppohS\n\x00 Support"}])
    assert event.sender is not None
    assert event.sender.display_name == "ppohS  Support"


@pytest.mark.parametrize("handle", ["shop\u202e", "a" * 51, "", 7, "a b"])
def test_a_handle_that_cannot_be_one_is_none(handle: Any) -> None:
    assert X.of(message(mention(), users=[{**SHE, "username": handle}])).handle is None


def test_our_own_posts_are_no_events() -> None:
    assert read(mention(author_id=OWN)) == []


# What goes with it


def test_a_photo_is_an_attachment_with_its_description() -> None:
    shown = {
        "media_key": "3_1",
        "type": "photo",
        "url": "https://pbs.twimg.com/media/G1.png",
        "alt_text": "A broken cup",
    }
    event = message(mention(attachments={"media_keys": ["3_1"]}), media=[shown])
    (file,) = event.attachments
    assert (file.url, file.media_type, file.name) == (shown["url"], "image/png", "G1.png")
    assert file.description == "A broken cup"


@pytest.mark.parametrize(
    ("shown", "media_type"),
    [
        ({"url": "https://pbs.twimg.com/media/G1"}, "image/jpeg"),
        ({"url": "https://pbs.twimg.com/media/G1?format=png&name=large"}, "image/png"),
        ({"url": "https://pbs.twimg.com/media/G1.webp"}, "image/webp"),
        ({"variants": [{"content_type": "video/mp4", "url": "https://video.twimg.com/v/1?tag=12"}]}, "video/mp4"),
    ],
)
def test_what_a_file_is_is_told_by_its_url_or_by_what_it_mostly_is(shown: dict[str, Any], media_type: str) -> None:
    media = [{"media_key": "3_1", **shown}]
    (file,) = message(mention(attachments={"media_keys": ["3_1"]}), media=media).attachments
    assert file.media_type == media_type


def test_a_name_that_is_no_file_name_is_none() -> None:
    media = [{"media_key": "3_1", "url": "https://pbs.twimg.com/media/%2e%2e%2f"}]
    (file,) = message(mention(attachments={"media_keys": ["3_1"]}), media=media).attachments
    assert file.name is None


def test_of_a_video_the_best_that_is_not_huge_is_taken() -> None:
    def variant(rate: int | None, name: str, kind: str = "video/mp4") -> dict[str, Any]:
        return {"bit_rate": rate, "content_type": kind, "url": f"https://video.twimg.com/v/{name}"}

    variants = [
        variant(256_000, "small.mp4"),
        variant(25_000_000, "huge.mp4"),
        variant(2_176_000, "good.mp4"),
        variant(None, "list.m3u8", "application/x-mpegURL"),
    ]
    shown = {"media_key": "7_1", "type": "video", "duration_ms": 60_000, "variants": variants}
    (file,) = message(mention(attachments={"media_keys": ["7_1"]}), media=[shown]).attachments
    assert (file.name, file.media_type) == ("good.mp4", "video/mp4")


def test_of_a_video_that_has_only_huge_variants_the_smallest_is_taken() -> None:
    variants = [
        {"bit_rate": rate, "content_type": "video/mp4", "url": f"https://video.twimg.com/{rate}.mp4"}
        for rate in (80_000_000, 50_000_000)
    ]
    shown = {"media_key": "7_1", "type": "video", "duration_ms": 140_000, "variants": variants}
    (file,) = message(mention(attachments={"media_keys": ["7_1"]}), media=[shown]).attachments
    assert file.name == "50000000.mp4"


@pytest.mark.parametrize(
    "variant",
    [
        {"content_type": "application/x-mpegURL", "url": "https://video.twimg.com/v/list.m3u8"},
        {"content_type": "video/mp4", "bit_rate": 5},
    ],
)
def test_of_a_video_without_a_file_its_picture_is_taken(variant: dict[str, Any]) -> None:
    """A playlist is no file, and neither is what has no URL."""
    shown = {"media_key": "7_1", "variants": [variant], "preview_image_url": "https://pbs.twimg.com/media/V.jpg"}
    (file,) = message(mention(attachments={"media_keys": ["7_1"]}), media=[shown]).attachments
    assert (file.name, file.media_type) == ("V.jpg", "image/jpeg")


def test_an_animated_gif_is_the_video_that_it_is() -> None:
    variants = [{"bit_rate": 0, "content_type": "video/mp4", "url": "https://video.twimg.com/tweet_video/G.mp4"}]
    shown = {
        "media_key": "16_1",
        "type": "animated_gif",
        "variants": variants,
        "preview_image_url": "https://p.example/",
    }
    (file,) = message(mention(attachments={"media_keys": ["16_1"]}), media=[shown]).attachments
    assert (file.name, file.media_type) == ("G.mp4", "video/mp4")


@pytest.mark.parametrize(
    "media", [[], [{"media_key": "3_1", "type": "photo"}], [{"media_key": "3_1", "url": "file:///x"}]]
)
def test_a_file_that_is_not_shown_is_named(media: list[Any]) -> None:
    event = message(mention(attachments={"media_keys": ["3_1"]}), media=media)
    assert event.attachments == ()
    assert X.of(event).not_shown == ("3_1",)


def test_a_poll_is_told_with_its_options() -> None:
    options = [{"position": 1, "label": "Tea", "votes": 3}, {"position": 2, "label": "Coffee", "votes": "many"}]
    shown = {"id": "9", "options": options, "end_datetime": "2026-08-01T00:00:00.000Z", "voting_status": "open"}
    poll = X.of(message(mention(attachments={"poll_ids": ["9"]}), polls=[shown])).poll
    assert poll is not None
    assert [(each.label, each.votes) for each in poll.options] == [("Tea", 3), ("Coffee", 0)]
    assert (poll.ends_at, poll.open) == (datetime(2026, 8, 1, tzinfo=UTC), True)


def test_who_may_answer_and_what_x_warns_of_is_told() -> None:
    told = X.of(message(mention(reply_settings="mentionedUsers", possibly_sensitive=True)))
    assert (told.reply_settings, told.possibly_sensitive) == ("mentionedUsers", True)


@pytest.mark.parametrize(
    ("said", "language"), [("und", None), ("qme", None), ("in", "id"), ("iw", "he"), ("pt-BR", "pt-BR"), (5, None)]
)
def test_a_language_is_told_where_it_is_one(said: Any, language: str | None) -> None:
    assert message(mention(lang=said)).language == language


def test_the_original_is_kept_with_what_was_shown_beside_it() -> None:
    shown = {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/media/G1.png"}
    item = mention(attachments={"media_keys": ["3_1"]})
    event = message(item, media=[shown, {**shown, "media_key": "3_2"}])
    assert event.native == {"data": item, "includes": {"users": [SHE], "media": [shown]}}


# Edited, reposted


def test_an_edited_post_is_what_it_was_and_then_an_edit() -> None:
    """The first is a duplicate where the original came, and stands for it where nobody has seen that."""
    was, edited = read(mention("hey @shop!!", edit_history_tweet_ids=[POST, PARENT]))

    assert isinstance(was, MessageReceived)
    assert (was.key, was.message_id, was.text, was.at) == (f"post:{PARENT}", PARENT, "hey @shop!!", moment_of(PARENT))
    assert isinstance(edited, MessageEdited)
    assert (edited.key, edited.target, edited.text) == (f"post:{POST}", PARENT, "hey @shop!!")
    assert X.of(edited).edits == (PARENT, POST)


def test_an_edit_stays_in_the_thread_that_its_first_version_began() -> None:
    for event in read(mention(edit_history_tweet_ids=[POST, PARENT])):
        assert isinstance(event, MessageReceived | MessageEdited)
        assert (event.thread, event.references) == (PARENT, ())
        assert event.conversation is not None
        assert event.conversation.thread == PARENT


def test_the_first_version_is_only_a_message_whatever_follows_it() -> None:
    later = str(int(POST) + 5)
    event = message(mention(edit_history_tweet_ids=[POST, later]))
    assert event.key == f"post:{POST}"
    assert X.of(event).edits == (POST, later)


def test_a_repost_says_nothing_and_is_told_as_that() -> None:
    (event,) = read(mention("RT @shop: hi", referenced_tweets=[{"type": "retweeted", "id": PARENT}]))
    assert isinstance(event, CustomReceived)
    assert (event.key, event.name, event.data) == (f"post:{POST}", "x.repost", {"post": PARENT})


# Pages


def test_a_page_is_told_oldest_first_by_number() -> None:
    told = read(mention(id="1000"), mention(id="999"), mention(id="20"))
    assert [event.key for event in told] == ["post:20", "post:999", "post:1000"]


def test_a_post_that_was_looked_up_alone_is_read_too() -> None:
    (event,) = posts({"data": mention(), "includes": {"users": [SHE]}}, own=OWN, now=NOW)
    assert event.key == f"post:{POST}"


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"meta": {"result_count": 0}}, {"data": [], "includes": None}])
def test_an_empty_page_is_nothing(answer: dict[str, Any]) -> None:
    assert list(posts(answer, own=OWN, now=NOW)) == []


@pytest.mark.parametrize("broken", [None, 5, "x", [], {}, {"id": POST}, mention(id="x"), mention(author_id=None)])
def test_a_broken_item_is_told_and_the_others_are_read(broken: Any) -> None:
    told = read(mention(), broken, mention(id="20"))
    by_name = {event.name if isinstance(event, CustomReceived) else event.key for event in told}
    assert by_name == {f"post:{POST}", "post:20", "x.unreadable"}
    (unreadable,) = (event for event in told if isinstance(event, CustomReceived))
    assert unreadable.data == broken


def test_a_broken_item_has_the_same_key_each_time() -> None:
    assert read({"id": "x"})[0].key == read({"id": "x"})[0].key != read({"id": "y"})[0].key


def test_of_a_huge_broken_item_the_beginning_is_told() -> None:
    (event,) = read({"text": "a" * 1_000_000})
    assert isinstance(event, CustomReceived)
    assert len(str(event.data)) < 20_000


def test_users_who_are_no_users_are_passed_over() -> None:
    assert message(mention(), users=[None, 5, {"id": []}, HE, SHE, US]).key == f"post:{POST}"
