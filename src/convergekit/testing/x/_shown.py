"""How X shows what there is: the objects of API v2, by fields and expansions, in the names before 2.167 or since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from ._answers import missing
from ._model import Direct, Medium, Post
from ._people import Person
from ._text import MAX_WEIGHT, Entities, entities, shortened, weight

__all__ = ["NEW_NAMES", "OLD_NAMES", "Dialect", "Shown", "View", "moment", "old_names", "renamed"]

Dialect = Literal["tweet", "post"]

#: What 2.167 calls otherwise, of keys in answers and of values of fields and expansions.
NEW_NAMES: Final[Mapping[str, str]] = {
    "referenced_tweets": "referenced_posts",
    "edit_history_tweet_ids": "edit_history_post_ids",
    "note_tweet": "note_post",
    "tweet_count": "post_count",
    "retweet_count": "repost_count",
    "pinned_tweet_id": "pinned_post_id",
    "most_recent_tweet_id": "most_recent_post_id",
    "tweets": "posts",
    "tweet.fields": "post.fields",
    "referenced_tweets.id": "referenced_posts",
    "referenced_tweets.id.author_id": "referenced_posts.author_id",
    "referenced_tweets.id.attachments.media_keys": "referenced_posts.attachments.media_keys",
}
OLD_NAMES: Final = {new: old for old, new in reversed(tuple(NEW_NAMES.items()))}
#: Where an object says who or what it belongs to, though nobody asked for the field, since it is expanded.
_FIELD_OF: Final = {
    "attachments.media_keys": "attachments",
    "attachments.poll_ids": "attachments",
    "referenced_tweets.id.author_id": "author_id",
}
#: Characters of a long post that are shown without its note.
_CUT: Final = 250
_EDITABLE: Final = timedelta(hours=1)
_NAMED: Final = re.compile(r"(?:@[A-Za-z0-9_]+\s+)+")


def moment(at: datetime) -> str:
    """*at* as X writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def renamed(value: Any, dialect: Dialect) -> Any:
    """*value* with the keys of *dialect*."""
    if dialect == "tweet":
        return value
    if isinstance(value, Mapping):
        return {NEW_NAMES.get(key, key): renamed(each, dialect) for key, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, dialect) for each in value]
    return value


def old_names(values: Iterable[str]) -> list[str]:
    """*values* in the names before 2.167; both are understood."""
    # `referenced_posts` is a field and an expansion; what it stands for is told by where it is.
    return [OLD_NAMES.get(value, value) for value in values]


@dataclass(slots=True)
class Shown:
    """What one request wants to see: names of fields per kind, and expansions; all in the old names."""

    posts: Sequence[str] = ()
    users: Sequence[str] = ()
    directs: Sequence[str] = ()
    media: Sequence[str] = ()
    polls: Sequence[str] = ()
    expansions: Sequence[str] = ()


@dataclass(slots=True)
class View:
    """Shows objects, and collects what stands beside them.

    Args:
        shown: What is wanted; None is all that there is.
        person: By a handle.
        host: Of the types of problems.
    """

    shown: Shown | None
    person: Callable[[str], Person | None]
    host: str
    users: dict[str, Any] = field(default_factory=dict)
    tweets: dict[str, Any] = field(default_factory=dict)
    media: dict[str, Any] = field(default_factory=dict)
    polls: dict[str, Any] = field(default_factory=dict)
    errors: list[Any] = field(default_factory=list)

    @property
    def includes(self) -> dict[str, list[Any]]:
        """What was expanded."""
        kinds = {"users": self.users, "tweets": self.tweets, "media": self.media, "polls": self.polls}
        return {name: list(found.values()) for name, found in kinds.items() if found}

    def post(self, post: Post, *, inner: bool = False) -> dict[str, Any]:
        """*post*, and beside it what was to be expanded; *inner* is one that itself stands beside another."""
        self._expand_post(post, inner=inner)
        return self._picked(self._post(post), {"id", "text", "edit_history_tweet_ids"}, "posts")

    def user(self, person: Person) -> dict[str, Any]:
        """*person*."""
        whole = {
            "id": person.id,
            "name": person.name,
            "username": person.username,
            "created_at": moment(person.at),
            "protected": person.is_protected,
            "verified": person.is_verified,
            "verified_type": "blue" if person.is_verified else "none",
            "description": "",
            "receives_your_dm": person.accepts_directs,
            "profile_image_url": "https://pbs.twimg.com/profile_images/0/normal.jpg",
            "public_metrics": {"followers_count": 0, "following_count": 0, "tweet_count": 0, "listed_count": 0},
        }
        if person.is_automated:
            whole["affiliation"] = {"description": "Automated", "badge_url": "https://pbs.twimg.com/badge.png"}
        return self._picked(whole, {"id", "name", "username"}, "users")

    def direct(self, direct: Direct) -> dict[str, Any]:
        """*direct*, as `/2/dm_events` has it."""
        whole: dict[str, Any] = {
            "id": direct.id,
            "event_type": direct.kind,
            "dm_conversation_id": direct.conversation.id,
            "created_at": moment(direct.at),
        }
        if direct.kind == "MessageCreate":
            text = shortened(direct.text)
            whole |= {"text": text, "sender_id": direct.sender.id}
            found = entities(direct.text, text, self._id_of)
            # The description has them by themselves, and may be asked for "entities", as which all others have them.
            whole |= {**found, **({"entities": found} if found else {})}
        else:
            whole["participant_ids"] = [direct.sender.id]
        if direct.media:
            whole["attachments"] = {"media_keys": [each.key for each in direct.media]}
        if direct.shares is not None:
            whole["referenced_tweets"] = [{"id": direct.shares.id}]
        self._expand_direct(direct)
        return self._picked(whole, {"id", "event_type", "text"}, "directs")

    def medium(self, medium: Medium) -> dict[str, Any]:
        """*medium*, as it stands beside a post."""
        kind = {"16": "animated_gif", "7": "video"}.get(medium.key.split("_")[0], "photo")
        whole: dict[str, Any] = {"media_key": medium.key, "type": kind, "width": 640, "height": 480}
        address = f"https://pbs.twimg.com/media/{medium.id}.jpg"
        whole["url" if kind == "photo" else "preview_image_url"] = address
        if medium.alt_text is not None:
            whole["alt_text"] = medium.alt_text
        return self._picked(whole, {"media_key", "type"}, "media")

    def _post(self, post: Post) -> dict[str, Any]:
        text = shortened(post.text)
        found = entities(post.text, text, self._id_of)
        whole: dict[str, Any] = {
            "id": post.id,
            "text": text,
            "edit_history_tweet_ids": list(post.versions),
            "author_id": post.author.id,
            "conversation_id": post.conversation_id,
            "created_at": moment(post.at),
            "lang": "en",
            "possibly_sensitive": False,
            "reply_settings": "everyone",
            "display_text_range": [_start(text) if post.reply_to is not None else 0, len(text)],
            "edit_controls": {
                "edits_remaining": 6 - len(post.versions),
                "is_edit_eligible": post.reply_to is None,
                "editable_until": moment(post.at + _EDITABLE),
            },
            "public_metrics": {
                f"{name}_count": 0 for name in ("retweet", "reply", "like", "quote", "bookmark", "impression")
            },
        }
        if weight(post.text) > MAX_WEIGHT:  # the whole stands in a note; what is cut off ends in a link to the post
            whole["note_tweet"] = {"text": text, **({"entities": found} if found else {})}
            whole["text"] = f"{text[:_CUT]}… https://t.co/{post.id[-10:]}"
            found = _before_the_cut(found)
        if found:
            whole["entities"] = found
        references = [("replied_to", post.reply_to), ("quoted", post.quotes)]
        if linked := [{"type": kind, "id": each.id} for kind, each in references if each is not None]:
            whole["referenced_tweets"] = linked
        if post.reply_to is not None:
            whole["in_reply_to_user_id"] = post.reply_to.author.id
        if attached := _attached(post):
            whole["attachments"] = attached
        return whole

    def _expand_post(self, post: Post, *, inner: bool) -> None:
        before = "referenced_tweets.id." if inner else ""
        if self._expands(before + "author_id"):
            self._beside(self.users, post.author)
        if self._expands("in_reply_to_user_id") and post.reply_to is not None and not inner:
            self._beside(self.users, post.reply_to.author)
        if self._expands("entities.mentions.username") and not inner:
            for each in entities(post.text, shortened(post.text), self._id_of).get("mentions", ()):
                named = self.person(each["username"])
                if named is not None:
                    self._beside(self.users, named)
        if self._expands(before + "attachments.media_keys"):
            self.media.update({each.key: self.medium(each) for each in post.media})
        if self._expands("attachments.poll_ids") and post.poll is not None and not inner:
            self.polls[post.poll.id] = _poll(post)
        if self._expands("referenced_tweets.id") and not inner:
            for other in (post.reply_to, post.quotes):
                if other is not None and other.is_deleted:
                    self.errors.append(missing("tweet", "referenced_tweets.id", other.id, self.host))
                elif other is not None:
                    self.tweets[other.id] = self.post(other, inner=True)

    def _expand_direct(self, direct: Direct) -> None:
        if self._expands("sender_id"):
            self._beside(self.users, direct.sender)
        if self._expands("participant_ids") and direct.kind != "MessageCreate":
            self._beside(self.users, direct.sender)
        if self._expands("attachments.media_keys"):
            self.media.update({each.key: self.medium(each) for each in direct.media})
        if self._expands("referenced_tweets.id") and direct.shares is not None:
            self.tweets[direct.shares.id] = self.post(direct.shares, inner=True)

    def _beside(self, users: dict[str, Any], person: Person) -> None:
        users[person.id] = self.user(person)

    def _expands(self, name: str) -> bool:
        return self.shown is None or name in self.shown.expansions

    def _picked(self, whole: dict[str, Any], always: set[str], kind: str) -> dict[str, Any]:
        if self.shown is None:
            return whole
        # What is expanded is named as well.
        expanded = {_FIELD_OF.get(each, each.removesuffix(".id")) for each in self.shown.expansions}
        wanted = always.union(getattr(self.shown, kind), expanded)
        return {name: value for name, value in whole.items() if name in wanted}

    def _id_of(self, username: str) -> str | None:
        found = self.person(username)
        return found.id if found is not None else None


def _before_the_cut(found: Entities) -> Entities:
    kept = {kind: [each for each in some if each["end"] <= _CUT] for kind, some in found.items()}
    return {kind: some for kind, some in kept.items() if some}


def _attached(post: Post) -> dict[str, Any]:
    media = {"media_keys": [each.key for each in post.media]} if post.media else {}
    return media | ({"poll_ids": [post.poll.id]} if post.poll is not None else {})


def _start(text: str) -> int:
    """Where a reply begins to be shown: behind those whom X names in front of it."""
    found = _NAMED.match(text)
    return 0 if found is None else found.end()


def _poll(post: Post) -> dict[str, Any]:
    poll = post.poll
    assert poll is not None
    return {
        "id": poll.id,
        "options": [{"position": at, "label": label, "votes": 0} for at, label in enumerate(poll.options, 1)],
        "duration_minutes": poll.minutes,
        "end_datetime": moment(post.at + timedelta(minutes=poll.minutes)),
        "voting_status": "open",
    }
