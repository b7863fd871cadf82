"""What the engine lends to an adapter. Nothing in it is global: each channel has its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from convergekit.model import Attachment, Event

if TYPE_CHECKING:
    from convergekit.http import Http

__all__ = ["Admission", "ChannelContext", "Clock", "Cursor", "SettableClock", "State"]


class Admission(StrEnum):
    """What became of an event that was offered. Either way it is safe, and the medium may be told so."""

    NEW = "new"
    """It is stored now, and will be handled."""
    DUPLICATE = "duplicate"
    """It was stored before, under the same key."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading goes on; stored in the same transaction as the events before it.

    Args:
        value: JSON-able; only its adapter understands it.
        feed: Which of the adapter's feeds.
    """

    value: Any
    feed: str = ""


@runtime_checkable
class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> datetime:
        """The wall clock: aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*; a checkpoint even for 0 and less."""
        ...


@runtime_checkable
class SettableClock(Clock, Protocol):
    """A `Clock` that a ledger with a time of its own sets, so that workers on several machines mean the same moment."""

    def set(self, now: datetime) -> None:
        """Let the wall clock go on from *now*. From any thread; `monotonic` does not change."""
        ...


class State(Protocol):
    """Small durable values of one channel, changed by compare-and-set."""

    async def get(self, key: str) -> tuple[Any, int]:
        """The JSON-able value and its version; (None, 0) where there is none."""
        ...

    async def put(self, key: str, value: Any, *, version: int | None = None) -> bool:
        """Write *value* (None deletes). With *version*, only if that is still the current one; tells whether it was."""
        ...


class ChannelContext(Protocol):
    """The engine's side of the contract. Safe to use from any number of tasks while the adapter is entered."""

    @property
    def channel(self) -> str:
        """The channel's name."""
        ...

    @property
    def clock(self) -> Clock:
        """Time; use nothing else."""
        ...

    @property
    def log(self) -> logging.Logger:
        """A logger of this channel's own. Identifiers only, never content or secrets."""
        ...

    @property
    def state(self) -> State:
        """Small durable values: rotating tokens, part reassembly, budgets."""
        ...

    @property
    def http(self) -> Http:
        """The one HTTP seam: pooled clients, and answers classified into the four outcomes."""
        ...

    @property
    def parts(self) -> Mapping[str, Any]:
        """What the host passed to `add_channel` beside the configuration: a token provider, a transport."""
        ...

    async def admit(self, *events: Event, cursor: Cursor | None = None) -> tuple[Admission, ...]:
        """Store *events* and *cursor* in one transaction; the medium may be told only after this has returned.

        Events of one call keep their order; events of concurrent calls have none. Cancelled before it returned,
        the events may or may not be stored: offer them again, de-duplication makes that safe.

        Returns:
            For each event, whether it was new.

        Raises:
            StoreError: Nothing of this call was stored; do not acknowledge. A `LeaseLostError` is one: another process
                hears this channel now, so let it out and stop.
            InvalidInputError: An event has no key, and is not ephemeral.
        """
        ...

    async def cursor(self, feed: str = "") -> Any:
        """The value that was stored last for *feed*, or None."""
        ...

    def notify(self, event: Event) -> None:
        """Pass an ephemeral event on (typing, presence): bounded, the newest wins, never stored, never blocks."""
        ...

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Mutual exclusion among all processes that share the store, under a name within the channel.

        It holds for as long as the block lasts. Where it is lost all the same, because the store could not be reached
        for half a minute or the process stood still, the block is cancelled: somebody else may be inside by then.

        Raises:
            LeaseLostError: At the end of the block: the lock was lost meanwhile.
            StoreError: The lock cannot be had; the block was not begun.
        """
        ...

    def open(self, attachment: Attachment) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes of *attachment*, wherever they are, in chunks of at most 64 KiB."""
        ...

    async def read(self, attachment: Attachment, *, limit: int | None = None) -> bytes:
        """All bytes of *attachment*; more than *limit* raise `UnsupportedContentError`."""
        ...
