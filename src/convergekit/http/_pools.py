"""One small pool per origin, of connections that serve one request at a time.

httpx's own pool looks through all its connections and waiting requests for each request, collapses when it is shared
by many hosts or holds many waiters, and hands one idle connection to several requests, all but one of which have to
begin again. Here a request waits for its turn first, and is then alone on its connection: the one that was used last,
which is the least likely to have been closed by the other side.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

import anyio

__all__ = ["Pool", "Pools"]

#: Seconds that a pool without work is kept, and how many pools are.
_IDLE: Final = 60.0
_ORIGINS: Final = 256


class Pool:
    """The connections to one origin."""

    __slots__ = ("free", "idle", "used_at", "users")

    def __init__(self, connections: int) -> None:
        self.idle: deque[tuple[Any, float]] = deque()  # with the time of their last use; the last used at the end
        self.free = anyio.Semaphore(connections, fast_acquire=True)
        self.users, self.used_at = 0, 0.0


class Pools:
    """Connections by origin, the least recently used first to go.

    Args:
        make: Makes a connection, which is not open yet.
        connections: To one origin, at the same time.
        clock: Seconds that never go back; for tests.
    """

    def __init__(self, make: Callable[[], Any], connections: int, clock: Callable[[], float] = monotonic) -> None:
        self._make, self._connections, self._clock = make, connections, clock
        self._pools: OrderedDict[str, Pool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pools)

    @asynccontextmanager
    async def lend(self, origin: str) -> AsyncGenerator[Any]:
        """One of the connections to *origin*, once one is free."""
        pool, transport = await self.take(origin)
        try:
            yield transport
        finally:
            self.give(pool, transport)

    async def take(self, origin: str) -> tuple[Pool, Any]:
        """The same, for who gives it back by `give`."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(self._connections)
        pool.users += 1  # from here on nobody closes it
        self._pools.move_to_end(origin)
        try:
            if len(self._pools) > 1:
                await self._close_idle()
            if pool.idle and self._clock() - pool.idle[0][1] > _IDLE:
                await _close(pool.idle.popleft()[0])
            await pool.free.acquire()
        except BaseException:
            self._left(pool)
            raise
        try:
            return pool, pool.idle.pop()[0] if pool.idle else self._make()
        except BaseException:
            pool.free.release()
            self._left(pool)
            raise

    def give(self, pool: Pool, transport: Any) -> None:
        """Another may have it."""
        pool.idle.append((transport, self._clock()))
        pool.free.release()
        self._left(pool)

    def _left(self, pool: Pool) -> None:
        pool.users -= 1
        pool.used_at = self._clock()

    async def _close_idle(self) -> None:
        now = self._clock()
        for origin, pool in list(self._pools.items())[:2]:  # two for one: it shrinks, and nobody waits for many
            late = now - pool.used_at > _IDLE or len(self._pools) > _ORIGINS
            if pool.users == 0 and late:
                del self._pools[origin]
                await _close(*(transport for transport, _ in pool.idle))

    async def aclose(self) -> None:
        """Close all of them; a later `lend` makes new ones."""
        while self._pools:
            _, pool = self._pools.popitem()
            await _close(*(transport for transport, _ in pool.idle))


async def _close(*transports: Any) -> None:
    # Shielded, so that no socket stays behind; bounded, so that a dead peer can't hold us.
    with anyio.move_on_after(2, shield=True):
        for transport in transports:
            await transport.aclose()
