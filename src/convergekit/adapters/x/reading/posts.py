"""Posts: what is said in public. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from convergekit.model import (
    Address,
    Attachment,
    ConversationKind,
    ConversationRef,
    CustomReceived,
    Event,
    MessageEdited,
    MessageReceived,
)

from .. import addresses
from ..details import Poll, PollOption, X
from ..snowflakes import moment_of, read_id
from .includes import Includes, Person
from .media import attachment
from .names import renamed
from .values import first_of, ids, line, mapping, moment, moment_of_id, required_id, sequence, words
from .words import shown

__all__ = ["Reading", "attachments", "media_keys", "post_events"]

#: X' own words for languages that it does not know, or that are none.
_NO_LANGUAGE: Final = frozenset({"und", "zxx", "art"})
#: Codes that ISO 639 has given up, which X still uses.
_LANGUAGES: Final = {"in": "id", "iw": "he", "ji": "yi"}
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """For whom, and when, something is read.

    Args:
        own: The account's id.
        now: When it came.
    """

    own: str
    now: datetime


def post_events(
    raw: Any, includes: Includes, reading: Reading, *, quotes_us: bool = False, original: Any = None
) -> Sequence[Event]:
    """The events that the post *raw* is: none for one of our own.

    Args:
        raw: As API 2 has it, in either dialect.
        includes: What X shows beside it.
        reading: For whom.
        quotes_us: Whether X told of it as of a quote of ours, which it may not show.
        original: As it came, where that is another shape.

    Raises:
        UnreadableError: It has no id, or no author.
    """
    post = renamed(mapping(raw))
    id = required_id(post.get("id"), "a post")
    author = required_id(post.get("author_id"), "the author of a post")
    if author == reading.own:
        return ()
    found = _Post(
        raw if original is None else original, post, id, includes.person(author), includes, reading, quotes_us
    )
    if found.reposted is not None:
        return (found.as_repost(),)
    return found.as_events()


class _Post:
    """One post of somebody else's, on its way to be an event."""

    def __init__(
        self,
        raw: Any,
        post: Mapping[str, Any],
        id: str,
        author: Person,
        includes: Includes,
        reading: Reading,
        quotes_us: bool,
    ) -> None:
        self._raw, self._post, self._id, self._author = raw, post, id, author
        self._includes, self._reading, self._quotes_us = includes, reading, quotes_us
        refers = {str(each.get("type")): read_id(each.get("id")) for each in map(mapping, _references(post))}
        self.parent = refers.get("replied_to") or read_id(post.get("in_reply_to_post_id"))
        self.quoted, self.reposted = refers.get("quoted"), refers.get("retweeted")
        self.thread = read_id(post.get("conversation_id")) or self.parent or id
        self.versions = tuple(sorted(ids(post.get("edit_history_post_ids")), key=int))

    def as_repost(self) -> CustomReceived:
        return CustomReceived(
            key=f"post:{self._id}",
            name="x.repost",
            conversation=self._conversation,
            sender=self._author.address,
            at=moment_of_id(self._id, self._post.get("created_at"), self._reading.now),
            automated=self._author.automated,
            data={"post": self.reposted},
            native=self._native(),
        )

    def as_events(self) -> Sequence[Event]:
        """An edited post is what it was at first, where nobody has seen that, and then that it was edited."""
        content = self._content()
        first = self.versions[0] if self.versions and self._id in self.versions else self._id
        at = moment_of_id(self._id, self._post.get("created_at"), self._reading.now)
        began = at if first == self._id else moment_of(first) or at
        events: list[Event] = [MessageReceived(key=f"post:{first}", message_id=first, at=began, **content)]
        if first != self._id:
            edited = {name: value for name, value in content.items() if name not in ("visible_text", "to")}
            events.append(MessageEdited(key=f"post:{self._id}", target=first, at=at, **edited))
        return events

    def _content(self) -> dict[str, Any]:
        files, not_shown = attachments(self._post, self._includes)
        said = shown(self._post, quoted=self.quoted, has_media=bool(files))
        return {
            "conversation": self._conversation,
            "sender": self._author.address,
            "automated": self._author.automated,
            "details": self._details(said.urls, not_shown).to_details(),
            "native": self._native(),
            "text": said.text,
            "visible_text": said.visible,
            "attachments": files,
            "reply_to": self.parent,
            "thread": self.thread,
            "references": self._before(),
            "language": _language(self._post.get("lang")),
            "to": self._mentioned(),
        }

    @property
    def _conversation(self) -> ConversationRef:
        return ConversationRef(address=self._author.address, kind=ConversationKind.PUBLIC, thread=self.thread)

    def _before(self) -> tuple[str, ...]:
        named = (self.thread, self.parent, self.quoted)
        return tuple(dict.fromkeys(each for each in named if each is not None and each != self._id))

    def _details(self, urls: tuple[str, ...], not_shown: tuple[str, ...]) -> X:
        return X(
            handle=self._author.handle,
            name=self._author.name,
            verified=self._author.verified,
            kind_of_mention=self._kind_of_mention(),
            summoned=self._quotes_own() or self._mentions_own(),
            reply_settings=line(self._post.get("reply_settings"), 40),
            answered=self._includes.post(self.parent),
            quoted=self._includes.post(self.quoted),
            urls=urls,
            poll=self._poll(),
            edits=self.versions if len(self.versions) > 1 else (),
            possibly_sensitive=self._post.get("possibly_sensitive") is True,
            not_shown=not_shown,
        )

    def _kind_of_mention(self) -> Literal["mention", "reply", "quote"]:
        answered = read_id(self._post.get("in_reply_to_user_id")) or self._includes.author_of(self.parent)
        if self.parent is not None and answered == self._reading.own:
            return "reply"
        return "quote" if self._quotes_own() else "mention"

    def _quotes_own(self) -> bool:
        return self._quotes_us or self._includes.author_of(self.quoted) == self._reading.own

    def _mentions_own(self) -> bool:
        handle = self._includes.person(self._reading.own).handle
        named = _mentions(self._post)
        return any(
            read_id(each.get("id")) == self._reading.own
            or (handle is not None and str(each.get("username")).lower() == handle.lower())
            for each in named
        )

    def _mentioned(self) -> tuple[Address, ...]:
        found: dict[str, Address] = {}
        for each in _mentions(self._post):
            if (id := read_id(each.get("id"))) is not None and id != self._author.id:
                found.setdefault(id, addresses.user(id, Person.of(each, id).address.display_name))
        return tuple(found.values())

    def _poll(self) -> Poll | None:
        named = [self._includes.polls.get(id) for id in ids(mapping(self._post.get("attachments")).get("poll_ids"))]
        raw = next((each for each in named if each is not None), None)
        if raw is None:
            return None
        options = [mapping(each) for each in sequence(raw.get("options"))[:_MOST]]
        return Poll(
            options=tuple(PollOption(label=words(each.get("label")) or "", votes=_votes(each)) for each in options),
            ends_at=moment(raw.get("end_datetime")),
            open=raw.get("voting_status") != "closed",
        )

    def _native(self) -> dict[str, Any]:
        picked = self._includes.picked(
            users=[self._author.id],
            posts=[each for each in (self.parent, self.quoted, self.reposted) if each is not None],
            media=media_keys(self._post),
            polls=ids(mapping(self._post.get("attachments")).get("poll_ids")),
        )
        return {"data": self._raw, **({"includes": picked} if picked else {})}


def attachments(item: Mapping[str, Any], includes: Includes) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """The files that go with *item*, and the keys of those that X names and does not show."""
    files, not_shown = [], []
    for key in media_keys(item):
        file = attachment(includes.media.get(key, {}))
        if file is not None:
            files.append(file)
        elif (named := line(key, 100)) is not None:
            not_shown.append(named)
    return tuple(files), tuple(not_shown)


def media_keys(item: Mapping[str, Any]) -> Sequence[str]:
    """What the files that go with *item* are called, each once."""
    named = sequence(mapping(item.get("attachments")).get("media_keys"))[:_MOST]
    return tuple(dict.fromkeys(each for each in named if isinstance(each, str)))


def _references(post: Mapping[str, Any]) -> Sequence[Any]:
    return sequence(post.get("referenced_posts"))[:_MOST]


def _mentions(post: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a long post all that it mentions, and not only what its beginning does."""
    note = mapping(mapping(post.get("note_post")).get("entities"))
    entities = mapping(post.get("entities"))
    return [mapping(each) for source in (entities, note) for each in sequence(source.get("mentions"))[:500]]


def _language(said: Any) -> str | None:
    language = line(said, 20)
    # Those that begin with a q are X' own, too ("qme": nothing but media).
    if language is None or language in _NO_LANGUAGE or language.startswith("q"):
        return None
    return _LANGUAGES.get(language, language)


def _votes(option: Mapping[str, Any]) -> int:
    votes = first_of(option, "votes")
    return votes if isinstance(votes, int) and 0 <= votes < 1 << 53 else 0
