"""Polling: each feed is walked back to where it was last read, and what is new is handed on, the oldest first.

Rules kept here:

- The cursor is the id of the newest item that was admitted, and is stored together with it.
- A walk that is held up, by a limit or a failure, is kept and gone on with; no page is asked for twice.
- What was found is kept until the cursor has passed it: where admission failed, the next poll hands on the same.
- What may be missing is told: more than X shows, longer ago than X keeps, no end of pages.
- While X tells us at once what happens, polls are few; as soon as it does not, they are what they would be without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from convergekit.abc import Polled
from convergekit.errors import InvalidInputError, NotSentError, RejectedError, ThrottledError
from convergekit.model import ConversationKind, Event, GapDetected, MessageReceived

from ..activity.pulse import Pulse
from ..arrivals import Arrivals
from ..budgets import Priority
from ..reading.items import unreadable
from ..session import Session
from ..snowflakes import first_id, moment_of
from .place import Place, latest
from .sources import Source, sources
from .walk import PAGE, Walk, pages

__all__ = ["Feeds"]

#: Seconds between polls while X tells us by itself.
_SLOW: Final = 600.0
#: Seconds between two looks whether it still does.
_TICK: Final = 20.0
#: How far back a new channel begins where its feed is empty: our clock and X' may differ.
_JUST_NOW: Final = timedelta(minutes=5)


class Feeds:
    """Mentions and direct messages, polled.

    Args:
        session: The account.
        arrivals: What becomes of what came, however it came.
        pulse: Whether X tells us at once.
    """

    def __init__(self, session: Session, arrivals: Arrivals, pulse: Pulse) -> None:
        self._session, self._arrivals, self._pulse = session, arrivals, pulse
        self._sources = sources(session.config, session.own)
        self._client = session.client.acting(priority=Priority.BACKGROUND)
        self._walks: dict[str, Walk] = {}
        self._unaided: set[str] = set()
        self._ended: dict[str, float] = {}

    async def poll(self, feed: str, cursor: Any) -> Polled:
        """What came since *cursor*; without a request where it is too early for one."""
        source, place = self._sources[feed], Place.of(cursor)
        seconds = self._too_early(source)
        if place is not None and seconds > 0 and not self._has_more(feed, place):
            return Polled(cursor=cursor, wait=min(seconds, _TICK))
        try:
            if place is None and self._session.config.start == "now":
                return await self._begun(source)
            return await self._polled(source, place or Place(0))
        except ThrottledError as error:
            walk = self._walks.get(feed)
            if error.code is not None and not (walk is not None and walk.pages):
                raise
            # Nothing is wrong: by our own limits it is not its turn, or it is on its way.
            return Polled(cursor=cursor, wait=min(error.retry_after, _SLOW))

    # When

    def _interval(self, source: Source) -> float:
        usual = self._session.config.poll_interval
        return self._session.budgets.wait(source.route, max(usual, _SLOW) if self._pulse.is_alive else usual)

    def _too_early(self, source: Source) -> float:
        """Seconds until it is asked again: 0 unless X tells us by itself, and told us all since the last time."""
        ended = self._ended.get(source.feed)
        if ended is None or not self._pulse.is_alive or ended <= self._pulse.up_since:
            return 0.0
        return ended + self._interval(source) - self._session.context.clock.monotonic()

    def _has_more(self, feed: str, place: Place) -> bool:
        walk = self._walks.get(feed)
        return walk is not None and (not walk.is_done or self._is_left(walk, place))

    def _is_left(self, walk: Walk, place: Place) -> bool:
        """Whether there is more to hand on. An id from the future is no place that could be passed."""
        until = latest(self._session.context.clock.now())
        return bool(walk.new(lambda id: id <= until and place.is_new(id), 1))

    def _ends(self, source: Source) -> float:
        """It has been looked through; returns the seconds until the engine is to ask again."""
        self._ended[source.feed] = self._session.context.clock.monotonic()
        seconds = self._interval(source)
        return min(seconds, _TICK) if self._pulse.is_alive else seconds

    # Walking

    async def _begun(self, source: Source) -> Polled:
        """A new channel begins with what comes from now on."""
        now = self._session.context.clock.now()
        page = await self._asked(source, {"max_results": source.least})
        probe = Walk(0, most_pages=1)
        self._take(probe, page)
        found = [item.id for item in probe.new(lambda id: True)]
        place = Place(0).after(found, latest=latest(now))
        if not place.since:
            place = Place(int(first_id(now - _JUST_NOW)), recent=place.recent)
        return Polled(cursor=place.looked_at(now).to_cursor(), wait=self._ends(source))

    async def _polled(self, source: Source, place: Place) -> Polled:
        now, gap, was = self._session.context.clock.now(), None, place
        if place.is_ahead(now):
            # Where it is our own clock that is slow, what is asked for again is known by its key.
            place, gap = Place(int(first_id(now)), place.looked), "the place where reading stopped is in the future"
        walk = await self._walked(source, place, place.floor(now))
        if gap is None and place.since == walk.known:  # nothing of this walk was handed on before
            gap = walk.cut or self._lapsed(source, place, walk, now)
        events: list[Event] = [] if gap is None else [self._gap(source, was, walk, gap)]
        return await self._handed_on(source, place, walk, events)

    async def _walked(self, source: Source, place: Place, floor: int) -> Walk:
        """A walk that has come to its end, and holds what came after *place*."""
        walk = self._walks.get(source.feed)
        if walk is None or walk.since > floor or (walk.is_done and not self._is_left(walk, place)):
            walk = self._walks[source.feed] = self._new_walk(source, place, floor)
        while not walk.is_done:
            await self._step(source, walk)
        return walk

    def _new_walk(self, source: Source, place: Place, floor: int) -> Walk:
        is_aided = source.takes_since and floor > 0 and source.feed not in self._unaided
        self._unaided.discard(source.feed)
        most, shown = source.most_pages, source.shown
        return Walk(floor, known=place.since, most_pages=most, shown=shown, is_aided=is_aided)

    async def _step(self, source: Source, walk: Walk) -> None:
        more: dict[str, Any] = {"max_results": PAGE}
        if walk.is_aided:
            more["since_id"] = str(walk.since)
        if walk.token is not None:
            more["pagination_token"] = walk.token
        try:
            page = await self._asked(source, more)
        except RejectedError:
            # A page's name lapses, and so may the place from where on: the next walk begins anew, and without it.
            del self._walks[source.feed]
            if walk.is_aided and not walk.pages:
                self._unaided.add(source.feed)
            raise
        self._take(walk, page)

    async def _asked(self, source: Source, more: dict[str, Any]) -> Any:
        return await self._client.request("GET", source.path, params={**source.params, **more})

    def _take(self, walk: Walk, page: Any) -> None:
        try:
            walk.take(page)
        except InvalidInputError as error:
            raise NotSentError(str(error), channel=self._session.context.channel) from error

    def _lapsed(self, source: Source, place: Place, walk: Walk, now: datetime) -> str | None:
        if source.kept is None or walk.has_met or not place.since or not place.is_out_of(source.kept, now):
            return None
        return f"X keeps them for {source.kept.days} days"

    # What was found

    async def _handed_on(self, source: Source, place: Place, walk: Walk, events: list[Event]) -> Polled:
        now, items = self._session.context.clock.now(), walk.new(place.is_new)
        for page in pages(items):
            events += self._read(source, page, now)
        await self._told(source, events)
        reached = place.after((item.id for item in items), latest=latest(now))
        more = self._is_left(walk, reached)
        cursor = (reached if more else reached.looked_at(now)).to_cursor()
        wait = None if more else self._ends(source)
        return Polled(await self._arrivals.taken(events), cursor, more, wait)

    def _read(self, source: Source, page: Mapping[str, Any], now: datetime) -> Sequence[Event]:
        """The events of *page*; where it cannot be read as a whole, of each item of it by itself."""
        try:
            return source.read(page, own=self._session.own, now=now)
        except InvalidInputError:
            items = page["data"]
            if len(items) > 1:
                return [event for item in items for event in self._read(source, {**page, "data": [item]}, now)]
            if len(page) > 1:
                return self._read(source, {"data": items}, now)  # it may be what stands beside it
            return [unreadable(items[0])]

    def _gap(self, source: Source, place: Place, walk: Walk, reason: str) -> Event:
        until = None if walk.oldest is None else moment_of(str(walk.oldest))
        # Once for each place, however often it is looked at.
        return GapDetected(
            key=f"gap:{source.feed}:{place.since}",
            feed=source.feed,
            since=moment_of(str(place.since)),
            until=until or self._session.context.clock.now(),
            reason=reason,
        )

    async def _told(self, source: Source, events: Sequence[Event]) -> None:
        """Let the pulse know what was found, since X should have told of it; of groups it tells nothing."""
        moments = [event.at for event in events if event.at is not None and _is_told(event)]
        if moments:
            await self._pulse.found(source.kind, max(moments))


def _is_told(event: Event) -> bool:
    where = event.conversation
    return isinstance(event, MessageReceived) and where is not None and where.kind is not ConversationKind.GROUP
