"""The hub's dead letters: what was given up, and what nobody knows, for a person to look at and to decide."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from ._handles import Content, DispatchHandle, Side, as_message
from .abc import Direction, Entry
from .engine.blobs import checked_in
from .engine.clock import Ids
from .engine.engine import Engine
from .engine.ledger import on_delivery
from .engine.resending import decided, discarded, replacement, sent_again, with_content
from .errors import InvalidInputError
from .model import ConversationRef, Delivery, DeliveryState, Event, Message
from .router import Gate, expiry

__all__ = ["DeadLetter", "DeadLetters"]

State = Literal["dead", "unknown"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that no handler could handle, or a delivery that came to no good end.

    Args:
        id: What the methods of `DeadLetters` take, and a `DeadLettered` event has.
        direction: "in" for an event, "out" for a delivery.
        state: "dead" where it was given up; "unknown" where a message may have gone out, and nobody knows.
        channel: Name of the channel.
        conversation: Where, or None.
        reason: Why, in words without content.
        at: When it was given up, or became unknown; None where the ledger does not say.
        attempts: Times that it was tried.
        event: What came in.
        message: What was to go out.
        delivery: The leg of it that did not, with its `history`.
    """

    id: str
    direction: Direction
    state: State
    channel: str
    conversation: ConversationRef | None
    reason: str
    at: datetime | None
    attempts: int
    event: Event | None = field(default=None, repr=False)
    message: Message | None = field(default=None, repr=False)
    delivery: Delivery | None = field(default=None, repr=False)


class _Shelf(NamedTuple):
    direction: Direction
    state: State


_SHELVES = (_Shelf("in", "dead"), _Shelf("out", "dead"), _Shelf("out", "unknown"))

#: What a letter of a shelf is, and which calls are for it.
_FOR = {
    _SHELVES[0]: "is an event: `retry` has it handled anew, and `discard` throws it away",
    _SHELVES[1]: "is a delivery that was given up: `resend` sends it again, and `discard` throws it away",
    _SHELVES[2]: "is a delivery that may have gone out: `settle` says what became of it, `resend` sends it again, and "
    "`discard` throws it away",
}
_GIVEN_UP = (DeliveryState.DEAD, DeliveryState.UNKNOWN)


class DeadLetters:
    """What waits for a person. `async for letter in hub.dead_letters` goes through all of it.

    First come the events, then the deliveries that were given up, then those that are unknown; each the oldest first.

    Args:
        engine: Moves what is sent again.
        side: Makes the handles.
        ids: Makes ids.
        gates: Say until when a message may be sent.
        check_open: Raises `NotRunningError` where the hub is not open.
    """

    def __init__(
        self, engine: Engine, side: Side, ids: Ids, gates: Sequence[Gate], check_open: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._store = engine.store
        self._side = side
        self._ids = ids
        self._gates = gates
        self._check_open = check_open

    async def list(
        self,
        *,
        direction: Direction | None = None,
        state: State | None = None,
        channel: str | None = None,
        limit: int = 100,
        after: DeadLetter | None = None,
    ) -> builtins.list[DeadLetter]:
        """One page.

        Args:
            direction: Only these.
            state: Only these.
            channel: Only those of this channel.
            limit: How many at most.
            after: The last one of the page before; it may be gone by now.
        """
        self._check_open()
        found: builtins.list[DeadLetter] = []
        begun = after is None
        for shelf in _SHELVES:
            here = after is not None and shelf == (after.direction, after.state)
            begun = begun or here
            if begun and direction in (None, shelf.direction) and state in (None, shelf.state):
                last = after.id if after is not None and here else None
                found += await self._page(shelf, channel, limit - len(found), last)
            if len(found) >= limit:
                break
        return found

    async def __aiter__(self) -> AsyncIterator[DeadLetter]:
        """All of them, page by page."""
        page = await self.list()
        while page:
            for letter in page:
                yield letter
            page = await self.list(after=page[-1])

    async def get(self, id: str) -> DeadLetter | None:
        """The one with this id, or None: there never was one, or somebody has dealt with it.

        Every method takes the id of a dispatch as well, such as a `DeliveryError` names, for its only letter.

        Raises:
            InvalidInputError: It is a dispatch with several letters; the error names them.
        """
        self._check_open()
        letter = await self._by_id(id)
        if letter is not None:
            return letter
        dispatch = await self._store.load(id)
        ids = [] if dispatch is None else [each.id for each in dispatch.deliveries if each.state in _GIVEN_UP]
        letters = [letter for each in ids if (letter := await self._by_id(each)) is not None]
        if len(letters) > 1:
            named = ", ".join(each.id for each in letters)
            raise InvalidInputError(f"the dispatch {id} has {len(letters)} dead letters; name one of them: {named}")
        return letters[0] if letters else None

    async def _by_id(self, id: str) -> DeadLetter | None:
        for shelf in _SHELVES:
            found = await self._page(shelf, None, 1, start=id)
            if found and found[0].id == id:
                return found[0]
        return None

    async def retry(self, id: str) -> bool:
        """Have an event handled anew, with all its attempts; tells whether it was there.

        Raises:
            InvalidInputError: It is a delivery.
        """
        self._check_open()
        if await self._store.revive(id):
            self._engine.inbox_pool.wake()
            return True
        await self._checked(id, "in")
        return False

    async def resend(self, id: str, content: Content | None = None) -> DispatchHandle:
        """Send a message again, as a new delivery that supersedes the old one, with a new key for the medium.

        Of an unknown one this may make a double: find out first, or `settle` it where you know.

        Args:
            id: Of a delivery.
            content: What to say now: text in the place of its text, or a whole `Message`. Without it what was said,
                and of that the parts which have not been taken.

        Raises:
            InvalidInputError: There is no such dead letter (any more), it is an event, or its time to live has run out.
            UnsupportedContentError: The channel cannot carry the new content.
        """
        letter = await self._checked(id, "out")
        if letter is None or letter.delivery is None or letter.message is None:
            raise _gone(id)
        edited = None
        if content is not None:
            as_message(content)  # raises for what cannot be sent
            edited = await checked_in(with_content(letter.message, content), self._store)
        now = self._side.clock.now()
        new = await replacement(
            letter.delivery,
            self._ids(),
            now,
            expires_at=expiry(self._gates, edited or letter.message, now),
            edited=edited,
            channel=self._engine.channels.get(letter.channel),
        )
        saved = await self._engine.ledger.update(new.dispatch, sent_again(new, edited))
        if saved is None:
            raise _gone(id)
        return DispatchHandle(self._side, self._engine.ledger.watch(saved))

    async def settle(self, id: str, *, sent: bool) -> bool:
        """Say what became of an unknown delivery; tells whether it was there.

        Args:
            id: Of the delivery.
            sent: Whether it has gone out. If so it counts as accepted, and what is behind it goes on; if not it is
                tried again as it was, with the same key.

        Raises:
            InvalidInputError: It is an event, or was given up.
        """
        now = self._side.clock.now()
        letter = await self._checked(id, "out", "unknown")
        return await self._change(letter, lambda delivery: decided(delivery, sent, now))

    async def discard(self, id: str) -> bool:
        """Do nothing more about it; tells whether it was there. A route goes on from an unknown way to its next."""
        self._check_open()
        if await self._store.discard(id):
            return True
        now = self._side.clock.now()
        return await self._change(await self.get(id), lambda delivery: discarded(delivery, now))

    async def _checked(self, id: str, direction: Direction, state: State | None = None) -> DeadLetter | None:
        """`get`; raises for a letter of another kind, so that nobody takes it for one that is gone."""
        letter = await self.get(id)
        if letter is not None and (letter.direction != direction or state not in (None, letter.state)):
            raise InvalidInputError(f"the dead letter {letter.id} {_FOR[_Shelf(letter.direction, letter.state)]}")
        return letter

    async def _change(self, letter: DeadLetter | None, change: Callable[[Delivery], Delivery | None]) -> bool:
        if letter is None or letter.delivery is None:
            return False
        return await self._engine.ledger.update(letter.delivery.dispatch, on_delivery(letter.id, change)) is not None

    async def _page(
        self, shelf: _Shelf, channel: str | None, limit: int, last: str | None = None, *, start: str | None = None
    ) -> builtins.list[DeadLetter]:
        """Of one shelf those behind *last*, or from *start* on."""
        which: dict[str, Any] = {
            "limit": limit + (last is not None),
            "start": start if last is None else last,
            "channel": channel,
        }
        if shelf.direction == "in":
            return [_of_entry(each) for each in await self._store.dead_entries(**which) if each.id != last][:limit]
        unknown = shelf.state == "unknown"
        dead = [each for each in await self._store.dead_deliveries(**which, unknown=unknown) if each.id != last]
        return [await self._of_delivery(each, shelf.state) for each in dead[:limit]]

    async def _of_delivery(self, delivery: Delivery, state: State) -> DeadLetter:
        dispatch = await self._store.load(delivery.dispatch)
        return DeadLetter(
            id=delivery.id,
            direction="out",
            state=state,
            channel=delivery.channel,
            conversation=delivery.conversation,
            reason=delivery.reason or "",
            at=delivery.history[-1].at if delivery.history else delivery.due,
            attempts=len(delivery.history),
            message=None if dispatch is None else dispatch.message,
            delivery=delivery,
        )


def _of_entry(entry: Entry) -> DeadLetter:
    return DeadLetter(
        id=entry.id,
        direction="in",
        state="dead",
        channel=entry.event.channel,
        conversation=entry.event.conversation,
        reason=entry.reason or "",
        at=entry.due,
        attempts=entry.attempts + entry.crashes,
        event=entry.event,
    )


def _gone(id: str) -> InvalidInputError:
    return InvalidInputError(f"there is no message {id!r} among the dead letters; somebody may have dealt with it")
