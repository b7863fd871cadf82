"""What a running channel remembers of what it heard and wrote: bounded, and never the only place of anything.

Whoever asks it and gets nothing asks X instead, or goes without. Nothing of it outlives the process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from convergekit.model import ConversationKind, Event, MessageReceived

__all__ = ["Bounded", "Memory"]

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

    def __len__(self) -> int:
        return len(self._entries)


class Memory:
    """Who summoned us where, which post is the newest of a thread, and what we wrote to whom."""

    def __init__(self) -> None:
        self._summons: Bounded[bool] = Bounded()
        self._newest: Bounded[str] = Bounded()
        self._written: Bounded[list[str]] = Bounded()

    def heard(self, events: Iterable[Event]) -> None:
        """Note what came in, however it came."""
        for event in events:
            if isinstance(event, MessageReceived) and event.message_id is not None:
                self._heard(event, event.message_id)

    def _heard(self, event: MessageReceived, post: str) -> None:
        where = event.conversation
        if where is None or where.kind is not ConversationKind.PUBLIC:
            return
        summoned = event.details.get("summoned")
        if isinstance(summoned, bool):
            self._summons.put(post, summoned)
        if where.thread is not None:
            self.posted(where.thread, post)

    def posted(self, thread: str, post: str) -> None:
        """*post*, of anybody's, stands in the thread that is called *thread*."""
        known = self._newest.get(thread)
        if post.isdecimal() and (known is None or int(known) < int(post)):
            self._newest.put(thread, post)

    def newest(self, thread: str) -> str | None:
        """The newest post that we know of a thread, or None."""
        return self._newest.get(thread)

    def summoned_by(self, post: str) -> bool | None:
        """Whether a post mentions or quotes us, as reading it has found; None where nobody has read it."""
        return self._summons.get(post)

    def wrote(self, place: str, message: str) -> None:
        """We sent a direct message with the id *message* to *place*, the URI of a person or a group."""
        sent = self._written.get(place) or []
        self._written.put(place, [*sent[-_PER_PEER + 1 :], message])

    def written(self, place: str, *, up_to: str) -> tuple[str, ...]:
        """Ids of what we wrote to *place* that are not newer than *up_to*, the oldest first."""
        if not up_to.isdecimal():
            return ()
        return tuple(each for each in self._written.get(place) or () if int(each) <= int(up_to))
