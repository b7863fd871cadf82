"""Small pools per origin, of connections that serve one request at a time.

httpx's own pool looks through all its connections and waiting requests for each request, collapses when it is shared
by many hosts or holds many waiters, and hands one idle connection to several requests, all but one of which have to
begin again. Here a request waits for its turn first, and is then alone on its connection: the one that was used last,
which is the least likely to have been closed by the other side.

Rules kept here:
- What is bounded is the number of idle connections, of all origins together; of those that are lent, who asks decides.
  A pool is there while it has one or the other, so that pools are no more than both.
- The longest idle one is closed where there would be too many. Those that were idle for long are closed when another
  is lent, two for one, so that nobody waits for many; and all of them by `tidy` where nobody asks any more.
- Nothing here looks through anything: each step takes as long with a thousand origins as with one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

import anyio

__all__ = ["Pool", "Pools"]

#: Idle connections that are kept at most. Each has two descriptors (`_wire`), and many systems give a process 1,024.
_IDLE: Final = 256


class Pool:
    """The connections to one origin."""

    __slots__ = ("free", "idle", "is_closed", "origin", "users")

    def __init__(self, origin: str, connections: int) -> None:
        self.origin = origin
        self.idle: deque[Any] = deque()  # the last used at the end
        self.free = anyio.Semaphore(connections, fast_acquire=True)
        self.users = 0  # who wait, too
        self.is_closed = False


class Pools:
    """Connections by origin.

    Args:
        make: Makes a connection, which is not open yet.
        connections: To one origin, at the same time.
        keep: Seconds that one may be idle.
        most: Idle ones of all origins.
        clock: Seconds that never go back; for tests.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        connections: int,
        *,
        keep: float = 60.0,
        most: int = _IDLE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._make, self._connections, self._keep, self._most, self._clock = make, connections, keep, most, clock
        self._pools: dict[str, Pool] = {}
        self._idle: OrderedDict[Any, tuple[Pool, float]] = OrderedDict()  # since when; the longest idle first
        self._rests = anyio.Event()  # set: one of them is idle

    def __len__(self) -> int:
        return len(self._pools)

    @asynccontextmanager
    async def lend(self, origin: str) -> AsyncGenerator[Any]:
        """One of the connections to *origin*, once one is free."""
        pool, connection = await self.take(origin)
        try:
            yield connection
        finally:
            await self.give(pool, connection)

    async def take(self, origin: str) -> tuple[Pool, Any]:
        """The same, for who gives it back by `give`."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self._connections)
        pool.users += 1  # from here on it stays
        try:
            if self._is_late():
                await self._close_idle(2)  # two for one: they get fewer
            await pool.free.acquire()
        except BaseException:
            self._left(pool)
            raise
        if pool.idle:
            connection = pool.idle.pop()
            del self._idle[connection]
            return pool, connection
        try:
            return pool, self._make()
        except BaseException:
            pool.free.release()
            self._left(pool)
            raise

    async def give(self, pool: Pool, connection: Any) -> None:
        """It is done with: another may have it."""
        try:
            await (connection.aclose() if pool.is_closed else connection.release())
        finally:
            if not pool.is_closed:
                if not self._idle:
                    self._rests.set()
                self._idle[connection] = pool, self._clock()
                pool.idle.append(connection)
            pool.free.release()
            self._left(pool)
        if len(self._idle) > self._most:
            await self._close_idle(1)

    def _left(self, pool: Pool) -> None:
        pool.users -= 1
        self._forget(pool)

    def _forget(self, pool: Pool) -> None:
        if not pool.users and not pool.idle and self._pools.get(pool.origin) is pool:
            del self._pools[pool.origin]

    def _is_late(self) -> bool:
        """Whether the longest idle one has been so for long, or they are too many."""
        for _, at in self._idle.values():
            return at < self._clock() - self._keep or len(self._idle) > self._most
        return False

    async def _close_idle(self, most: int) -> None:
        """Up to *most* of those that are late."""
        while most > 0 and self._is_late():
            connection, (pool, _) = self._idle.popitem(last=False)
            pool.idle.popleft()  # the same one: nobody's has been idle for longer
            self._forget(pool)
            await _close(connection)
            most -= 1

    async def tidy(self) -> None:
        """Close what is idle for longer than it may be, until cancelled."""
        while True:
            await self._rests.wait()
            self._rests = anyio.Event()
            while self._idle:
                await anyio.sleep(self._keep)
                await self._close_idle(len(self._idle))

    async def aclose(self) -> None:
        """Close all of them, and those that are lent when they are given back; a later `lend` makes new ones."""
        for pool in self._pools.values():
            pool.is_closed = True
        self._pools.clear()
        while self._idle:
            connection, (pool, _) = self._idle.popitem()
            pool.idle.clear()
            await _close(connection)


async def _close(connection: Any) -> None:
    # Shielded, so that no socket stays behind; bounded, so that a dead peer can't hold us.
    with anyio.move_on_after(2, shield=True):
        await connection.aclose()
