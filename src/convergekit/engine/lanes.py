"""Workers that serve lanes.

Rules kept here:

- No task per message and none per idle lane: a worker takes a lane, serves its head, and takes the next; with nothing
  to do it parks. Workers are started as they are needed, up to `size`.
- At most one claim is under way, and at most one wake is outstanding: a worker that has taken a lane and sees more
  wakes the next one, so a burst wakes as many workers as are of use and a no-op handler wakes none.
- What is claimed and not yet served is released when the pool is cancelled; what is served ends by itself.
- A lease is lost when a renewal is refused, or when none came before its end. Then what was done under it is cancelled.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Final

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from convergekit.abc import Clock, Direction, Lease, Store
from convergekit.errors import StoreError

from .clock import Alarm, Patience

__all__ = ["LEASE_SECONDS", "LanePool", "give_back"]

LEASE_SECONDS: Final = 120.0
_log = logging.getLogger(__name__)
_CLEANUP: Final = 5.0
_TURN_EVERY: Final = 32  # a worker that never has to wait lets others have a turn after so many items
#: Share of its lease before the end of which what is done under it is stopped; it is renewed after a third already.
_EARLIER: Final = 0.05


class LanePool:
    """Serves the lanes of one direction.

    Args:
        store: Where the lanes are.
        clock: Time.
        direction: "in" or "out".
        serve: Called with each lease; must end it (finish, postpone, save with release ...) and not raise.
        size: Lanes served at the same time.
        lease: Seconds for which a lane is claimed, and prolonged while it is served.
        slots: Given how many lanes of each channel are held, how many more may be claimed now; None for any number
            of any channel. Asked before each claim.
        next_slot: When `slots` will change by itself, or None.
        cancels: Whether `serve` is cancelled when its lease is lost; else it has to look by itself.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        direction: Direction,
        serve: Callable[[Lease], Awaitable[None]],
        *,
        size: int,
        lease: float = LEASE_SECONDS,
        slots: Callable[[Mapping[str, int]], Mapping[str, int] | None] = lambda taken: None,
        next_slot: Callable[[], datetime | None] = lambda: None,
        cancels: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._direction: Direction = direction
        self._serve = serve
        self._size = size
        self._lease = lease
        self._slots = slots
        self._next_slot = next_slot
        self._cancels = cancels
        self._tasks: TaskGroup | None = None
        self._buffer: deque[Lease] = deque()
        self._held: dict[int, Lease] = {}
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._taken: Counter[str] = Counter()
        self._parked: list[anyio.Event] = []
        self._workers = 0
        self._resting = 0
        self._waking = False
        self._claiming = False
        self._dirty = False
        self._more = False
        self._quiet = anyio.Event()
        self._alarm = Alarm(clock, self.wake)
        self._ends = Alarm(clock, self._end_overdue, nap=lease * _EARLIER)
        self._patience = Patience(clock, f"claiming {direction}bound work")
        self._context = copy_context()

    async def run(self) -> None:
        """Serve until cancelled."""
        # Workers live long: they are not to inherit what a caller who happens to wake them has set for itself.
        self._context = copy_context()
        while True:
            await self._run()
            # A worker that somebody else has cancelled took the others along; what they held was given back.
            _log.error("the workers for %sbound lanes were cancelled from elsewhere; others take over", self._direction)
            self._workers, self._waking, self._claiming, self._parked = 0, False, False, []

    async def _run(self) -> None:
        async with anyio.create_task_group() as self._tasks:
            try:
                self._tasks.start_soon(self._alarm.run)
                self._tasks.start_soon(self._renew)
                self._tasks.start_soon(self._ends.run)
                self.wake()
                await anyio.sleep_forever()
            finally:
                self._tasks = None

    def wake(self) -> None:
        """There may be something to serve."""
        if self._tasks is None:
            return
        if self._claiming:
            self._dirty = True
        elif self._waking:
            pass
        elif self._parked:
            self._waking = True
            self._parked.pop().set()
        elif self._workers < self._size:
            self._waking = True
            self._workers += 1
            self._context.copy().run(self._tasks.start_soon, self._work)
        else:
            self._dirty = True

    @property
    def is_idle(self) -> bool:
        """Whether every worker is parked, or waits for a time, and none is about to wake."""
        return not self._waking and not self._claiming and len(self._parked) + self._resting == self._workers

    async def idle(self) -> None:
        """Return once there is nothing to serve now. What waits for a time does not count."""
        await checkpoint()
        while not self.is_idle:
            await self._quiet.wait()

    @contextmanager
    def resting(self) -> Generator[None]:
        """Around what a worker does where it waits for a time, which does not count as work."""
        self._resting += 1
        self._tell_if_quiet()
        try:
            yield
        finally:
            self._resting -= 1

    async def _work(self) -> None:
        self._waking = False
        while True:
            with anyio.CancelScope() as scope:
                await self._work_in(scope)

    async def _work_in(self, scope: anyio.CancelScope) -> None:
        """Serve lane after lane, until one is lost. One scope for all of them: to make one costs as much as a lane."""
        served = 0
        while not scope.cancel_called:
            lease = await self._next()
            number = id(lease)
            self._held[number] = lease
            if self._cancels:
                self._scopes[number] = scope
                self._ends.set(self._stops_at(lease))
            try:
                await self._serve(lease)
            finally:
                del self._held[number]
                self._scopes.pop(number, None)
                self._taken[lease.lane.channel] -= 1
            served += 1
            if served % _TURN_EVERY == 0:
                await checkpoint()

    async def _next(self) -> Lease:
        while True:
            if self._buffer:
                lease = self._buffer.popleft()
                if self._buffer or self._more:
                    self.wake()
                if lease.until > self._clock.now():
                    return lease
                self._taken[lease.lane.channel] -= 1  # this process stood still, and the lane may be another's
                continue
            if not self._claiming:
                await self._claim()
                if self._buffer or self._dirty:
                    continue
            await self._park()

    async def _claim(self) -> None:
        self._claiming, self._dirty = True, False
        try:
            # Those that are parked, those that were never started, and whoever is asking.
            limit = min(self._store.batch, self._size - self._workers + len(self._parked) + 1)
            claim = await self._store.claim(
                self._direction, limit=limit, seconds=self._lease, slots=self._slots(self._taken)
            )
            self._patience.over()
        except StoreError as error:
            # The ledger may come back; what is in it is not lost. Nobody else need try meanwhile.
            await self._patience.wait(error)
            self._dirty = True
            return
        finally:
            self._claiming = False
        self._more = claim.more
        for lease in claim.leases:
            self._taken[lease.lane.channel] += 1
            self._buffer.append(lease)
        # Set also where there is work now: whoever takes it may be long about it, and nobody else need look before.
        self._alarm.set(claim.next_due)
        if not claim.leases:
            self._alarm.set(self._next_slot())

    async def _park(self) -> None:
        event = anyio.Event()
        self._parked.append(event)
        self._tell_if_quiet()
        await event.wait()
        self._waking = False

    def _tell_if_quiet(self) -> None:
        if self.is_idle:
            self._quiet.set()
            self._quiet = anyio.Event()

    async def _renew(self) -> None:
        patience = Patience(self._clock, f"renewing the leases of {self._direction}bound work")
        while True:
            await self._clock.sleep(self._lease / 3)
            while True:
                try:
                    await self._prolong()
                    break
                except StoreError as error:
                    await patience.wait(error)
            patience.over()

    async def _prolong(self) -> None:
        leases = [*self._held.values(), *self._buffer]
        before, longest = [lease.until for lease in leases], self._clock.now() + timedelta(seconds=self._lease)
        await self._store.renew(leases, self._lease)
        for lease, until in zip(leases, before, strict=True):
            if lease.until == until < longest:  # it was refused: another has taken over
                lease.until = self._clock.now()  # for whoever looks before it acts
                self._end(lease)

    def _end_overdue(self) -> None:
        """A lease that was not renewed in time is another's to take, whether or not one does."""
        now = self._clock.now()
        for lease in list(self._held.values()):
            if (at := self._stops_at(lease)) <= now:
                self._end(lease)
            else:
                self._ends.set(at)

    def _stops_at(self, lease: Lease) -> datetime:
        """Somewhat before its end: whoever takes the lane over then finds that it was left."""
        return lease.until - timedelta(seconds=self._lease * _EARLIER)

    def _end(self, lease: Lease) -> None:
        """It is lost: cancel what is being done under it."""
        scope = self._scopes.get(id(lease))
        if scope is not None and not scope.cancel_called:
            _log.warning("a lane of %s is ours no longer: what is done in it is cancelled", lease.lane.channel)
            scope.cancel()

    async def aclose(self) -> None:
        """Give back what was claimed and not served. Call it after `run` has ended."""
        try:
            while self._buffer:
                await self._store.release(self._buffer.popleft())
        except StoreError:
            _log.exception("what was claimed was not given back; it is when its lease ends")


async def give_back(store: Store, lease: Lease) -> None:
    """Release what a task that is being cancelled had in hand, so that nobody waits for the lease to end."""
    what = f"delivery {lease.delivery}" if lease.entry is None else f"event {lease.entry.id}"
    with anyio.move_on_after(_CLEANUP, shield=True):
        try:
            await store.release(lease)
        except StoreError as error:  # it must not stand in for the cancellation, and come out of the hub as a group
            _log.warning("%s was not given back: %s; it is when its lease ends", what, error)
