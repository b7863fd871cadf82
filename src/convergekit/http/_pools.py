"""One small connection pool per origin.

httpx's own pool looks through all its connections and waiting requests for each request, and collapses when it is
shared by many hosts or holds many waiters. Here a request waits for its turn before it meets the pool, and a pool
only ever knows one host.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

import anyio

__all__ = ["Pools"]

#: Seconds that a pool without work is kept, and how many pools are.
_IDLE: Final = 60.0
_ORIGINS: Final = 256


class _Pool:
    __slots__ = ("free", "transport", "used_at", "users")

    def __init__(self, transport: Any, connections: int) -> None:
        self.transport = transport
        self.free = anyio.Semaphore(connections, fast_acquire=True)
        self.users, self.used_at = 0, 0.0


class Pools:
    """Transports by origin, the least recently used first to go.

    Args:
        make: Makes a transport for up to so many connections.
        connections: To one origin, at the same time.
        clock: Seconds that never go back; for tests.
    """

    def __init__(self, make: Callable[[int], Any], connections: int, clock: Callable[[], float] = monotonic) -> None:
        self._make, self._connections, self._clock = make, connections, clock
        self._pools: OrderedDict[str, _Pool] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pools)

    @asynccontextmanager
    async def lend(self, origin: str) -> AsyncGenerator[Any]:
        """Wait for one of the connections to *origin*; the transport that has it."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(self._make(self._connections), self._connections)
        pool.users += 1  # from here on nobody closes it
        self._pools.move_to_end(origin)
        try:
            if len(self._pools) > 1:
                await self._close_idle()
            await pool.free.acquire()
            try:
                yield pool.transport
            finally:
                pool.free.release()
        finally:
            pool.users -= 1
            pool.used_at = self._clock()

    async def _close_idle(self) -> None:
        now = self._clock()
        for origin, pool in list(self._pools.items())[:2]:  # two for one: it shrinks, and nobody waits for many
            late = now - pool.used_at > _IDLE or len(self._pools) > _ORIGINS
            if pool.users == 0 and late:
                del self._pools[origin]
                await _close(pool)

    async def aclose(self) -> None:
        """Close all of them; a later `lend` makes new ones."""
        while self._pools:
            _, pool = self._pools.popitem()
            await _close(pool)


async def _close(pool: _Pool) -> None:
    # Shielded, so that no socket stays behind; bounded, so that a dead peer can't hold us.
    with anyio.move_on_after(2, shield=True):
        await pool.transport.aclose()
