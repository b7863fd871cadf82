"""The ledger's protocol. Every change of state is in the store; tasks hold none that matters.

Words: a *lane* orders work; an *entry* is an admitted event; a *dispatch* is the aggregate of a message to one
recipient with all its deliveries. Work is served by *claiming* lanes: a claim leases a lane and hands out its head,
and whoever holds the lease alone may report what became of it. Each method is one transaction.

Rules that every store keeps:

- (channel, key) of an event is admitted once, for good; a cursor is stored in the same transaction as its events.
- (key, recipient) of a dispatch is stored once, for good; the same fingerprint returns what is there, another one is
  a `KeyConflictError`, and a dispatch with an `origin` (submitted inside a handler) always returns what is there.
- One lane is leased to one holder at a time. A lease ends at its time; whoever reports after that, while somebody
  else may hold it, gets a `LeaseLostError` and has changed nothing.
- A lane hands out its oldest item that is due. An item that waits for its `due` blocks those behind it until its
  `hold_until`; after that they pass it, and the store sets its `passed`. What is scheduled enters its lane when due.
- `save` replaces a dispatch only if its `version` is the stored one, and adds one to it.
- A parked receipt is kept for `PARKED`: older ones go when others are parked.
- A name has one owner at a time (`own`). Ownership ends at its time, too; what is admitted under a `Fence` that is no
  longer the owner's is refused with a `LeaseLostError`, and its cursor with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, Protocol

from convergekit.model import ClaimCheck, Delivery, Dispatch, Event, Receipt

from .archive import Archive
from .context import Admission, Clock, Cursor

__all__ = [
    "PARKED",
    "Claim",
    "Deliveries",
    "Direction",
    "Entry",
    "EntryState",
    "Fence",
    "Lane",
    "Lease",
    "LedgerCounts",
    "Store",
    "Write",
]

Direction = Literal["in", "out"]

#: How long a receipt that matches nothing waits for what it is about.
PARKED: Final = timedelta(days=7)

#: A host's own writing, called with a SQLAlchemy `Connection` inside the transaction that marks an entry done.
Write = Callable[[Any], object]


class Lane(NamedTuple):
    """An ordering domain: first in, first out inside, parallel across.

    Args:
        direction: "in" or "out".
        channel: Name.
        conversation: Of what comes in, the `lane` of its event, or its conversation; of what goes out,
            `Delivery.lane_key`.
        importance: The class.
    """

    direction: Direction
    channel: str
    conversation: str
    importance: str = "normal"


class EntryState(StrEnum):
    """Where an admitted event stands."""

    READY = "ready"
    """It is handled when it is its turn, or is being handled."""
    DONE = "done"
    """Its handler has finished, or nobody wanted it."""
    DEAD = "dead"
    """In the dead letters: kept for a person."""


@dataclass(slots=True, eq=False)
class Entry:
    """An admitted event. Read it; only the store changes it.

    Args:
        id: In order of admission.
        event: What was admitted, with channel and conversation filled in.
        lane: Where it is handled.
        due: When it may be handled next; of a dead one, since when it is dead.
        state: Where it stands.
        attempts: Times that a handler has failed.
        crashes: Times that a run did not come to its end: what is reported under a `recovered` lease counts here.
        hold_until: Until when, waiting for `due`, it holds up its lane.
        passed: Whether later events of its lane have overtaken it.
        reason: Why the last attempt failed, or None.
    """

    id: str
    event: Event
    lane: Lane
    due: datetime
    state: EntryState = EntryState.READY
    attempts: int = 0
    crashes: int = 0
    hold_until: datetime | None = None
    passed: bool = False
    reason: str | None = None


@dataclass(slots=True, eq=False)
class Lease:
    """The right to serve the head of one lane.

    Args:
        lane: Which.
        token: Grows with each claim of the lane; the fence.
        until: When it ends, unless renewed.
        entry: The head of an inbound lane.
        dispatch: The aggregate that holds the head of an outbound lane, as it was when claimed ...
        delivery: ... and the id of the delivery in it.
        recovered: Whether an earlier holder's lease ended on this very item.
    """

    lane: Lane
    token: int
    until: datetime
    entry: Entry | None = None
    dispatch: Dispatch | None = None
    delivery: str = ""
    recovered: bool = False


class Claim(NamedTuple):
    """What a claim found.

    Args:
        leases: Lanes to serve now.
        more: Whether there was more than was asked for.
        next_due: When something will become due that is not now; None if nothing will.
    """

    leases: Sequence[Lease]
    more: bool
    next_due: datetime | None


class Fence(NamedTuple):
    """The right to do what only one process may do.

    Args:
        name: What is owned.
        token: Grows with each change of owner.
        until: When it ends, unless owned again before.
    """

    name: str
    token: int
    until: datetime


class Deliveries(NamedTuple):
    """A page of deliveries.

    Args:
        found: The dispatch of each, and its id, in the order of these ids. There may be none though there are more.
        next: Behind which id the next page begins; None where there is none.
    """

    found: Sequence[tuple[Dispatch, str]]
    next: str | None


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """The ledger's sums: by channel and state, "in" and "out"."""

    entries: Mapping[tuple[str, EntryState], int]
    deliveries: Mapping[tuple[str, str], int]


class Store(Protocol):
    """See the module. All methods raise `StoreError` when the ledger fails; nothing of the call was then stored.

    Attributes:
        batch: How many lanes one claim should ask for where there is work: 1 where a claim costs nothing.
        is_shared: Whether other processes may use the same ledger at the same time.
    """

    batch: int
    is_shared: bool

    @property
    def archive(self) -> Archive:
        """Everything that was said, to be searched; open as long as the store is."""
        ...

    def opened(self, clock: Clock) -> AbstractAsyncContextManager[None]:
        """Use the store with *clock* inside the block."""
        ...

    # The way in

    async def admit(
        self, channel: str, events: Sequence[Event], cursor: Cursor | None = None, *, fence: Fence | None = None
    ) -> tuple[Admission, ...]:
        """Store what is new of *events*, which are complete: channel, key and conversation are set.

        Raises:
            LeaseLostError: Somebody else owns what *fence* is for.
        """
        ...

    async def finish(
        self, lease: Lease, *, dispatches: Sequence[Dispatch] = (), writes: Sequence[Write] = ()
    ) -> tuple[Dispatch, ...]:
        """The entry is handled: mark it done, submit *dispatches* and do *writes* with it. Returns as `submit` does.

        Raises:
            ConfigurationError: This store has no transaction that a host could write with.
        """
        ...

    async def postpone(self, lease: Lease, *, due: datetime, hold: float, reason: str) -> None:
        """The handler failed, or an earlier run did: count it, try again when *due*.

        The lane is held up for at most *hold* seconds, once for all tries.
        """
        ...

    async def bury(self, lease: Lease, *, reason: str, events: Sequence[Event] = ()) -> None:
        """The entry goes to the dead letters; *events* tell of it."""
        ...

    # Lanes

    async def claim(
        self, direction: Direction, *, limit: int, seconds: float, slots: Mapping[str, int] | None = None
    ) -> Claim:
        """Lease up to *limit* lanes for *seconds*; of each channel in *slots* at most so many, of others none."""
        ...

    async def renew(self, leases: Sequence[Lease], seconds: float) -> None:
        """Prolong those of *leases* that still hold, in place; one that does not keeps its old `until`."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give the lane back as it is. Never raises for a lost lease."""
        ...

    # The way out

    async def submit(
        self, dispatches: Sequence[Dispatch], *, unless: Sequence[tuple[str, str]] = ()
    ) -> tuple[Dispatch, ...]:
        """Store *dispatches*, all or none; for one whose (key, recipient) is known, return what is there.

        Args:
            dispatches: At least one.
            unless: (scope, key) of small values (`get`): where there is one, nothing is stored and nothing returned.

        Raises:
            KeyConflictError: Known with other content.
        """
        ...

    async def post(self, connection: Any, dispatches: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
        """`submit` as a part of the host's own transaction on *connection*: both commit, or neither.

        Raises:
            ConfigurationError: This store has no database, or *connection* belongs to another one.
            KeyConflictError: Known with other content; the transaction goes on as it was.
        """
        ...

    async def load(self, dispatch: str) -> Dispatch | None:
        """The aggregate, or None."""
        ...

    async def save(
        self, dispatch: Dispatch, *, lease: Lease | None = None, release: bool = False, events: Sequence[Event] = ()
    ) -> Dispatch | None:
        """Replace the aggregate, admit *events* with it, and with *release* give the lane back.

        Returns:
            It, with its new version; or None when the stored version is another one, and nothing was changed.

        Raises:
            LeaseLostError: *lease* is no longer held.
        """
        ...

    async def awake(self, limit: int = 100) -> tuple[Sequence[str], datetime | None]:
        """Ids of dispatches whose `wake_at` has come, and the next `wake_at` after those."""
        ...

    async def find(
        self, channel: str, *, ids: Sequence[str] = (), delivery: str | None = None, address: str | None = None
    ) -> tuple[str, str] | None:
        """(dispatch, delivery) that a report speaks of: by our id, else a provider id, else the newest to *address*."""
        ...

    async def park(self, channel: str, receipt: Receipt) -> None:
        """Keep a receipt that matches nothing yet."""
        ...

    async def unpark(self, channel: str, ids: Sequence[str]) -> Sequence[Receipt]:
        """Take out the parked receipts that name one of *ids*."""
        ...

    # Several processes

    async def own(self, name: str, holder: str, seconds: float) -> Fence | None:
        """Own *name* for *seconds* more; None where somebody else does. Called again by its *holder*, it prolongs."""
        ...

    async def disown(self, fence: Fence) -> None:
        """Let somebody else own it now. Never raises for what is lost already."""
        ...

    async def changed(self) -> None:
        """Return when another process may have changed the ledger; where there is none, never."""
        ...

    async def versions(self, dispatches: Sequence[str]) -> Mapping[str, int]:
        """The version of each that is there."""
        ...

    # Small durable values, cursors, blobs

    async def get(self, scope: str, key: str) -> tuple[Any, int]:
        """The value and its version; (None, 0) where there is none."""
        ...

    async def put(self, scope: str, key: str, value: Any, *, version: int | None = None) -> bool:
        """Compare-and-set; None deletes."""
        ...

    async def cursor(self, channel: str, feed: str) -> Any:
        """What was stored last, or None."""
        ...

    async def keep(self, chunks: AsyncIterable[bytes]) -> ClaimCheck:
        """Store bytes by their content."""
        ...

    def open(self, claim: ClaimCheck) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Read what was kept. Raises `StoreError` where it is gone."""
        ...

    async def sweep(self, *, older_than: float = 86_400.0) -> int:
        """Remove what no row names and nobody kept in the last *older_than* seconds; returns how many there were."""
        ...

    # Looking

    async def dispatches(self, *, limit: int = 100, recipient: str | None = None) -> Sequence[Dispatch]:
        """The newest first."""
        ...

    async def deliveries(
        self,
        channel: str,
        *,
        failed: bool = False,
        address: str | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Deliveries:
        """A page of what went out by *channel*, the oldest first: ids sort by time.

        A page looks at a bounded number of rows, however many there are, and so may be short before the end.

        Args:
            channel: Its name.
            failed: Only what came to no good end (`Dispatch.failed`) and still has its content.
            address: Only what went to this URI.
            after: Only behind this id, which need not be one: the beginning of an id will do.
            before: Only ahead of this id.
            limit: How many at most.
        """
        ...

    async def dead_entries(
        self, *, limit: int = 100, start: str | None = None, channel: str | None = None
    ) -> Sequence[Entry]:
        """Events in the dead letters, the oldest first; from the id *start* on, which is the page's first."""
        ...

    async def revive(self, entry: str) -> bool:
        """Take an entry out of the dead letters, to be handled anew; tells whether it was there."""
        ...

    async def discard(self, entry: str) -> bool:
        """Take an entry out of the dead letters, as if it were done; tells whether it was there."""
        ...

    async def dead_deliveries(
        self, *, limit: int = 100, start: str | None = None, channel: str | None = None, unknown: bool = False
    ) -> Sequence[Delivery]:
        """Deliveries in the dead letters, the oldest first, from the id *start* on.

        With *unknown* those that wait for somebody to decide what became of them (`DeliveryState.UNKNOWN`).
        """
        ...

    async def counts(self) -> LedgerCounts:
        """The ledger's sums."""
        ...
