"""Which id names what: ours, made of the engine's keys, and those that messages have been seen with lately.

A message has up to three names. Its sender chooses the id attribute, and mostly repeats it as origin-id (XEP-0359); a
room gives it a stanza-id. Corrections and receipts name the sender's, and so do replies, reactions, markers and
retractions between two; in a room those name the room's. What a sender has chosen may have been chosen by somebody
else as well, so it names a message only together with its sender.

What is here is a convenience of this process, and bounded: after a restart ids stand for themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, TypeVar

__all__ = ["Identities", "Known", "is_ours", "origin_id"]

_OURS: Final = re.compile(r"ck\.[0-9a-f]{32}(-[0-9]{1,3})?")
_MESSAGES: Final = 5000
_PEERS: Final = 1000
_UNREAD: Final = 200
_EXCERPT: Final = 300  # code points; more than anybody quotes

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def origin_id(key: str, number: int = 0) -> str:
    """The id of stanza *number* of what the engine calls *key*: the same for every attempt, on every worker.

    Its length is the same whatever the key holds, and it tells nothing of it.
    """
    return f"ck.{hashlib.sha256(key.encode()).hexdigest()[:32]}" + (f"-{number}" if number else "")


def is_ours(id: str | None) -> bool:
    """Whether *id* is made as `origin_id` makes them. Anybody can make such: ask it of what is from us anyway."""
    return id is not None and _OURS.fullmatch(id) is not None


@dataclass(frozen=True, slots=True)
class Known:
    """A message that has been seen.

    Args:
        message_id: What events, replies and the ledger call it: the room's stanza-id, else the sender's id.
        author: Whose it is: between two the bare JID; in a room the occupant id where the room's may be believed,
            else the occupant's JID.
        origin: The id that its sender gave it; "" where there was none.
        sender: The JID that it came from, as a reply names it: bare, or of the occupant.
        text: How it begins, for those whose client shows a reply by quoting; may be empty.
    """

    message_id: str
    author: str
    origin: str = ""
    sender: str = ""
    text: str = field(default="", repr=False)


class Identities:
    """The messages and the unread ids of one channel, the newest of them.

    `conversation` is throughout the bare JID of the room or of the peer; for a private message in a room, the
    occupant's JID.

    Args:
        messages: How many messages are remembered.
        peers: Of how many peers the unread are remembered.
        unread: How many of each.
    """

    def __init__(self, *, messages: int = _MESSAGES, peers: int = _PEERS, unread: int = _UNREAD) -> None:
        self._messages = messages
        self._peers = peers
        self._most_unread = unread
        self._by_id: dict[tuple[str, str], Known] = {}
        self._by_author: dict[tuple[str, str, str], Known] = {}
        self._by_origin: dict[tuple[str, str], Known] = {}
        self._unread: dict[str, dict[str, None]] = {}

    # --- what has been seen ----------------------------------------------------------------------------------------

    def learn(
        self, conversation: str, message_id: str, *, author: str, origin: str = "", sender: str = "", text: str = ""
    ) -> None:
        """Remember a message. Who chooses an id that another's message has does not get its place.

        Args:
            conversation: Where.
            message_id: What events call it.
            author: Whose it is; see `Known`.
            origin: The id that its sender gave it, where `message_id` is another.
            sender: The JID that it came from; *author* if not said.
            text: What it says; the beginning is kept.
        """
        origin = origin or message_id
        known = Known(message_id, author, origin, sender or author, text[:_EXCERPT])
        if (earlier := self._by_id.get((conversation, message_id))) is not None and earlier.author != author:
            return
        _put(self._by_id, (conversation, message_id), known, self._messages)
        _put(self._by_author, (conversation, author, origin), known, self._messages)
        if (conversation, origin) not in self._by_origin:  # who was first had it
            _put(self._by_origin, (conversation, origin), known, self._messages)

    def find(self, conversation: str, id: str, *, author: str | None = None) -> Known | None:
        """The message that *id* names.

        Args:
            conversation: Where.
            id: Its `message_id`, or else the id that its sender gave it: *author*, or whoever was the first to.
            author: Whose message it has to be, or None for anybody's.
        """
        known = self._by_id.get((conversation, id))
        if author is None:
            return known or self._by_origin.get((conversation, id))
        return (
            known if known is not None and known.author == author else self._by_author.get((conversation, author, id))
        )

    # --- what we sent, and nobody is known to have read -------------------------------------------------------------

    def sent(self, peer: str, id: str) -> None:
        """Remember that *id* went to *peer*, a bare JID."""
        ids = self._unread.pop(peer, {})
        ids.pop(id, None)  # sent again, it stands where it stands now
        _put(ids, id, None, self._most_unread)
        _put(self._unread, peer, ids, self._peers)

    def read(self, peer: str, id: str) -> tuple[str, ...]:
        """What *peer* has read by having read *id*: it, and what went out before it (XEP-0333); the oldest first.

        They are forgotten. What is not known is only what it says.
        """
        ids = self._unread.get(peer, {})
        if id not in ids:
            return (id,)
        order = list(ids)
        done = tuple(order[: order.index(id) + 1])
        for each in done:
            del ids[each]
        return done


def _put(kept: dict[K, V], key: K, value: V, limit: int) -> None:
    """As the newest of at most *limit*."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > limit:
        del kept[next(iter(kept))]
