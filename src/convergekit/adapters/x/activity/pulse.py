"""Whether X tells us at once what happens: what is believed of it, and why.

It is believed when the webhook is in order, or the stream is connected, and for as long as polls find nothing that X
should have told. What was told is known by kind, posts and direct messages, since each is subscribed to by itself; it
is kept in the channel's state, for the process that is called need not be the one that polls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import anyio

from convergekit.abc import ChannelContext
from convergekit.model import Event

from ..kept import kept_moment
from ..reading.values import mapping

__all__ = ["NOT_BEGUN", "Kind", "Pulse"]

#: The trouble as long as nobody has begun here: another worker may, and a check does not.
NOT_BEGUN: Final = "it has not begun yet"

Kind = Literal["post", "dm"]

_HEARD: Final = "heard"
#: By how the keys of events begin.
_KINDS: Final[Mapping[str, Kind]] = {"post": "post", "dm": "dm"}
#: How late X may tell something; and how often what was told is written down.
_LATE: Final = timedelta(minutes=1)
#: For how long X is not believed after it was silent where it should have spoken, unless it speaks.
_DISTRUST: Final = timedelta(hours=1)


class Pulse:
    """What is believed of the webhook, or of the stream.

    Args:
        context: What the engine lends.

    Attributes:
        trouble: Why X is not believed to tell us at once, or None.
        up_since: Since when it is in order, or connected; as the clock's `monotonic`. What happened before may not have
            been told.
        silent_since: When something happened that X did not tell of, or None; until it is looked at.
    """

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self.trouble: str | None = NOT_BEGUN
        self.silent_since: datetime | None = None
        self._restless = anyio.Event()
        self._is_up, self._up_at, self.up_since = False, context.clock.now(), context.clock.monotonic()
        self._heard: dict[str, datetime] = {}
        self._written: datetime | None = None
        self._distrusted: tuple[Kind, datetime] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether X tells us at once what happens, as far as we know."""
        return self._is_up and not self._is_distrusted()

    def up(self) -> None:
        """The webhook is in order, or the stream is connected."""
        if not self._is_up:
            self._is_up, self._up_at = True, self._context.clock.now()
            self.up_since = self._context.clock.monotonic()
        self.trouble = self.silent_since = None

    def down(self, trouble: str) -> None:
        """It is not, and why."""
        self._is_up, self.trouble = False, trouble

    async def rest(self, seconds: float) -> None:
        """Return after *seconds*, or at once where somebody should have a look."""
        async with anyio.create_task_group() as tasks:

            async def wake() -> None:
                await self._restless.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(wake)
            await self._context.clock.sleep(seconds)
            tasks.cancel_scope.cancel()
        self._restless = anyio.Event()

    async def heard(self, events: Iterable[Event]) -> None:
        """X told us of *events*."""
        now = self._context.clock.now()
        kinds = {_KINDS[prefix] for event in events if (prefix := event.key.partition(":")[0]) in _KINDS}
        self._heard |= dict.fromkeys(kinds, now)
        if self._distrusted is not None and self._distrusted[0] in kinds:
            self._distrusted = None
        if kinds and (self._written is None or now - self._written >= _LATE):
            self._written = now
            await self._context.state.put(_HEARD, {kind: at.isoformat() for kind, at in self._heard.items()})

    async def found(self, kind: Kind, at: datetime) -> None:
        """A poll found something of *kind* that happened at *at*: should X have told of it?"""
        if not self.is_alive or at < self._up_at or self._context.clock.now() - at < _LATE:
            return
        if at <= await self._last(kind) + _LATE:
            return
        self._distrusted, self.silent_since = (kind, self._context.clock.now()), at
        self._context.log.warning(
            "X did not tell of a %s that a poll has found: its webhook or stream is looked at", kind
        )
        self._restless.set()

    async def _last(self, kind: Kind) -> datetime:
        """When anything of *kind* was told, to this process or another."""
        told = mapping((await self._context.state.get(_HEARD))[0])
        moments = [self._up_at, self._heard.get(kind), kept_moment(told.get(kind))]
        return max(moment for moment in moments if moment is not None)

    def _is_distrusted(self) -> bool:
        return self._distrusted is not None and self._context.clock.now() - self._distrusted[1] < _DISTRUST
