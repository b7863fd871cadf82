"""Several hubs on one ledger, in one process: as many as a test likes, which can be killed and stopped."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

import anyio
from anyio.lowlevel import checkpoint

from convergekit import Hub, MemoryStore
from convergekit.abc import Clock
from convergekit.errors import StoreError
from convergekit.testing import FakeClock

_READ = frozenset({"load", "find", "versions", "get", "cursor", "dispatches", "counts", "dead_entries"})


class Peer:
    """One process's view of a ledger in memory that several share."""

    batch = 1
    is_shared = True

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._news = anyio.Event()
        self.away = False  # the database cannot be reached from here
        self.hangs = False  # ... and does not even say so
        self.silent = False  # nobody tells us of changes
        self.calls: list[str] = []

    @asynccontextmanager
    async def opened(self, clock: Clock) -> AsyncGenerator[None]:
        self._ledger.peers.append(self)
        try:
            yield
        finally:
            self._ledger.peers.remove(self)

    async def changed(self) -> None:
        await self._reached()
        await self._news.wait()
        self._news = anyio.Event()

    def tell(self) -> None:
        if not self.silent:
            self._news.set()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger.store, name)
        if name in ("lock", "open"):
            return method

        async def call(*args: Any, **options: Any) -> Any:
            await self._reached()
            self.calls.append(name)
            answer = await method(*args, **options)
            if name not in _READ:
                self._ledger.tell_others(self)
            return answer

        return call

    async def _reached(self) -> None:
        if self.hangs:
            await anyio.sleep_forever()
        if self.away:
            raise StoreError("the database cannot be reached")
        await checkpoint()


class Ledger:
    """What they share."""

    def __init__(self, clock: FakeClock) -> None:
        self.store = MemoryStore()
        self.store._clock = clock
        self.peers: list[Peer] = []

    def tell_others(self, who: Peer) -> None:
        for peer in self.peers:
            if peer is not who:
                peer.tell()


class Worker:
    """A hub in a task of its own."""

    def __init__(self, hub: Hub, peer: Peer) -> None:
        self.hub = hub
        self.peer = peer
        self.scope = anyio.CancelScope()
        self.leave = anyio.Event()
        self.left = anyio.Event()

    async def die(self) -> None:
        """As by kill -9: nothing that it does on the way out reaches the ledger."""
        self.peer.away = True
        self.scope.cancel()
        await self.left.wait()

    async def close(self) -> None:
        """Leave in good order."""
        self.leave.set()
        await self.left.wait()


class Workers:
    """Starts workers on one ledger and one clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ledger = Ledger(self.clock)
        self._tasks: Any = None
        self._all: list[Worker] = []

    async def start(self, ready: Callable[[Hub], Any] | None = None, *, seed: int = 7, **options: Any) -> Worker:
        """Another worker; *ready* prepares its hub before it is entered."""
        peer = Peer(self.ledger)
        hub = Hub(store=cast(Any, peer), clock=self.clock, random=Random(seed + len(self._all)), **options)
        worker = Worker(hub, peer)
        self._all.append(worker)
        if ready is not None:
            await ready(hub)
        await self._tasks.start(self._run, worker)
        return worker

    async def _run(self, worker: Worker, *, task_status: Any) -> None:
        with worker.scope:
            async with worker.hub:
                task_status.started()
                await worker.leave.wait()
        worker.left.set()

    async def breathe(self, turns: int = 40) -> None:
        """Let everything happen that can happen now."""
        for _ in range(turns):
            await checkpoint()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let *seconds* pass in steps, each with all that happens in it."""
        while seconds > 1e-9:
            self.clock.advance(min(step, seconds))
            seconds -= step
            await self.breathe()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Workers]:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as self._tasks:
                yield self
                for worker in self._all:
                    worker.leave.set()
