"""Sending again from the ledger: one message, or all of a channel that came to no good end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Literal, NamedTuple, Self, TypeVar

from ._handles import DispatchHandle, Side
from .abc import Store
from .engine.clock import Ids
from .engine.engine import Engine
from .engine.redelivering import Again, Left, chosen
from .errors import ConfigurationError, InvalidInputError
from .model import Address, Delivery, Dispatch

__all__ = ["Only", "Redelivered", "Redelivering", "Redelivery", "Selection"]

#: What came to no good end, or all that went out.
Only = Literal["failed", "all"]

_PAGE: Final = 100
_WHY: Final = {
    Left.OPEN: "it is still under way, and is tried by itself",
    Left.AGAIN: "it was sent again already",
    Left.TAKEN: "it was taken, and {channel} does not recognise a repeat; send a new message",
    Left.UNKNOWN: "it may have gone out, and {channel} does not recognise a repeat; look there, then settle or resend "
    "it (hub.dead_letters)",
    Left.ELSEWHERE: "another way of its route was taken, or is under way",
    Left.CANCELLED: "it was cancelled, or not needed any more",
    Left.SUPPRESSED: "a gate has stopped it",
    Left.EXPIRED: "its time to live ran out; give it a new one (expires_at=)",
    Left.ERASED: "its content was erased",
}


HandleT = TypeVar("HandleT")


@dataclass(frozen=True, slots=True)
class Redelivery(Generic[HandleT]):
    """What became of one delivery that a bulk redelivery has looked at.

    Args:
        dispatch: Id of its dispatch.
        delivery: As it was.
        left: Why it does not go again; None where it does.
        handle: On its dispatch, where it goes again; None for a trial run as well.
    """

    dispatch: str
    delivery: Delivery
    left: Left | None
    handle: HandleT | None

    @property
    def why(self) -> str | None:
        """`left` in words."""
        return None if self.left is None else _WHY[self.left].format(channel=self.delivery.channel)


class Redelivered(NamedTuple):
    """What a bulk redelivery has done.

    Args:
        again: How many go again; of a trial run, would go.
        left: How many do not, by the reason.
        until: Before when they were made: who repeats what was interrupted says the same (`until=`).
    """

    again: int
    left: Mapping[Left, int]
    until: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries a bulk redelivery is about; see `Hub.redeliveries`."""

    channel: str
    to: Address | str | None = None
    since: datetime | None = None
    until: datetime | None = None
    only: Only = "failed"
    limit: int | None = None
    expires_at: datetime | None = None
    dry_run: bool = False


class Redelivering:
    """The hub's redelivery.

    Args:
        engine: Moves what goes again.
        side: Makes the handles.
        ids: Makes ids.
        check_open: Raises `NotRunningError` where the hub is not open.
    """

    def __init__(self, engine: Engine, side: Side, ids: Ids, check_open: Callable[[], None]) -> None:
        self._engine = engine
        self._store = engine.store
        self._side = side
        self._ids = ids
        self._check_open = check_open

    async def one(self, what: DispatchHandle | Delivery | str, expires_at: datetime | None) -> DispatchHandle:
        """See `Hub.redeliver`."""
        self._check_open()
        id = what if isinstance(what, str) else what.id
        if (dispatch := await self.find(id)) is None:
            raise InvalidInputError(
                f"the ledger has no dispatch {id!r}, and no delivery of a channel that is known here"
            )
        again = self._again(chosen(dispatch) if dispatch.id == id else (id,), expires_at)
        saved = await self._engine.ledger.update(dispatch, again)
        if saved is None:
            raise InvalidInputError(f"{id} does not go again: {_summed(dispatch, again)}")
        return DispatchHandle(self._side, self._engine.ledger.watch(saved))

    async def find(self, id: str) -> Dispatch | None:
        """The dispatch of that *id*, or the one that has a delivery of that id, by a channel that is known here."""
        if (dispatch := await self._store.load(id)) is not None:
            return dispatch
        for channel in self._engine.channels:
            found = await self._store.find(channel, delivery=id)
            dispatch = None if found is None else await self._store.load(found[0])
            if dispatch is not None:
                return dispatch
        return None

    async def many(self, selection: Selection) -> Redelivered:
        """See `Hub.redeliver`."""
        until = selection.until or self._side.clock.now()
        number, left = 0, Counter[Left]()
        async for each in self.each(selection):
            if each.left is None:
                number += 1
            else:
                left[each.left] += 1
        return Redelivered(number, dict(left), until)

    def each(self, selection: Selection) -> AsyncIterator[Redelivery[DispatchHandle]]:
        """See `Hub.redeliveries`."""
        self._check(selection)
        # What goes again now is not looked at once more, if it should fail while we are still at it.
        before = self._ids() if selection.until is None else min(self._ids(), Ids.since(selection.until))
        return _Walk(self._store, selection, before, self._do)

    async def _do(self, dispatch: Dispatch, id: str, selection: Selection) -> Redelivery[DispatchHandle]:
        again = self._again((id,), selection.expires_at, only_failed=selection.only == "failed")
        handle = None
        if selection.dry_run:
            again(dispatch)
        elif (saved := await self._engine.ledger.update(dispatch, again)) is not None:
            handle = DispatchHandle(self._side, self._engine.ledger.watch(saved))
        return Redelivery(dispatch.id, dispatch.by_id(id), again.left.get(id), handle)

    def _again(self, wanted: tuple[str, ...], expires_at: datetime | None, *, only_failed: bool = False) -> Again:
        now = self._side.clock.now()
        _check_aware(expires_at, "expires_at")
        if expires_at is not None and expires_at <= now:
            raise InvalidInputError(f"expires_at has passed already: {expires_at.isoformat()}")
        return Again(wanted, self._engine.channels, self._ids, now, only_failed, expires_at)

    def _check(self, selection: Selection) -> None:
        """Before anything is done."""
        self._check_open()
        if selection.channel not in self._engine.channels:
            raise ConfigurationError(
                f"there is no channel {selection.channel!r}; there are {sorted(self._engine.channels)}"
            )
        if selection.limit is not None and selection.limit < 1:
            raise InvalidInputError(f"limit has to be 1 or more, not {selection.limit}")
        if selection.only not in ("failed", "all"):
            raise InvalidInputError(f'only= is "failed" or "all", not {selection.only!r}')
        for name in ("since", "until"):
            _check_aware(getattr(selection, name), name)
        self._again((), selection.expires_at)


class _Walk:
    """Through a selection, a page in memory at a time. No generator: one that is left half-way has to be closed."""

    def __init__(
        self,
        store: Store,
        selection: Selection,
        before: str,
        do: Callable[[Dispatch, str, Selection], Awaitable[Redelivery[DispatchHandle]]],
    ) -> None:
        self._store = store
        self._selection = selection
        self._before = before
        self._do = do
        self._page: deque[tuple[Dispatch, str]] = deque()
        self._next: str | None = "" if selection.since is None else Ids.since(selection.since)
        self._gone = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Redelivery[DispatchHandle]:
        while self._gone != self._selection.limit and await self._has_more():
            done = await self._do(*self._page.popleft(), self._selection)
            if done.left is not Left.AGAIN:  # else it is history, and nothing that could have been meant
                self._gone += done.left is None
                return done
        raise StopAsyncIteration

    async def _has_more(self) -> bool:
        wanted = self._selection
        while not self._page and self._next is not None:
            found, self._next = await self._store.deliveries(
                wanted.channel,
                failed=wanted.only == "failed",
                address=None if wanted.to is None else _uri(wanted.to),
                after=self._next,
                before=self._before,
                limit=_PAGE,
            )
            self._page.extend(found)
        return bool(self._page)


def _check_aware(moment: datetime | None, name: str) -> None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidInputError(f"{name}= needs a time zone: datetime(..., tzinfo=UTC)")


def _uri(to: Address | str) -> str:
    return (Address.parse(to) if isinstance(to, str) else to).uri


def _summed(dispatch: Dispatch, again: Again) -> str:
    """Why nothing of a dispatch goes again."""
    said = {_WHY[why].format(channel=dispatch.by_id(id).channel): None for id, why in again.left.items()}
    return "; ".join(said) or f"{dispatch.state.value}: {dispatch.reason}"
