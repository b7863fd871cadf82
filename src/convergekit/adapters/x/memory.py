"""What a running channel remembers of what it heard and wrote: bounded, and never the only place of anything.

Whoever asks it and gets nothing asks X instead, or goes without. Nothing of it outlives the process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from convergekit.model import ConversationKind, Event, MessageReceived

from .addresses import user_id

__all__ = ["Bounded", "Known", "Memory"]

_Value = TypeVar("_Value")
_MOST: Final = 10_000
_PER_PEER: Final = 100


class Bounded(Generic[_Value]):
    """A mapping that forgets what was not touched for longest.

    Args:
        most: Entries at most.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._entries: OrderedDict[str, _Value] = OrderedDict()

    def get(self, key: str) -> _Value | None:
        """What is known, or None."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: str, value: _Value) -> None:
        """Remember it."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a post.

    Args:
        author: Id of the account, or None where X did not say.
        summoned: Whether it mentions or quotes us, or is our own: whether we may answer it.
    """

    author: str | None
    summoned: bool


class Memory:
    """Who summoned us where, which post of a thread we may answer, who writes to us, and what we wrote to whom."""

    def __init__(self) -> None:
        self._posts: Bounded[Known] = Bounded()
        self._newest: Bounded[str] = Bounded()
        self._writers: Bounded[bool] = Bounded()
        self._written: Bounded[list[str]] = Bounded()

    # In

    def heard(self, events: Iterable[Event]) -> None:
        """Note what came in, however it came."""
        for event in events:
            if not isinstance(event, MessageReceived) or event.conversation is None:
                continue
            author = user_id(event.sender)
            if event.conversation.kind is not ConversationKind.PUBLIC:
                if author is not None and event.conversation.kind is ConversationKind.DIRECT:
                    self._writers.put(author, True)
            elif event.message_id is not None:
                summoned = event.details.get("summoned") is True  # what is false is not written
                self.posted(event.message_id, event.conversation.thread, author, summoned=summoned)

    def posted(
        self, post: str, thread: str | None, author: str | None, *, summoned: bool, to: str | None = None
    ) -> None:
        """*post* stands in the thread that is called *thread*; of ours *summoned* is True, and it is *to* somebody."""
        self._posts.put(post, Known(author, summoned))
        if thread is None or not summoned:
            return
        for place in (thread, f"{thread} {to or author}"):
            newest = self._newest.get(place)
            if newest is None or int(newest) < int(post):
                self._newest.put(place, post)

    def newest(self, thread: str, person: str | None = None) -> str | None:
        """The newest post of a thread that we know and may answer, or None; of *person*, or of ours to them."""
        return self._newest.get(thread if person is None else f"{thread} {person}")

    def known(self, post: str) -> Known | None:
        """What reading *post* has found; None where nobody has read it."""
        return self._posts.get(post)

    def writes(self, user: str) -> bool:
        """Whether the account with that id is known to have written to us directly."""
        return self._writers.get(user) is not None

    # Out

    def wrote(self, place: str, message: str) -> None:
        """We sent a direct message with the id *message* to *place*, the URI of a person or a group."""
        sent = self._written.get(place) or []
        self._written.put(place, [*sent[-_PER_PEER + 1 :], message])

    def written(self, place: str, *, up_to: str) -> tuple[str, ...]:
        """Ids of what we wrote to *place* that are not newer than *up_to*, the oldest first."""
        if not up_to.isdecimal():
            return ()
        return tuple(each for each in self._written.get(place) or () if int(each) <= int(up_to))
