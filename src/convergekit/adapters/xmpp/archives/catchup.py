"""What was said while we were away: the archive is read from the place where we stopped.

Rules kept here:

- A page is admitted together with the place behind it, before the next one is asked for.
- Messages of the same feed that come live wait meanwhile (`Inflow.hold`): what is older comes first.
- Where we stood is not known to the archive any more: it is read from that time on, and a `GapDetected` says so.
- The first time, nothing that is old is admitted.
- An archive that refuses, or says nothing, or comes to no end keeps nobody from being heard; it is said in the log, and
  the place stays where it is, so that the next time begins there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from convergekit.abc import ChannelContext, Cursor
from convergekit.errors import NotSentError
from convergekit.model import GapDetected

from .. import jids
from ..inflow import OWN, Inflow, room_of
from ..intake import Incoming, Intake
from ..stanzas.archive import Query
from ..stanzas.inbound import Archived
from ..stanzas.times import earlier
from ..stream import StanzaError
from .archive import Archives, Page
from .place import Place, Places

__all__ = ["CatchUp"]

_GONE: Final = "item-not-found"
_IN_VAIN: Final = 3  # pages in a row that bring us nowhere


class _EndlessError(Exception):
    """The archive gives the same again and again."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Reads archives up to now.

    Args:
        archives: Whom to ask.
        inflow: What comes live.
        intake: Where all of it goes.
        context: What the engine lends.
        places: Told when a feed is live.
        page: Messages that are asked for at once.
    """

    archives: Archives
    inflow: Inflow
    intake: Intake
    context: ChannelContext
    places: Places
    page: int

    async def begin(self, feed: str) -> None:
        """Where nothing is known of *feed* yet, remember where its archive ends now.

        Before anything of it can come live, so that what comes is behind that place.
        """
        if Place.from_value(await self.context.cursor(feed)) is None:
            await self._try(feed, self._begin)

    async def run(self, feed: str) -> bool:
        """Admit what *feed* has behind our place, then let its live messages go.

        Returns:
            Whether that is done with. Else the archive has no time now, and is to be asked again.
        """
        self.places.stop(feed)
        refusal = await self._try(feed, self._read)
        if refusal is None:
            self.places.go_live(feed)
        self.inflow.release(feed)
        return refusal is None or refusal.type != "wait"

    async def _try(self, feed: str, work: Callable[[str], Awaitable[None]]) -> StanzaError | None:
        """Do *work*; what the archive has against it is said, and returned."""
        try:
            await work(feed)
        except StanzaError as error:
            refusal = error
        except NotSentError:
            refusal = StanzaError("wait", "remote-server-timeout")
        except _EndlessError:
            refusal = StanzaError("cancel", "undefined-condition", "it comes to no end")
        else:
            return None
        if not self.archives.are_reachable:
            return refusal  # the connection is lost, which is said elsewhere
        whose = "our archive" if feed == OWN else f"the archive of {jids.shown(room_of(feed))}"
        self.context.log.warning("%s cannot be read: %s (%s)", whose, refusal, jids.shown(refusal.text))
        return refusal

    # --- the first time -------------------------------------------------------------------------------------------

    async def _begin(self, feed: str) -> None:
        page = await self.archives.ask(Query(room=room_of(feed), max=1, before=""))
        last = page.results[-1] if page.results else None
        # An archive that is empty will be read from its beginning.
        place = Place() if last is None else Place(last.id, last.at or self.context.clock.now())
        await self.context.admit(cursor=Cursor(place.to_value(), feed))

    # --- from where we stopped ------------------------------------------------------------------------------------

    async def _read(self, feed: str) -> None:
        place = Place.from_value(await self.context.cursor(feed))
        if place is None:
            return await self._begin(feed)
        in_vain, been = 0, {place}
        while True:
            self.inflow.missed.discard(feed)
            page, gap = await self._page(feed, place)
            place = await self._admit(feed, place, page, gap)
            in_vain = in_vain + 1 if place in been else 0
            been.add(place)
            # What was let go of and is not in the archive after all was never there, whatever its sender says.
            if page.complete and (feed not in self.inflow.missed or in_vain == _IN_VAIN):
                return
            if in_vain == _IN_VAIN:
                raise _EndlessError

    async def _page(self, feed: str, place: Place) -> tuple[Page, GapDetected | None]:
        room = room_of(feed)
        if place.id is not None:
            try:
                return await self.archives.ask(Query(room=room, max=self.page, after=place.id)), None
            except StanzaError as error:
                if error.condition != _GONE:
                    raise
        start = None if place.at is None else earlier(place.at)
        page = await self.archives.ask(Query(room=room, max=self.page, start=start))
        return page, None if place.id is None else self._gap(feed, place, page)

    def _gap(self, feed: str, place: Place, page: Page) -> GapDetected:
        self.context.log.warning("the archive does not know %s any more, where we stopped", jids.shown(place.id))
        return GapDetected(
            key=f"gap:{feed}:{jids.shown(place.id)}",
            feed=feed,
            since=place.at,
            until=page.results[0].at if page.results else None,
            reason="the archive does not know the message any more that was read last; it was read from that time on",
        )

    async def _admit(self, feed: str, place: Place, page: Page, gap: GapDetected | None) -> Place:
        """Have it stored; returns the place behind it."""
        if page.results:
            last = page.results[-1]
            reached = Place(last.id, last.at or place.at)
        else:
            reached = Place(page.last or (place.id if gap is None else None), place.at)
        if page.results or gap is not None:
            stanzas = [Incoming(each.message, Archived(feed, each.id, each.at)) for each in page.results]
            cursor = Cursor(reached.to_value(), feed)
            await self.intake.admit(stanzas, self.intake.read(stanzas), cursor, *([] if gap is None else [gap]))
        return reached
