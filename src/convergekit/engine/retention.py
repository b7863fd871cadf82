"""How long content stays in the ledger. What was said goes; that it was said, and under which key, stays for good.

What no row names any more goes as well, in the same round: large content, kept apart, of messages that never were.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Final

from pydantic import Field

from convergekit.abc import Clock, Store
from convergekit.errors import StoreError
from convergekit.model import Value

__all__ = ["EVERY", "Keeper", "Retention"]

_log = logging.getLogger(__name__)
_FIRST: Final = 120.0  # a process that ends before that leaves it to others
#: Seconds between two looks at what has become old.
EVERY: Final = 6 * 3600.0
_DAY: Final = 86_400.0

_Days = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Retention(Value):
    """How long content is kept; what is still to be done, is unknown or lies in the dead letters is kept in any case.

    Args:
        days: Of every channel; None for good.
        channels: Days by the name of a channel, or a glob ("alerts-*"); the first that fits counts, before `days`.
    """

    days: _Days | None = None
    channels: Mapping[str, _Days] = {}

    def days_of(self, channel: str) -> float | None:
        """For how many days what was said on *channel* is kept; None for good."""
        fits = (days for glob, days in self.channels.items() if fnmatchcase(channel, glob))
        return next(fits, self.days)


class Keeper:
    """Takes out what is old, and what nothing names, every few hours; of several processes on one ledger one does.

    Args:
        store: The ledger.
        clock: Time.
        retention: For how long.
        holder: Names this process.
    """

    def __init__(self, store: Store, clock: Clock, retention: Retention, holder: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        self._holder = holder

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._clock.sleep(_FIRST)
        while True:
            try:
                if await self._store.own("retention", self._holder(), EVERY) is not None:
                    await self.once()
                    await self._store.sweep()
            except StoreError as error:
                _log.warning("what is old was not taken out: %s; it is tried again in %g hours", error, EVERY / 3600)
            await self._clock.sleep(EVERY)

    async def once(self) -> int:
        """Take out what is old by now; returns of how many events and messages."""
        archive, days = self._store.archive, self._retention.days
        if not self._retention.channels:
            return 0 if days is None else await archive.retain(days * _DAY)
        taken = 0
        for channel in await self._channels():
            days = self._retention.days_of(channel)
            taken += 0 if days is None else await archive.retain(days * _DAY, channel=channel)
        return taken

    async def _channels(self) -> list[str]:
        """All that the ledger knows, those included that nobody has open any more."""
        sums = await self._store.counts()
        return sorted({name for name, _ in (*sums.entries, *sums.deliveries)})
