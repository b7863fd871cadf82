"""What was read from the stream and is not stored yet: a queue with a bound.

Rules kept here:

- Whoever reads slowly slows the stream down: at the bound the stream is told to read no more, and at half of it to go
  on. What was read from the socket together still comes in, so the bound is passed by as much as fits into one read.
- The server is told that a stanza is safe (XEP-0198) only once it and all before it are.
- While an archive is caught up with, messages that belong to it wait, for what is older comes first. Nothing is paused
  for them: the archive's answer comes by the same stream. At the bound, those that the archive has as well are let go
  of, which is remembered, and it is asked once more; the others are read at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final
from xml.etree.ElementTree import Element

import anyio
from anyio.lowlevel import checkpoint

from convergekit.errors import InvalidInputError

from . import jids
from .stanzas.namespaces import NS, tag
from .stream import Stream

__all__ = ["OWN", "Inflow", "Item", "feed_of", "room_feed", "room_of", "weight"]

#: The feed of our own archive.
OWN: Final = ""

_MESSAGE: Final = tag(NS.CLIENT, "message")
_ROOM: Final = "room:"
_AT_ONCE: Final = 131_072  # octets that are read before somebody else has their turn
_PER_ELEMENT: Final = 250  # octets that an element takes up, with its attributes, and without what stands in it


class Item:
    """A stanza on its way.

    Args:
        element: The stanza.
        octets: What it takes up in memory, about.

    Attributes:
        is_safe: Whether it need not come again.
    """

    __slots__ = ("element", "is_safe", "octets")

    def __init__(self, element: Element, octets: int) -> None:
        self.element, self.octets, self.is_safe = element, octets, False


class Inflow:
    """Give it to the stream as its `incoming`. Made for one that hears: `take`, and then `done`.

    Args:
        stanzas: How many there may be.
        octets: How much memory they may take up.

    Attributes:
        divert: Asked of each message first: whether it was an answer from an archive, and is not to be queued.
        is_archived: Whether the archive that a held message belongs to has it as well.
        clock: Gives the seconds that `heard_at` is told in.
        heard_at: When the last stanza came.
        is_closed: Whether what comes is let go of, as if it had not come: the server keeps it.
        missed: Feeds whose archive has to be asked once more.
        is_paused: Whether the stream reads nothing now.
        pauses: How often it was told so.
    """

    def __init__(self, *, stanzas: int, octets: int) -> None:
        self._most, self._most_octets = stanzas, octets
        self._stream: Stream | None = None
        self._queue: deque[Item] = deque()
        self._held: dict[str, deque[Item]] = {}
        self._order: deque[Item] = deque()  # all that the server has not been told of
        self._count = self._octets = 0
        self._news = anyio.Event()
        self.divert: Callable[[Element], bool] = lambda _: False
        self.is_archived: Callable[[Element], bool] = lambda _: False
        self.clock: Callable[[], float] = time.monotonic
        self.heard_at = 0.0
        self.is_closed = False
        self.missed: set[str] = set()
        self.is_paused = False
        self.pauses = 0

    def attach(self, stream: Stream) -> None:
        """Say whose stanzas these are."""
        self._stream = stream

    def clear(self) -> None:
        """Forget all: the session is over, and what is not safe comes again."""
        self.is_closed = False
        self._forget()

    def close(self) -> None:
        """Nothing is taken any more in this session. What it is asked for goes on being answered."""
        self.is_closed = True
        self._forget()

    def _forget(self) -> None:
        self.heard_at = self.clock()
        self._queue.clear()
        self._held.clear()
        self._order.clear()
        self.missed.clear()
        self._count = self._octets = 0
        self._go_on()

    # --- the stream's side ----------------------------------------------------------------------------------------

    def __call__(self, element: Element) -> None:
        """A stanza has come."""
        self.heard_at = self.clock()
        if self.is_closed:
            return
        item = Item(element, 0)
        self._order.append(item)
        if element.tag == _MESSAGE and self.divert(element):
            self._safe([item])
        else:
            item.octets = weight(element)
            self._count += 1
            self._octets += item.octets
            self._line(element).append(item)
            self._news.set()
        if self._is_full():
            self._relieve()

    def _line(self, element: Element) -> deque[Item]:
        """Where it has to wait."""
        if self._held and (feed := feed_of(element)) is not None and feed in self._held:
            return self._held[feed]
        return self._queue

    def _is_full(self) -> bool:
        # Answers of an archive count as well where something that is held keeps the server from being told of them:
        # it keeps them until then, and not for ever.
        return self._count >= self._most or self._octets >= self._most_octets or self._is_behind()

    def _is_behind(self) -> bool:
        return len(self._order) >= self._most and any(self._held.values())

    def _relieve(self) -> None:
        for feed, held in self._held.items():
            while held:
                item = held.popleft()
                if self.is_archived(item.element):
                    self.missed.add(feed)
                    self.done([item])
                else:
                    self._queue.append(item)
        if not self.is_paused and self._stream is not None and self._is_full():
            self.is_paused = True
            self.pauses += 1
            self._stream.pause()

    # --- the reader's side ----------------------------------------------------------------------------------------

    async def take(self, most: int) -> Sequence[Item]:
        """The oldest *most* of what is there, fewer of large ones; waits for one. They count until they are `done`."""
        await checkpoint()  # others have their turn, however much there is
        while not self._queue:
            self._news = anyio.Event()
            await self._news.wait()
        queue, items, octets = self._queue, list[Item](), 0
        while queue and len(items) < most and octets < _AT_ONCE:
            items.append(item := queue.popleft())
            octets += item.octets
        return items

    @property
    def is_empty(self) -> bool:
        """Whether `take` would wait."""
        return not self._queue

    def done(self, items: Sequence[Item]) -> None:
        """*items* are safe, or need not be."""
        for item in items:
            self._count -= 1
            self._octets -= item.octets
        self._safe(items)
        if self._count <= self._most // 2 and self._octets <= self._most_octets // 2:
            self._go_on()

    def _go_on(self) -> None:
        if self.is_paused:
            self.is_paused = False
            if self._stream is not None:
                self._stream.resume()

    def _safe(self, items: Sequence[Item]) -> None:
        for item in items:
            item.is_safe = True
        count = 0
        while self._order and self._order[0].is_safe:
            self._order.popleft()
            count += 1
        if count and self._stream is not None:
            self._stream.handled(count)

    # --- catching up ----------------------------------------------------------------------------------------------

    def hold(self, feed: str) -> None:
        """Let the messages of *feed* wait, from now on."""
        self._held.setdefault(feed, deque())

    def release(self, feed: str) -> None:
        """Nothing older is missing in *feed*: what waits is read, and what comes."""
        if held := self._held.pop(feed, None):
            self._queue.extend(held)
            self._news.set()


def feed_of(element: Element) -> str | None:
    """Of which archive *element* is, if it is archived: `OWN`, or that of the room it came from; None for none."""
    if element.tag != _MESSAGE:
        return None
    if element.get("type") != "groupchat":
        return OWN
    try:
        return room_feed(jids.bare(element.get("from", "")))
    except InvalidInputError:
        return None


def room_feed(room: str) -> str:
    """The feed of the room with this bare JID."""
    return f"{_ROOM}{room}"


def room_of(feed: str) -> str | None:
    """The room whose feed this is; None for our own."""
    return feed.removeprefix(_ROOM) if feed else None


def weight(element: Element) -> int:
    """How many octets *element* takes up in memory, about."""
    total = 0
    for each in element.iter():
        total += _PER_ELEMENT + _size(each.text) + _size(each.tail)
        for _, value in each.items():  # `attrib` would make a dictionary where there is none
            total += len(value)
    return total


def _size(text: str | None) -> int:
    return 0 if text is None else len(text) if text.isascii() else 4 * len(text)
