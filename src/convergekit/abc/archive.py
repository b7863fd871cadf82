"""The archive: everything that was said on every channel. It is the ledger seen from the side of content.

Words: what was *said* is an admitted event with content (`MessageReceived`, `MessageEdited`) or a dispatch that sends
or edits. It is found by the words of its subject, its text and the names of its files.

Rules that every archive keeps:

- What is admitted or submitted is found as soon as the call has returned.
- Newest first is the order in which the ledger learned of things. A page's `next` stands for a place in that order,
  so that paging shows each message that was there when it began once, whatever comes meanwhile.
- Retention and erasure take content and keep the fact: rows stay, empty, so that the ledger's sums stay right and
  no key can be used again. Retention touches nothing that is open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from convergekit.errors import InvalidInputError
from convergekit.model import Address, Contact, ConversationRef, Message, MessageEdited, MessageReceived

__all__ = ["Archive", "Contacts", "Erased", "Found", "Page", "Query", "addresses_of"]

#: Whom something was said with: one or several addresses, or a person with all of theirs.
Contacts: TypeAlias = Address | str | Contact | Iterable[Address | str | Contact]

_PAGE: Final = 500  # of an export
_MOST: Final = 1000
_AGES: Final = 1000 * 365 * 86_400.0  # what is longer reaches back to before the calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for: all that is given has to hold.

    Args:
        words: Words that all have to be there, "phrases" in quotes. Case and accents do not count, and there are no
            operators. Empty is everything; what has no letter and no digit is found nowhere.
        addresses: It was said by or to one of these, or they were shown as copied. None is anybody.
        conversation: In this conversation: its `key`.
        channel: On the channel of this name.
        since: Not before.
        until: Before.
        direction: "in" for what was said to us, "out" for what we said.
    """

    words: str = ""
    addresses: frozenset[Address] | None = None
    conversation: str | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    direction: Literal["in", "out"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that was said.

    Args:
        id: Of the entry or the dispatch in the ledger.
        direction: "in" was said to us, "out" by us.
        at: When: as the medium has it where it says so, never later than we learned of it.
        channel: Name of the channel; of several legs, the one that went furthest.
        conversation: Where, or None where the medium does not say.
        address: The other side: who said it, or to whom we said it.
        content: What was said, complete.
        text: The same as plain text.
        highlights: Where `text` meets the query: (start, end) of each stretch, in order. A hit in the subject or
            in a file's name has none.
    """

    id: str
    direction: Literal["in", "out"]
    at: datetime
    channel: str
    conversation: ConversationRef | None
    address: Address | None
    content: Message | MessageReceived | MessageEdited
    text: str
    highlights: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found.

    Args:
        found: In order.
        next: What to pass as `after` to go on, or None at the end.
    """

    found: tuple[Found, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did.

    Args:
        erased: Events and dispatches whose content is gone.
        cancelled: Of those, how many had something that was still to be done: it will not be done.
        busy: What was in somebody's hands at this moment, and is untouched: erase again when it is done. What the
            ledger cannot read any more counts as well, and the log names it.
    """

    erased: int
    cancelled: int
    busy: int


class Archive(ABC):
    """See the module. All methods raise `StoreError` when the ledger fails. A store implements the abstract ones."""

    async def search(
        self,
        words: str = "",
        *,
        contact: Contacts | None = None,
        conversation: ConversationRef | str | None = None,
        channel: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        direction: Literal["in", "out"] | None = None,
        limit: int = 20,
        after: str | None = None,
        oldest_first: bool = False,
    ) -> Page:
        """What was said, the newest first.

        Args:
            words: Words that all have to be there, "phrases" in quotes; empty is everything, as in a history.
            contact: Said by or to one of these.
            conversation: The reference, or its `key`.
            channel: Name of the channel.
            since: Not before.
            until: Before.
            direction: "in" for what was said to us, "out" for what we said.
            limit: At most so many, from 1 on; never more than 1,000.
            after: `next` of the page before; everything else as it was.
            oldest_first: The other way round.

        Raises:
            InvalidInputError: An address makes no sense, a time has no zone, there are more than 100 words, or an
                argument is none of what is said here; the error names it.
        """
        _check(since, until, direction, limit)
        if isinstance(conversation, ConversationRef):
            channel = channel or conversation.channel or None
            conversation = conversation.key
        query = Query(
            words=words,
            addresses=None if contact is None else addresses_of(contact),
            conversation=conversation,
            channel=channel,
            since=since,
            until=until,
            direction=direction,
        )
        return await self.find(query, limit=min(limit, _MOST), after=after, oldest_first=oldest_first)

    async def export(self, words: str = "", **query: Any) -> AsyncGenerator[Found]:
        """All of it, the oldest first, fetched a page at a time; arguments and errors as for `search`."""
        after: str | None = None
        while True:
            page = await self.search(words, **query, limit=_PAGE, after=after, oldest_first=True)
            for found in page.found:
                yield found
            after = page.next
            if after is None:
                return

    @abstractmethod
    async def find(self, query: Query, *, limit: int, after: str | None = None, oldest_first: bool = False) -> Page:
        """Up to *limit* of what fits *query*, behind the place *after*."""

    @abstractmethod
    async def erase(self, contact: Contacts) -> Erased:
        """Take out the content of all that was said by, to or in copy to *contact*; no word of it is left in the store.

        What is queued for them is cancelled, what of theirs waits for a handler is not handled, and dead letters are
        closed. What is being sent or handled at this moment is left, and counted as `busy`.
        Consents stay, under hashed keys: who said STOP has said it.
        """

    async def retain(self, older_than: float | timedelta, *, channel: str | None = None) -> int:
        """Take out the content of what is older, of *channel* or of all; returns of how many events and dispatches.

        What is still open is left, however old: it waits for a handler, is queued, being sent, or unknown, or lies in
        the dead letters.

        Args:
            older_than: Seconds, or a `timedelta`; more than 0, so that no slip empties everything.
            channel: Name of the channel.

        Raises:
            InvalidInputError: `older_than` is not more than 0.
            TypeError: `older_than` is of another type.
        """
        return await self.empty(_seconds(older_than), channel=channel)

    @abstractmethod
    async def empty(self, older_than: float, *, channel: str | None = None) -> int:
        """See `retain`: of what is older than so many seconds."""


def _check(since: object, until: object, direction: object, limit: object) -> None:
    """What a type checker would have said, for whoever has none: in a database it would find nothing, in silence."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and (not isinstance(moment, datetime) or moment.utcoffset() is None):
            raise InvalidInputError(f"{name} has to be a datetime with a time zone: datetime.now(UTC) has one")
    if direction not in (None, "in", "out"):
        raise InvalidInputError('direction is "in" for what was said to us, "out" for what we said, or None for both')
    if not isinstance(limit, int) or limit < 1:
        raise InvalidInputError("limit has to be a whole number, 1 or more")


def _seconds(older_than: object) -> float:
    seconds = older_than.total_seconds() if isinstance(older_than, timedelta) else older_than
    if not isinstance(seconds, int | float):
        raise TypeError(f"older_than is a number of seconds, or a timedelta, not {type(older_than).__name__}")
    if not seconds > 0:  # nor NaN
        raise InvalidInputError(
            f"older_than has to be more than 0 seconds, not {seconds}; 90 days are timedelta(days=90)"
        )
    return min(seconds, _AGES)


def addresses_of(contact: Contacts) -> frozenset[Address]:
    """Every address of *contact*. Raises `InvalidInputError`."""
    match contact:
        case str():
            return frozenset({Address.parse(contact)})
        case Address():
            return frozenset({contact})
        case Contact():
            return frozenset(contact.addresses)
    return frozenset[Address]().union(*(addresses_of(each) for each in contact))
