"""Posts: what is said in public. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from ..details import Poll, PollOption, X
from ..snowflakes import moment_of, read_id
from .includes import Includes, Reading
from .media import attachment
from .names import renamed
from .values import first_of, ids, line, mapping, moment, moment_of_id, required_id, sequence, words
from .words import shown

__all__ = ["attachments", "media_keys", "post_events"]

#: X' own words for languages that it does not know, or that are none.
_NO_LANGUAGE: Final = frozenset({"und", "zxx", "art"})
#: Codes that ISO 639 has given up, which X still uses.
_LANGUAGES: Final = {"in": "id", "iw": "he", "ji": "yi"}
_MOST: Final = 20


def post_events(raw: Any, reading: Reading, *, quotes_us: bool = False, original: Any = None) -> Sequence[Event]:
    """The events that the post *raw* is: none for one of our own.

    Args:
        raw: As API 2 has it, in either dialect.
        reading: For whom.
        quotes_us: Whether X told of it as of a quote of ours, which it may not show.
        original: As it came, where that is another shape.

    Raises:
        UnreadableError: It has no id, or no author.
    """
    post = _Post(renamed(mapping(raw)), reading, quotes_us, raw if original is None else original)
    if post.author.id == reading.own:
        return ()
    return (post.as_repost(),) if post.reposted is not None else post.as_events()


class _Post:
    """One post, on its way to be an event."""

    def __init__(self, post: Mapping[str, Any], reading: Reading, quotes_us: bool, original: Any) -> None:
        self._post, self._quotes_us, self._original = post, quotes_us, original
        self._own, self._now = reading.own, reading.now
        self._named = _mentions(post)
        self._includes = reading.includes.naming(self._named)
        self._id = required_id(post.get("id"), "a post")
        self.author = self._includes.person(required_id(post.get("author_id"), "the author of a post"))
        refers = {str(each.get("type")): read_id(each.get("id")) for each in _references(post)}
        self.parent = refers.get("replied_to") or read_id(post.get("in_reply_to_post_id"))
        self.quoted, self.reposted = refers.get("quoted"), refers.get("retweeted")
        self.versions = _versions(post, self._id)
        thread = read_id(post.get("conversation_id")) or self.parent or self._id
        self.thread = self.versions[0] if thread in self.versions else thread

    def as_repost(self) -> CustomReceived:
        return CustomReceived(
            key=f"post:{self._id}",
            name="x.repost",
            conversation=self._conversation,
            sender=self.author.address,
            at=moment_of_id(self._id, self._post.get("created_at"), self._now),
            automated=self.author.automated,
            data={"post": self.reposted},
            native=self._native(),
        )

    def as_events(self) -> Sequence[Event]:
        """An edited post is what it was at first, where nobody has seen that, and then that it was edited."""
        content = self._content()
        first = self.versions[0]
        at = moment_of_id(self._id, self._post.get("created_at"), self._now)
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
            "sender": self.author.address,
            "automated": self.author.automated,
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
        return ConversationRef(address=self.author.address, kind=ConversationKind.PUBLIC, thread=self.thread)

    def _before(self) -> tuple[str, ...]:
        named = (self.thread, self.parent, self.quoted)
        return tuple(dict.fromkeys(each for each in named if each is not None and each not in self.versions))

    def _details(self, urls: tuple[str, ...], not_shown: tuple[str, ...]) -> X:
        return X(
            handle=self.author.handle,
            name=self.author.name,
            verified=self.author.verified,
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
        if self.parent is not None and answered == self._own:
            return "reply"
        return "quote" if self._quotes_own() else "mention"

    def _quotes_own(self) -> bool:
        return self._quotes_us or self._includes.author_of(self.quoted) == self._own

    def _mentions_own(self) -> bool:
        handle = self._includes.person(self._own).handle
        return any(
            read_id(each.get("id")) == self._own
            or (handle is not None and str(each.get("username")).lower() == handle.lower())
            for each in self._named
        )

    def _mentioned(self) -> tuple[Address, ...]:
        people = dict.fromkeys(id for each in self._named if (id := read_id(each.get("id"))) is not None)
        return tuple(self._includes.person(id).address for id in people if id != self.author.id)

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
            users=[self.author.id],
            posts=[each for each in (self.parent, self.quoted, self.reposted) if each is not None],
            media=media_keys(self._post),
            polls=ids(mapping(self._post.get("attachments")).get("poll_ids")),
        )
        return {"data": self._original, **({"includes": picked} if picked else {})}


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


def _references(post: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [mapping(each) for each in sequence(post.get("referenced_posts"))[:_MOST]]


def _versions(post: Mapping[str, Any], id: str) -> tuple[str, ...]:
    """Ids of all that an edited post was and is, the oldest first; of another, its own."""
    found = sorted(ids(post.get("edit_history_post_ids")), key=int)
    return tuple(found) if id in found else (id,)


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
