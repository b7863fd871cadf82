"""How far X has told us all that happened, and what to do about the rest.

What polls bring is safe in any case. What they do not bring, such as what was deleted or revoked, is asked for again
where X tells it again (replay), and is a gap where it does not. It is kept in the channel's state, so that the time in
which nobody was there counts, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from convergekit.abc import ChannelContext
from convergekit.errors import RejectedError
from convergekit.model import GapDetected

from ..kept import kept_moment
from ..reading.values import mapping

__all__ = ["FEED", "Coverage"]

#: How the gap names itself.
FEED: Final = "activity"

_STATE: Final = "activity"
#: Older things are not told again, and not more often than this.
_OLDEST: Final = timedelta(hours=24)
_SELDOM: Final = timedelta(minutes=15)
#: X tells late, and it is asked by the minute.
_MARGIN: Final = timedelta(minutes=1)


class Coverage:
    """Since when something may be missing.

    Args:
        context: What the engine lends.
    """

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._until: datetime | None = None
        self._replayed: datetime | None = None
        self._missing: datetime | None = None
        self._is_open = False

    async def open(self) -> None:
        """Learn when we were last told all: since then we were away."""
        if self._is_open:
            return self.lost()
        self._is_open = True
        said = mapping((await self._context.state.get(_STATE))[0])
        self._until, self._replayed = kept_moment(said.get("until")), kept_moment(said.get("replayed"))
        self.lost()

    def lost(self, since: datetime | None = None) -> None:
        """From now on X may tell in vain; or from *since* on it did."""
        since = since or self._until
        if since is not None and (self._missing is None or since < self._missing):
            self._missing = since

    def told(self) -> None:
        """X was heard just now; where nothing is missing, nothing is up to now."""
        if self._missing is None:
            self._until = self._context.clock.now()

    async def good(self, replay: Callable[[datetime, datetime], Awaitable[Any]] | None) -> None:
        """X tells us all, now.

        Args:
            replay: Lets X tell again what happened between two moments; raises `RejectedError` where it does not.
                None where nobody can.

        Raises:
            DeliveryError: X could not be asked; what is missing still is.
            StoreError: The ledger failed; likewise.
        """
        now, missing = self._context.clock.now(), self._missing
        if missing is not None and (replay is None or now - missing >= _MARGIN):
            if replay is not None and self._replayed is not None and now - self._replayed < _SELDOM:
                return  # later: it is not forgotten
            await self._made_good(missing, now, replay)
        self._until, self._missing = now, None
        await self._kept()

    async def _made_good(
        self, missing: datetime, now: datetime, replay: Callable[[datetime, datetime], Awaitable[Any]] | None
    ) -> None:
        oldest = max(missing - _MARGIN, now - _OLDEST)
        if replay is None:
            return await self._is_gap(missing, now, "the stream does not tell again what happened while nobody read it")
        self._replayed = now
        await self._kept()  # before it is asked for: whoever crashes here does not ask each time
        try:
            await replay(oldest, now)
        except RejectedError as error:
            return await self._is_gap(missing, now, f"X does not tell it again: {error.reason}")
        if missing < now - _OLDEST:
            await self._is_gap(missing, oldest, "X does not tell again what is older than a day")

    async def _is_gap(self, since: datetime, until: datetime, reason: str) -> None:
        gap = GapDetected(key=f"gap:{FEED}:{since:%Y%m%d%H%M%S}", feed=FEED, since=since, until=until, reason=reason)
        await self._context.admit(gap)

    async def _kept(self) -> None:
        moments = {"until": self._until, "replayed": self._replayed}
        await self._context.state.put(_STATE, {name: at.isoformat() for name, at in moments.items() if at is not None})
