"""An archive (XEP-0313) that is asked for pages: our own, or a room's.

Rules kept here:

- A result counts only while its question is open, and from whom was asked. Everything else that looks like one is a
  message like any other, and is not believed.
- An archive that sends more than was asked for, or more than fits into memory, is listened to as far as that, and
  asked for the rest again.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from convergekit.errors import InvalidInputError

from .. import jids
from ..inflow import weight
from ..stanzas.archive import Query, Result, to_fin, to_iq, to_result
from ..stream import Stream

__all__ = ["Archives", "Page"]

_OCTETS: Final = 4 * 1024 * 1024  # of one page


@dataclass(slots=True)
class Page:
    """Some of an archive.

    Args:
        results: The oldest first.
        complete: Whether there is nothing behind it, in the direction that was asked for.
        first: Where the page before this one ends; None where there is none.
        last: Where the page after this one begins.
    """

    results: list[Result]
    complete: bool
    first: str | None
    last: str | None


@dataclass(slots=True)
class _Open:
    """A question that is not answered yet."""

    query: Query
    results: deque[Result] = field(default_factory=deque)
    octets: int = 0
    has_surplus: bool = False

    def add(self, result: Result) -> None:
        """Keep *result*, or let one go that the next page begins with: at the end where we go on from."""
        goes_back = self.query.before is not None
        if self.has_surplus and not goes_back:
            return
        self.results.append(result)
        self.octets += weight(result.message)
        while len(self.results) > self.query.max or (self.octets > _OCTETS and len(self.results) > 1):
            self.has_surplus = True
            left = self.results.popleft() if goes_back else self.results.pop()
            self.octets -= weight(left.message)


class Archives:
    """Asks archives, any number at a time.

    Args:
        stream: Whom to ask by.
        own: Gives our bare JID.
    """

    def __init__(self, stream: Stream, own: Callable[[], str]) -> None:
        self._stream = stream
        self._own = own
        self._open: dict[str, _Open] = {}

    @property
    def are_reachable(self) -> bool:
        """Whether there is a session."""
        return self._stream.bound is not None

    def take(self, message: Element) -> bool:
        """Whether *message* is an answer to a question of ours; then it is taken."""
        if not self._open or (result := to_result(message)) is None:
            return False
        asked = self._open.get(result.queryid)
        if asked is None or not self._is_from(result.sender, asked.query.room):
            return False
        asked.add(result)
        return True

    async def ask(self, query: Query) -> Page:
        """One page.

        Raises:
            StanzaError: The archive refuses; "item-not-found" where it does not know `after` or `before` (any more).
            NotSentError: The connection was lost, or there was no answer in time.
        """
        queryid = secrets.token_hex(8)
        asked = self._open[queryid] = _Open(query)
        try:
            fin = to_fin(await self._stream.request(to_iq(query, queryid)))
        finally:
            del self._open[queryid]
        results = list(asked.results)
        first, last = (results[0].id, results[-1].id) if results else (fin.first, fin.last)
        return Page(results, fin.complete and not asked.has_surplus, first, last)

    def _is_from(self, sender: str | None, room: str | None) -> bool:
        # XEP-0313 §10.1: what our own server says on behalf of our account has no sender, or our bare JID.
        if room is None and sender is None:
            return True
        try:
            return jids.split(sender or "") == (room or self._own(), None)
        except InvalidInputError:
            return False
