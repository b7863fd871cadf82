"""The driver: the server that plays X, workers that are killed, and what was wrong at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, Final

import anyio

from convergekit.testing.x import Limit, Person, XServer
from tests.killing import Worker, free_port, handled

__all__ = ["Killed", "killed"]

_MODULE: Final = "tests.adapters.x.killed.worker"
#: Seconds without a sign of life after which another worker may hear the channel.
_LEASE: Final = 2.0
_PEOPLE: Final = 30
#: X sends so many at once, each of them twice, in any order.
_TOGETHER: Final = 8
#: Requests that one life of a worker may make for its upkeep and at its beginning, and in each second of it.
_AT_FIRST: Final = 45
_PER_SECOND: Final = 3.0


class Killed:
    """One run.

    Args:
        folder: Empty.
        backends: Event loops of the workers: one after the other, as they are killed.
        seed: Of everything that is chance.
        mentions: How many.
        directs: How many direct messages.
        kills: How often.

    Attributes:
        wrong: What must not be, in words.
        figures: What there was.
    """

    def __init__(
        self, folder: Path, backends: Sequence[str], *, seed: int, mentions: int, directs: int, kills: int
    ) -> None:
        self._folder, self._backends, self._chance, self._seed = folder, cycle(backends), Random(seed), seed
        self._mentions, self._directs, self._kills = mentions, directs, kills
        self._port = free_port()
        self.wrong: list[str] = []
        self.figures: dict[str, Any] = {}
        self._said: set[str] = set()
        self._is_over = False

    async def run(self) -> None:
        """Do it."""
        began = time.monotonic()
        self._server = server = XServer()
        account = server.account("support")
        # Plenty: what is counted here is what the worker asks by itself.
        for route in ("/2/users/{id}/mentions", "/2/dm_events"):
            server.limits.table["GET", route] = Limit(user=9_000)
        server.pages_shift = True
        server.activity.callbacks = f"http://127.0.0.1:{self._port}"
        async with server.serving() as url, anyio.create_task_group() as tasks:
            self._terms = {
                "seed": self._seed,
                "port": self._port,
                "lease": _LEASE,
                "ledger": str(self._folder / "ledger.db"),
                "settings": {
                    "oauth1": account.oauth1,
                    "bearer_token": server.bearer_token,
                    "user_id": account.id,
                    "activity": "webhook",
                    "webhook_url": "https://bot.example.org/x",
                    "poll_interval": 1,
                    "reserve": 0,
                    "api": url,
                },
            }
            tasks.start_soon(self._deliver)
            await self._through()
            tasks.cancel_scope.cancel()
        self._compare()
        self._count(time.monotonic() - began)

    async def _through(self) -> None:
        worker = self._start()
        try:
            # The channel begins with what comes from now on: so now has to be before.
            await worker.until(lambda: self._is_ready(), 60)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._say)
                for _ in range(self._kills):
                    await worker.opened()
                    await anyio.sleep(self._chance.random() * 2 * _LEASE)
                    worker.kill()
                    worker = self._start()
            await worker.until(lambda: worker.note("all") >= len(self._said) and worker.note("left") == 0, 120)
            await anyio.sleep(3)  # what is told again may still be on its way
            await worker.until(lambda: worker.note("left") == 0, 60)
            self._admitted = worker.note("all")
        finally:
            worker.kill()

    def _is_ready(self) -> bool:
        polled = self._server.count("GET", "/2/users/:id/mentions"), self._server.count("GET", "/2/dm_events")
        return all(polled) and len(self._server.activity.subscriptions) >= 9

    async def _say(self) -> None:
        """People mention the account, and write to it, while the worker lives and dies."""
        people = [self._server.user(f"user{number}") for number in range(_PEOPLE)]
        acts = [self._mention] * self._mentions + [self._direct] * self._directs
        self._chance.shuffle(acts)
        seconds = max(5.0, self._kills * 1.5 * _LEASE) / len(acts)
        for number, act in enumerate(acts):
            act(self._chance.choice(people), number)
            await anyio.sleep(seconds)

    def _mention(self, person: Person, number: int) -> None:
        post = person.mention(f"mention {number}")
        self._said.add(post.text)

    def _direct(self, person: Person, number: int) -> None:
        text = f"direct {number}"
        person.direct(text)
        self._said.add(text)

    async def _deliver(self) -> None:
        """X tells what happened, twice and in any order; what nobody takes is gone."""
        while True:
            await self._server.activity.deliver(times=2, shuffled=True, together=_TOGETHER)
            await anyio.sleep(0.2)

    def _compare(self) -> None:
        counts = Counter(handled(self._folder / "ledger.db"))
        self.wrong += [f"{each!r} was never handled" for each in sorted(self._said - counts.keys())]
        self.wrong += [f"{each!r} was never said" for each in sorted(counts.keys() - self._said)]
        self.wrong += [f"{each!r} was handled {count} times" for each, count in counts.items() if count > 1]
        if self._admitted != len(self._said):
            self.wrong.append(f"{self._admitted} entries were admitted, of {len(self._said)} that were said")
        delivered = self._server.activity.delivered
        self.figures |= {
            "said": len(self._said),
            "handled": len(counts),
            "told": len(delivered),
            "taken": sum(each.status == 200 for each in delivered),
        }
        refused = {each.status for each in delivered} - {200, 503, None}
        self.wrong += [f"X was answered with {status}" for status in refused]

    def _count(self, seconds: float) -> None:
        most = _AT_FIRST * (self._kills + 1) + _PER_SECOND * seconds
        asked = self._server.count()
        routes = Counter(call.route for call in self._server.requests)
        self.figures |= {"seconds": round(seconds, 1), "requests": asked, "routes": dict(routes)}
        if asked > most:
            self.wrong.append(f"X was asked {asked} times, of {most:.0f} that are enough")

    def _start(self) -> Worker:
        return Worker(_MODULE, next(self._backends), terms=self._terms, log=self._folder / "log")


def killed(folder: Path, *backends: str, **size: int) -> Killed:
    """Do it; what was wrong is in the result."""
    run = Killed(folder, backends, **size)
    anyio.run(run.run)
    return run
