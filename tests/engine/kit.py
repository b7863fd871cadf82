"""What the tests of the engine share: awaits that can be counted and cut, and adapters made of functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Self

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from anyio.lowlevel import checkpoint
from pydantic import BaseModel

from convergekit import MemoryStore
from convergekit.abc import Adapter, ChannelContext, Outgoing, Polled, RetryPolicy
from convergekit.model import ConversationRef, Delivery, Part, Receipt, Status

ANN = "loopback:ann"
BOB = "loopback:bob"


class Points:
    """Counts the points at which a run could be cancelled, and cancels a scope at one of them.

    Args:
        at: Number of the point, from 1; None only counts.
        only: Id of the task whose points count; None counts those of all tasks.
    """

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.only: int | None = None
        self.seen = 0
        self.scope: anyio.CancelScope | None = None

    async def __call__(self) -> None:
        if self.scope is not None and self.only in (None, anyio.get_current_task().id):
            self.seen += 1
            if self.seen == self.at:
                self.scope.cancel()
        await checkpoint()


def _cut(name: str) -> Any:
    async def method(self: Any, *args: Any, **options: Any) -> Any:
        await self.point()  # nothing is stored yet
        result = await getattr(MemoryStore, name)(self, *args, **options)
        await self.point()  # it is stored, and nobody knows
        return result

    method.__name__ = name
    return method


_IN = ("admit", "finish", "postpone", "bury")
_OUT = ("submit", "load", "save", "awake", "find", "park", "unpark")
_BOTH = ("claim", "renew", "release", "get", "put", "cursor", "keep")


class CutStore(MemoryStore):
    """A ledger each of whose transactions can be cancelled before it, and after it."""

    def __init__(self) -> None:
        super().__init__()
        self.point: Callable[[], Awaitable[None]] = checkpoint


for _name in (*_IN, *_OUT, *_BOTH):
    setattr(CutStore, _name, _cut(_name))


class ProbeConfig(BaseModel, frozen=True, extra="forbid"):
    """Nothing to set: what the probe does are its parts."""


class Probe(Adapter[ProbeConfig]):
    """An adapter that does what its parts say: `opening`, `leaving` and `sending` are functions."""

    name = "probe"
    schemes = frozenset({"probe"})
    Config = ProbeConfig
    retry = RetryPolicy(base=1.0, factor=2.0, cap=60.0, attempts=5, jitter=0.0)

    def __init__(self, config: ProbeConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        self.parts: dict[str, Any] = dict(context.parts)

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self]:
        self.parts.setdefault("entered", []).append(self)
        await self._call("opening")
        try:
            yield self
        finally:
            self.parts.get("log", []).append(f"{self.context.channel} left")

    async def send(self, out: Outgoing) -> Receipt:
        answer = await self._call("sending", out)
        return Receipt(Status.ACCEPTED, ids=(f"id-{out.key}",)) if answer is None else answer

    async def _call(self, name: str, *args: Any) -> Any:
        function = self.parts.get(name)
        return None if function is None else await function(*args)


class ListeningConfig(BaseModel, frozen=True, extra="forbid"):
    """For `Listening`."""


class Listening(Probe):
    """A probe that listens; its part is `listening(adapter, task_status)`."""

    name = "listening"
    schemes = frozenset({"listening"})
    Config = ListeningConfig  # type: ignore[assignment]

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        await self.parts["listening"](self, task_status)


class PollingConfig(BaseModel, frozen=True, extra="forbid"):
    """For `Polling`."""


class Polling(Probe):
    """A probe that is polled; its part is `polling(feed, cursor)`."""

    name = "polling"
    schemes = frozenset({"polling"})
    Config = PollingConfig  # type: ignore[assignment]
    poll_interval = 10.0

    def __init__(self, config: ProbeConfig, context: ChannelContext) -> None:
        super().__init__(config, context)
        self.feeds: Sequence[str] = self.parts.get("feeds", ("inbox",))

    async def poll(self, feed: str, cursor: Any) -> Polled:
        polled: Polled = await self.parts["polling"](feed, cursor)
        return polled


def delivery(parts: int = 1, *, due: datetime, **fields: Any) -> Delivery:
    """A delivery that is queued."""
    ref = ConversationRef(channel="loop", address=ANN)
    return Delivery(
        id=fields.pop("id", "d1"),
        dispatch="dispatch1",
        channel="loop",
        address=ref.address,
        conversation=ref,
        parts=tuple(Part(text=str(number)) for number in range(parts)),
        key="d1",
        due=due,
        **fields,
    )
