"""What was said in a conversation: our own archive for one to one, the room's for a room (XEP-0313)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from convergekit.errors import InvalidInputError, UnsupportedContentError
from convergekit.model import ConversationRef, Event

from .. import jids
from .._asking import refusal
from ..inflow import OWN, room_feed
from ..intake import Incoming, Intake
from ..stanzas.archive import Query
from ..stanzas.inbound import Archived
from ..stream import StanzaError
from .archive import Archives, Page

__all__ = ["History"]

_MOST: Final = 250  # messages that are asked for at once


class History:
    """Looks back.

    Args:
        archives: Whom to ask.
        intake: Makes events of what is found.
        has_own: Says whether there is an archive of ours: a component has none, and some servers have none;
            None while that is not known.
        channel: Ours.
    """

    def __init__(self, archives: Archives, intake: Intake, *, has_own: Callable[[], bool | None], channel: str) -> None:
        self._archives, self._intake, self._has_own, self._channel = archives, intake, has_own, channel

    async def before(
        self, conversation: ConversationRef, cursor: Any, limit: int, *, is_room: bool
    ) -> tuple[Sequence[Event], str | None]:
        """What was said before *cursor*, which an earlier call gave, or up to now.

        What is found is neither stored nor confirmed to anybody. Of what we said ourselves there is what other devices
        of the account have said, since the ledger has the rest.

        Args:
            conversation: Where.
            cursor: Where to go on backwards; None for the newest.
            limit: Messages that are looked at, at most.
            is_room: Whether it is a room's.

        Returns:
            Events, the newest last, and the next cursor; None where there is nothing older.

        Raises:
            InvalidInputError: The cursor is none of ours.
            UnsupportedContentError: There is no archive.
            RejectedError: The archive does not let us see, or does not know the cursor any more.
            NotSentError: It cannot be asked now.
        """
        if not isinstance(cursor, str | None) or limit < 1:
            raise InvalidInputError("history goes on where an earlier call has said, and has a limit of at least 1")
        room = jids.bare(conversation.address.value) if is_room else None
        if room is None and self._has_own() is False:
            raise UnsupportedContentError("the server has no archive for us", channel=self._channel)
        feed = OWN if room is None else room_feed(room)
        peer = conversation.address if room is None else None
        events: list[Event] = []
        before: str | None = cursor or ""
        while before is not None and limit > 0:
            asked = Query(room, min(limit, _MOST), before=before, peer=None if peer is None else jids.jid_of(peer))
            page = await self._page(asked)
            events[:0] = self._events(page, feed)
            limit -= len(page.results)
            before = None if page.complete or page.first in (None, before) else page.first
        return events, before

    async def _page(self, query: Query) -> Page:
        try:
            return await self._archives.ask(query)
        except StanzaError as error:
            raise refusal(error, "the archive does not let us see that", channel=self._channel) from error

    def _events(self, page: Page, feed: str) -> list[Event]:
        stanzas = [Incoming(each.message, Archived(feed, each.id, each.at)) for each in page.results]
        return [event for reading in self._intake.read(stanzas) for event in reading.events]
