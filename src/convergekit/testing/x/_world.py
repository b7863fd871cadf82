"""What there is at X and what happens there, whoever does it: people directly, or an app over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from ._model import Direct, Group, Medium, Poll, Post
from ._people import Account, Person
from ._shown import Dialect, Shown, View, renamed
from ._text import entities, mentions, shortened

__all__ = ["World"]

#: When the ids of X begin: milliseconds since 1970.
_EPOCH: Final = 1_288_834_974_657


class World:
    """People, posts, messages and files.

    Args:
        now: What time it is.
        dialect: Which names what X tells has.
    """

    def __init__(self, *, now: Callable[[], datetime], dialect: Dialect) -> None:
        self.now = now
        self.dialect: Dialect = dialect
        self.random = Random(1)
        self.people: dict[str, Person] = {}
        self.handles: dict[str, Person] = {}
        self.media: dict[str, Medium] = {}
        self.all_posts: dict[str, Post] = {}
        self.all_directs: dict[str, Direct] = {}
        self.conversations: dict[str, Group] = {}
        self._last = 0

    def happened(
        self, event_type: str, user: Person, payload: Mapping[str, Any], includes: Mapping[str, Any] | None = None
    ) -> None:
        """Tell whoever has subscribed to it; nobody does here."""

    # What there is

    @property
    def posts(self) -> list[Post]:
        """What can be seen, in order; of an edited post its last version."""
        return [post for post in self.all_posts.values() if not post.is_deleted and post.versions[-1] == post.id]

    @property
    def directs(self) -> list[Direct]:
        """All messages that were written, in order."""
        return [each for each in self.all_directs.values() if each.kind == "MessageCreate"]

    @property
    def only_account(self) -> Account:
        """The first account, whom people write to if nobody else is named."""
        found = next((each for each in self.people.values() if isinstance(each, Account)), None)
        if found is None:
            raise LookupError("make an account first: server.account('support')")
        return found

    def person(self, username: str) -> Person | None:
        """Who has this handle."""
        return self.handles.get(username.lower())

    def rename(self, person: Person, username: str) -> None:
        """Give *person* the handle *username*, whosever it was."""
        self.handles = {name: each for name, each in self.handles.items() if each is not person}
        self.handles[username.lower()] = person
        person.username = username

    def next_id(self) -> str:
        """A snowflake: the time in milliseconds, and 22 bits in which it is told from others."""
        self._last = max(self._last + 1, self.id_at(self.now()))
        return str(self._last)

    def id_at(self, at: datetime) -> int:
        """The smallest id that something of *at* can have."""
        return (int(at.timestamp() * 1000) - _EPOCH) << 22

    def pair(self, one: str, other: str) -> Group:
        """The conversation of two, whether or not anything was said in it."""
        low, high = sorted((one, other), key=int)
        return self.conversations.setdefault(f"{low}-{high}", Group(f"{low}-{high}", (low, high)))

    def view(self, shown: Shown | None = None) -> View:
        """What shows objects to one who wants to see *shown*."""
        return View(shown, self.person, self.host)

    @property
    def host(self) -> str:
        """What the types of problems begin with."""
        return "api.twitter.com" if self.dialect == "tweet" else "api.x.com"

    # Posts

    def add_post(
        self,
        author: Person,
        text: str,
        *,
        reply_to: Post | None = None,
        quotes: Post | None = None,
        media: tuple[Medium, ...] = (),
        poll: Poll | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Post:
        """What *author* has posted."""
        id = self.next_id()
        thread = reply_to.conversation_id if reply_to is not None else id
        post = Post(id, author, text, self.now(), thread, reply_to, quotes, media, poll, (id,), dict(body or {}))
        self.all_posts[id] = post
        self._tell_post(post)
        return post

    def edit_post(self, post: Post, text: str) -> Post:
        """Another post takes the place of *post*; all versions know of each other."""
        id = self.next_id()
        edited = Post(
            id, post.author, text, self.now(), post.conversation_id, post.reply_to, post.quotes, post.media, post.poll
        )
        self.all_posts[id] = edited
        versions = (*post.versions, id)
        for each in versions:
            self.all_posts[each].versions = versions
        self._tell_post(edited)
        return edited

    def delete_post(self, post: Post) -> None:
        """*post* is gone, with all its versions."""
        for each in post.versions:
            self.all_posts[each].is_deleted = True
        payload = {"id": post.id, "author_id": post.author.id}
        # QUIRK(X): here each user stands in a "data" of their own, and beside other posts they do not.
        includes = {"users": [{"data": self.view().user(post.author)}]}
        self.happened("post.delete", post.author, payload, includes)

    def summons(self, post: Post, account: Person) -> bool:
        """Whether the author of *post* has asked *account* to answer: by its handle, or by quoting it."""
        named = account.username.lower() in mentions(post.text)
        return named or (post.quotes is not None and post.quotes.author is account) or post.author is account

    def mentions_of(self, person: Person) -> list[Post]:
        """Posts of others that name *person*, in order."""
        handle = person.username.lower()
        return [post for post in self.posts if post.author is not person and handle in mentions(post.text)]

    def _tell_post(self, post: Post) -> None:
        if post.author.is_protected:
            return
        told: list[tuple[str, Person]] = [("post.create", post.author)]
        for handle in dict.fromkeys(mentions(post.text)):
            named = self.person(handle)
            if named is not None and named is not post.author:
                told.append(("post.mention.create", named))
        if post.reply_to is not None and post.reply_to.author is not post.author:
            told.append(("post.reply.create", post.reply_to.author))
        if post.quotes is not None and post.quotes.author is not post.author:
            told.append(("post.quote.create", post.quotes.author))
        view = self.view()
        shown = _doubled(view.post(post))
        for event_type, person in told:
            self.happened(event_type, person, shown, view.includes)

    # Direct messages

    def add_directs(
        self,
        sender: Person,
        texts: Sequence[str],
        to: Person | Group,
        *,
        media: tuple[Medium, ...] = (),
        shares: Post | None = None,
    ) -> list[Direct]:
        """What *sender* has written, and X tells of in one go."""
        where = to if isinstance(to, Group) else self.pair(sender.id, to.id)
        made = [Direct(self.next_id(), where, sender, text, self.now(), media, shares) for text in texts or ("",)]
        self.all_directs.update({each.id: each for each in made})
        if where.is_pair:  # QUIRK(X): what is said in groups is told by no activity, only by asking
            (other,) = [each for each in where.members if each != sender.id] or [sender.id]
            payload = self._direct_events("direct_message_events", sender, self.people[other], made)
            self.happened("dm.received", self.people[other], payload)
            self.happened("dm.sent", sender, payload)
        return made

    def add_group(self, *members: str) -> Group:
        """A conversation of several."""
        made = Group(self.next_id(), members)
        self.conversations[made.id] = made
        return made

    def leave(self, person: Person, where: Group) -> None:
        """*person* goes out of *where*, which others are shown."""
        gone = Direct(self.next_id(), where, person, "", self.now(), kind="ParticipantsLeave")
        self.all_directs[gone.id] = gone
        where.members = tuple(each for each in where.members if each != person.id)

    def read(self, person: Person, direct: Direct) -> None:
        """*person* has seen all up to *direct*."""
        (other,) = [each for each in direct.conversation.members if each != person.id]
        event = {**self._direct_event(person, self.people[other]), "last_read_event_id": direct.id}
        payload = {"direct_message_mark_read_events": [event], "users": self._users(person, self.people[other])}
        self.happened("dm.read", self.people[other], payload)

    def typing(self, person: Person, to: Person) -> None:
        """*person* is about to write to *to*."""
        event = self._direct_event(person, to)
        payload = {"direct_message_indicate_typing_events": [event], "users": self._users(person, to)}
        self.happened("dm.indicate_typing", to, payload)

    def encrypted(self, person: Person, to: Person) -> None:
        """*person* writes to *to* what only XChat can read."""
        opaque = base64.b64encode(self.random.randbytes(48)).decode("ascii")
        low, high = sorted((person.id, to.id), key=int)
        payload = {
            "id": self.next_id(),
            "created_at_msec": str(int(self.now().timestamp() * 1000)),
            "sender_id": person.id,
            "conversation_id": f"{low}:{high}",
            "conversation_key_version": "1",
            "encoded_event": opaque,
            "conversation_token": opaque[:24],
            "message_event_signature": {"public_key_version": "1", "signature": opaque[:32], "signature_version": "7"},
        }
        self.happened("chat.received", to, payload)
        self.happened("chat.sent", person, payload)

    def visible_directs(self, person: Person, since: datetime) -> list[Direct]:
        """What *person* still finds, in order."""
        return [
            each
            for each in self.all_directs.values()
            if person.id in each.conversation.members and each.at >= since and person.id not in each.hidden_from
        ]

    def _direct_event(self, sender: Person, to: Person) -> dict[str, Any]:
        milliseconds = str(int(self.now().timestamp() * 1000))
        return {"created_timestamp": milliseconds, "sender_id": sender.id, "target": {"recipient_id": to.id}}

    def _direct_events(self, name: str, sender: Person, to: Person, made: Iterable[Direct]) -> dict[str, Any]:
        return {
            name: [
                {
                    "type": "message_create",
                    "id": each.id,
                    "created_timestamp": str(int(each.at.timestamp() * 1000)),
                    "message_create": {
                        "target": {"recipient_id": to.id},
                        "sender_id": sender.id,
                        "message_data": self._message_data(each),
                    },
                }
                for each in made
            ],
            "users": self._users(sender, to),
        }

    def _message_data(self, direct: Direct) -> dict[str, Any]:
        """In the form of v1.1, which kept other names for entities and files."""
        text = shortened(direct.text)
        found = entities(direct.text, text, lambda name: getattr(self.person(name), "id", None))
        data: dict[str, Any] = {
            "text": text,
            "entities": {
                "hashtags": [_indexed(each, "text", "tag") for each in found.get("hashtags", ())],
                "symbols": [_indexed(each, "text", "tag") for each in found.get("cashtags", ())],
                "user_mentions": [
                    {**_indexed(each, "screen_name", "username"), "id": int(each["id"]), "id_str": each["id"]}
                    for each in found.get("mentions", ())
                ],
                "urls": [
                    {**_indexed(each, "url", "url"), **{key: each[key] for key in ("expanded_url", "display_url")}}
                    for each in found.get("urls", ())
                ],
            },
        }
        if direct.media:
            first = direct.media[0]
            address = f"https://ton.twitter.com/1.1/ton/data/dm/{direct.id}/{first.id}/file.jpg"
            kind = "video" if first.category.endswith("video") else "photo"
            medium = {"id": int(first.id), "id_str": first.id, "media_url_https": address, "type": kind}
            data["attachment"] = {"type": "media", "media": medium}
        return data

    def _users(self, *people: Person) -> dict[str, Any]:
        """QUIRK(X): each in a `data` of their own."""
        return {each.id: {"data": _doubled(self.view().user(each))} for each in people}

    # Files

    def add_medium(self, owner: Person, content: bytes, category: str, media_type: str) -> Medium:
        """A file that is there, ready."""
        made = Medium(
            self.next_id(), owner.id, category, media_type, len(content), self.now(), {0: content}, is_whole=True
        )
        made.asked = 1_000  # long since processed
        self.media[made.id] = made
        return made

    def _revoked(self, account: Account) -> None:
        at = self.now().astimezone(UTC).isoformat(timespec="seconds")
        self.happened("oauth.revoke", account, {"date_time": at, "user_id": account.id, "app_id": "29820954"})

    def told(self, value: Any) -> Any:
        """*value* in the names that are in use."""
        return renamed(value, self.dialect)


def _doubled(value: Any) -> Any:
    """QUIRK(X): in what activity tells, each number stands once more as text."""
    if isinstance(value, dict):
        numbers = {f"{key}_str": str(each) for key, each in value.items() if type(each) is int}
        return {key: _doubled(each) for key, each in value.items()} | numbers
    if isinstance(value, list):
        return [_doubled(each) for each in value]
    return value


def _indexed(entity: Mapping[str, Any], name: str, key: str) -> dict[str, Any]:
    return {name: entity[key], "indices": [entity["start"], entity["end"]]}
