"""Full durable inbound on SQLite: admit with duplicates, handler, done; against our own submit."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

import anyio

from convergekit import Hub, MessageReceived
from convergekit.abc import Admission, EntryState

from ..measure import Effort, Goal, Line, Side, compare
from .drive import LANES, fresh_file, rate_of, text
from .ours import CHANNEL, Medium, MediumConfig, at, store_at, submits_into

__all__ = ["run"]

PRODUCERS = 64
DUPLICATES = 0.05


class Inbound:
    """Events in, handled, done; and a count of what must not happen, over all rounds.

    Each producer has lanes of its own, so that the order in which it offers is the order of the lane.
    """

    def __init__(self, items: int) -> None:
        self.lost = self.twice = self.disordered = 0
        self._items = items
        self._handled: defaultdict[str, list[int]] = defaultdict(list)
        self._left = 0

    async def round(self) -> float:
        """Events a second, each counted once, from the first offered to the last one done."""
        self._handled.clear()
        self._left = self._items
        everything = anyio.Event()
        async with fresh_file() as file:
            store, medium = store_at(at(file)), Medium()
            hub = Hub(store=store)

            @hub.on_message
            async def handle(message: MessageReceived) -> None:
                lane, number = message.key.split("/")
                self._handled[lane].append(int(number))
                self._left -= 1
                if self._left <= 0:
                    everything.set()

            async with hub:
                await hub.add_channel(CHANNEL, MediumConfig(), medium=medium)
                began = time.perf_counter()
                async with anyio.create_task_group() as tasks:
                    for producer in range(PRODUCERS):
                        tasks.start_soon(self._produce, medium, producer)
                with anyio.move_on_after(60):
                    await everything.wait()
                await hub.idle()
                wall = time.perf_counter() - began
                counts = await store.counts()
        self._judge(counts.entries.get((CHANNEL, EntryState.DONE), 0))
        return self._items / wall

    async def _produce(self, medium: Medium, producer: int) -> None:
        chance = Random(producer)
        lanes = range(producer, LANES, PRODUCERS)
        share = range(producer, self._items, PRODUCERS)
        for number in share:
            event = _event(chance.choice(lanes), number)
            for expected in (Admission.NEW, Admission.DUPLICATE)[: 1 + (chance.random() < DUPLICATES)]:
                if await medium.context.admit(event) != (expected,):
                    raise RuntimeError(f"an event was to be {expected} and was not")

    def _judge(self, done: int) -> None:
        handled = [number for numbers in self._handled.values() for number in numbers]
        self.lost += self._items - min(len(set(handled)), done)
        self.twice += len(handled) - len(set(handled))
        self.disordered += sum(
            before > after for numbers in self._handled.values() for before, after in pairwise(numbers)
        )


async def run(effort: Effort) -> Iterator[Line]:
    """64 producers, 5 % of the events offered twice, 2,000 lanes; submit with as many producers."""
    items = effort.items(6_000, at_least=PRODUCERS * 4)
    inbound = Inbound(items)
    sides: dict[str, Side] = {
        "in": inbound.round,
        "submit": rate_of(submits_into, producers=PRODUCERS, items=items),
    }
    found = await compare(sides, effort.rounds)
    metric = f"durable inbound, SQLite, {PRODUCERS} producers (events a second)"
    peer = f"own submit, {PRODUCERS} producers"
    return iter(
        [
            Line.of(metric, found["in"], peer, found["submit"], Goal(">=", 0.35)),
            Line.never("durable inbound, events lost", inbound.lost),
            Line.never("durable inbound, events handled twice", inbound.twice),
            Line.never("durable inbound, events out of order in their lane", inbound.disordered),
        ]
    )


def _event(lane: int, number: int) -> MessageReceived:
    return MessageReceived.model_validate(
        {
            "key": f"{lane}/{number}",
            "sender": {"uri": f"bench:person-{lane}"},
            "at": datetime(2026, 1, 1, tzinfo=UTC),
            "text": text(number),
        }
    )
