"""A hub over one loopback channel, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from convergekit import Hub, MemoryStore
from convergekit.adapters.loopback import Medium
from convergekit.testing import FakeClock

OpenHub = Callable[..., Any]


class Bench:
    """What a test holds: the hub, its clock, the medium of each channel."""

    def __init__(self, hub: Hub, clock: FakeClock, store: MemoryStore) -> None:
        self.hub = hub
        self.clock = clock
        self.store = store
        self.media: dict[str, Medium] = {}

    async def add(self, name: str = "loop", medium: Medium | None = None, **config: Any) -> Medium:
        """Add a loopback channel."""
        self.media[name] = medium or Medium()
        await self.hub.add_channel(name, {"adapter": "loopback", **config}, medium=self.media[name])
        return self.media[name]

    async def breathe(self, turns: int = 20) -> None:
        """Let the others have some turns, whether they come to an end or not."""
        for _ in range(turns):
            await checkpoint()

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        await self.breathe()
        await self.hub.idle()

    async def pass_time(self, seconds: float, step: float = 1.0, *, idle: bool = True) -> None:
        """Let *seconds* pass in steps, each with all that happens in it; without *idle*, work may go on over steps."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            await (self.settle() if idle else self.breathe())


@pytest.fixture
def bench() -> Callable[..., Any]:
    """What opens a hub for a test, to be entered with `async with`."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncGenerator[Bench]:
        clock = options.pop("clock", None) or FakeClock()
        store = options.pop("store", None) or MemoryStore()
        hub = Hub(store=store, clock=clock, random=Random(7), **options)
        with anyio.fail_after(60):
            async with hub:
                yield Bench(hub, clock, store)

    return opened
