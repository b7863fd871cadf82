"""Our side of the inbound comparison: a hub, and an adapter as a plugin author would write it. Public names only."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from pydantic import BaseModel, ConfigDict

from convergekit import Hub, MemoryStore, MessageReceived, Receipt, Status
from convergekit.abc import Adapter, Outgoing

from .measure import Timer
from .updates import Updates

__all__ = ["Inbound", "inbound"]

BURST = 64


class FeedConfig(BaseModel):
    """None: the medium is passed as a part."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Feed:
    """The medium: hands out bursts of updates."""

    def __init__(self) -> None:
        self._burst: Sequence[dict[str, Any]] = ()
        self._offered, self._taken = anyio.Event(), anyio.Event()

    async def offer(self, burst: Sequence[dict[str, Any]]) -> None:
        """Return once everything has been admitted."""
        self._burst, self._taken = burst, anyio.Event()
        self._offered.set()
        await self._taken.wait()

    async def next(self) -> Sequence[dict[str, Any]]:
        """The next burst; the one before has been admitted."""
        self._taken.set()
        await self._offered.wait()
        self._offered = anyio.Event()
        return self._burst


class FeedAdapter(Adapter[FeedConfig]):
    """Admits what its feed offers, one by one."""

    name = "bench-feed"
    schemes: ClassVar[frozenset[str]] = frozenset({"tg"})
    Config = FeedConfig

    async def send(self, out: Outgoing) -> Receipt:
        """Take anything."""
        return Receipt(Status.ACCEPTED)

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Admit, burst after burst."""
        feed: Feed = self.context.parts["feed"]
        task_status.started()
        while True:
            for update in await feed.next():
                await self.context.admit(to_event(update))


def to_event(update: dict[str, Any]) -> MessageReceived:
    """What an update says, in our terms."""
    message = update["message"]
    sender = message["from"]
    return MessageReceived.model_validate(
        {
            "key": str(update["update_id"]),
            "message_id": str(message["message_id"]),
            "sender": {"uri": f"tg:{sender['id']}", "display_name": sender["first_name"]},
            "at": message["date"],
            "text": message["text"],
            "native": update,
        }
    )


class Inbound:
    """A hub that is open, and counts what it handles."""

    def __init__(self, hub: Hub, feed: Feed) -> None:
        self.hub, self._feed = hub, feed
        self.handled: Counter[str] = Counter()
        self.passed = 0
        self._updates = Updates()

    async def round(self, items: int, text: str) -> float:
        """Feed *items* in bursts and wait for each burst to be done: microseconds of CPU time for each."""
        self.handled.clear()
        self.passed = 0
        updates = self._updates(items, text)
        with Timer(items) as timer:
            for start in range(0, items, BURST):
                await self._feed.offer(updates[start : start + BURST])
                await self.hub.idle()
        if set(self.handled.values()) != {1} or len(self.handled) != items or self.passed != items:
            raise RuntimeError(f"{items} events were offered and {self.handled.total()} were handled")
        return timer.figure


@asynccontextmanager
async def inbound(filters: Sequence[dict[str, Any]]) -> AsyncGenerator[Inbound]:
    """A hub with one handler for each of *filters* and one middleware, a feed on its only channel."""
    feed = Feed()
    hub = Hub(store=MemoryStore())
    side = Inbound(hub, feed)

    @hub.middleware
    async def around(handling: Any, call_next: Any) -> Any:
        side.passed += 1
        return await call_next(handling)

    for handler, each in zip(_handlers(side), filters, strict=False):
        hub.on_message(**each)(handler)
    async with hub:
        await hub.add_channel("feed", FeedConfig(), feed=feed)
        yield side


def _handlers(side: Inbound) -> Iterator[Callable[..., Any]]:
    while True:

        async def handler(message: MessageReceived) -> None:
            side.handled[message.key] += 1

        yield handler
