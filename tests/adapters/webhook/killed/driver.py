"""The driver: the line between the two sides, workers that are killed, and what was wrong at the end."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, Final

import anyio

from tests.killing import Worker, free_port, handled

from .line import Line

__all__ = ["Killed", "killed"]

_MODULE: Final = "tests.adapters.webhook.killed.worker"
#: Seconds without a sign of life after which what a dead worker had in hand is taken over.
_LEASE: Final = 2.0
_LANES: Final = 20
_SECRET: Final = "whsec_" + "a2lsbGVk" * 4
#: Seconds after which a side is killed, at most; messages are submitted for as long as that goes on, more or less.
_LIFE: Final = 2.0
_STUCK: Final = 300.0


class Killed:
    """One run.

    Args:
        folder: Empty.
        backends: Event loops of the workers: one after the other, as they are killed.
        seed: Of everything that is chance.
        messages: How many.
        kills: How often, each side.

    Attributes:
        wrong: What must not be, in words.
        figures: What there was.
    """

    def __init__(self, folder: Path, backends: Sequence[str], *, seed: int, messages: int, kills: int) -> None:
        self._folder, self._backends, self._chance, self._seed = folder, cycle(backends), Random(seed), seed
        self._messages, self._kills = messages, kills
        self._port = free_port()
        self.wrong: list[str] = []
        self.figures: dict[str, Any] = {}

    async def run(self) -> None:
        """Do it."""
        began = time.monotonic()
        self._line = Line(self._port, Random(self._seed))
        async with self._line.open() as origin:
            self._terms = {
                "seed": self._seed,
                "port": self._port,
                "lease": _LEASE,
                "lanes": _LANES,
                "messages": self._messages,
                "pause": 2 * self._kills * _LIFE / self._messages,
                "url": f"{origin}/shop",
                # A short time for an answer: who is killed gives none.
                "settings": {"url": f"{origin}/shop", "secrets": [_SECRET], "timeout": 1.0},
            }
            await self._through()
        self._compare()
        self.figures["seconds"] = round(time.monotonic() - began, 1)

    async def _through(self) -> None:
        sides = {name: self._start(name) for name in ("takes", "sends")}
        try:
            for _ in range(self._kills):
                for name in self._chance.sample(list(sides), 2):
                    for worker in sides.values():
                        await worker.opened()
                    await anyio.sleep(self._chance.random() * _LIFE)
                    sides[name].kill()
                    sides[name] = self._start(name)
            await sides["sends"].until(lambda: sides["sends"].note("submitted") > 0, _STUCK)
            for worker in (sides["sends"], sides["takes"]):
                await worker.done(_STUCK)
            self._admitted = sides["takes"].note("all")
        finally:
            for worker in sides.values():
                worker.kill()

    def _compare(self) -> None:
        said = {f"{number % _LANES}/{number}" for number in range(self._messages)}
        rows = handled(self._folder / "takes.db")
        counts = Counter(rows)
        self.wrong += [f"{each} was never handled" for each in sorted(said - counts.keys())]
        self.wrong += [f"{each} was handled {count} times" for each, count in counts.items() if count > 1]
        if self._admitted != len(said):
            self.wrong.append(f"{self._admitted} entries were admitted, of {len(said)} messages")
        self._compare_requests()
        self._compare_order(rows)
        self.figures |= {
            "messages": len(said),
            "handled": len(rows),
            "requests": len(self._line.seen),
            "repeats": len(self._line.seen) - len({seen.id for seen in self._line.seen}),
            "faults": self._line.faults,
        }

    def _compare_requests(self) -> None:
        """A repeat is one by its id, and byte for byte."""
        ids, bodies = defaultdict(set), defaultdict(set)
        for seen in self._line.seen:
            ids[seen.data["text"]].add(seen.id)
            bodies[seen.id].add(seen.body)
        self.wrong += [f"{each} went out under {len(known)} ids" for each, known in ids.items() if len(known) > 1]
        self.wrong += [f"{each} stood for {len(known)} documents" for each, known in bodies.items() if len(known) > 1]
        refused = {seen.status for seen in self._line.seen} - {204, 503, None}
        self.wrong += [f"a webhook was answered with {status}" for status in refused]

    def _compare_order(self, handled: Sequence[str]) -> None:
        """Where it was asked for: once the next one has come, the one before comes no more."""
        came = [seen.data["text"] for seen in self._line.seen]
        for what, texts in (("came", came), ("were handled", handled)):
            newest: dict[int, int] = {}
            for lane, number in (map(int, text.split("/")) for text in texts):
                if lane % 4 and newest.get(lane, -1) > number:
                    self.wrong.append(f"messages {number} and {newest[lane]} of lane {lane} {what} in the other order")
                newest[lane] = max(number, newest.get(lane, -1))

    def _start(self, name: str) -> Worker:
        terms = {**self._terms, "ledger": str(self._folder / f"{name}.db")}
        return Worker(_MODULE, name, next(self._backends), terms=terms, log=self._folder / "log")


def killed(folder: Path, *backends: str, **size: int) -> Killed:
    """Do it; what was wrong is in the result."""
    run = Killed(folder, backends, **size)
    anyio.run(run.run)
    return run
