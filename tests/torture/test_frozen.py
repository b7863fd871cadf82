"""A worker stands still for longer than its lease, in the midst of a handler, and goes on: it has lost the lane.

Other than in the torture, where chance decides when a worker is stopped, it is stopped at the worst moments here: what
it waits for has come by the time it goes on, so that its handler could end before anybody looks at the lease.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from convergekit import MessageReceived
from convergekit.abc import EntryState
from convergekit.engine.clock import SystemClock
from convergekit.model import ConversationRef

from .launch import Processes
from .link import Link
from .recorder import TURN, until
from .worker import Terms

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]  # the workers run on both

LANE = ConversationRef(channel="hooked", address="torture:ann")


class World:
    """What workers ask; it keeps the answers to one of their questions to itself until it is told to give them.

    Args:
        held: Which question: "begin" or "end".

    Attributes:
        told: What handlers have said, in order: (worker, what it said, of which event or run).
    """

    def __init__(self, held: str) -> None:
        self._held = held
        self._gates = {"a": anyio.Event(), "b": anyio.Event()}
        self._runs = 0
        self.links: dict[str, Link] = {}
        self.opened: set[str] = set()
        self.taken: Counter[str] = Counter()
        self.told: list[tuple[str, str, Any]] = []

    def answer(self, link: Link, what: str, question: dict[str, Any]) -> Any:
        match what:
            case "hello":
                link.name = question["name"]
                self.links[link.name] = link
            case "opened":
                self.opened.add(link.name)
            case "next":
                return anyio.sleep_forever()  # nothing ever comes by itself
            case "page":
                return {"events": [], "end": 0}
            case "take":
                self.taken[question["what"]] += 1
                return {"outcome": "taken", "id": f"id-{self.taken.total()}"}
            case "begin":
                self._runs += 1
                self.told.append((link.name, what, question["what"]))
                return self._in_time(link, what, {"run": self._runs, "pause": 0.0, "fails": False, "reply": "returned"})
            case "end" | "cancelled" | "committed":
                self.told.append((link.name, what, question.get("what")))
                return self._in_time(link, what, True)
        return None

    async def _in_time(self, link: Link, what: str, answer: Any) -> Any:
        if what == self._held:
            await self._gates[link.name].wait()
        return answer

    def give(self, worker: str) -> None:
        """From now on *worker* gets its answers."""
        self._gates[worker].set()

    def has_told(self, worker: str, what: str) -> Callable[[], bool]:
        return lambda: any(each[:2] == (worker, what) for each in self.told)


@asynccontextmanager
async def _listening(world: World) -> AsyncGenerator[int]:
    async with anyio.create_task_group() as tasks:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            async def listen() -> None:
                while True:
                    await anyio.wait_readable(listener)
                    tasks.start_soon(Link(listener.accept()[0], world.answer).run)

            tasks.start_soon(listen)
            yield listener.getsockname()[1]
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("held", ["begin", "end"])
@pytest.mark.parametrize(("ledger", "backend"), [("sqlite", "trio"), ("postgresql", "asyncio"), ("postgresql", "trio")])
async def test_it_changes_nothing_when_it_goes_on(
    request: pytest.FixtureRequest, tmp_path: Path, ledger: str, backend: str, held: str
) -> None:
    """Whoever has taken over does the event; the next one waits for that, and each is done and answered once."""
    url = f"sqlite:///{tmp_path}/ledger.db" if ledger == "sqlite" else request.getfixturevalue("ledger_url")
    world = World(held)
    with anyio.fail_after(60):
        async with Processes.opened(url, tmp_path / "log") as processes, _listening(world) as port:

            async def start(name: str) -> int:
                terms = Terms(name=name, port=port, store=url, lease=2.0, send_timeout=1.0, backend=backend)
                pid = await processes.start(terms)
                await until(lambda: name in world.opened)
                return pid

            store = processes.store()
            async with store.opened(SystemClock()):
                stopped = await start("a")
                said = [MessageReceived(key=key, conversation=LANE, sender=LANE.address, text=key) for key in "12"]
                await store.admit("hooked", [each.model_copy(update={"channel": "hooked"}) for each in said])
                await until(world.has_told("a", held))
                os.kill(stopped, signal.SIGSTOP)
                try:
                    world.give("a")  # what it waits for is there before it can look at anything
                    await start("b")
                    await until(world.has_told("b", held))
                    await anyio.sleep(TURN)
                finally:
                    os.kill(stopped, signal.SIGCONT)
                before = len(world.told)
                await until(lambda: _has_noticed(tmp_path / "log"))
                meanwhile = world.told[before:]
                world.give("b")
                await until(lambda: world.taken.total() >= 2)
                counts = await store.counts()
                for link in world.links.values():
                    link.tell("leave")
                await until(lambda: all(link.lost.is_set() for link in world.links.values()))

    print(world.told, (tmp_path / "log").read_text())
    assert counts.entries == {("hooked", EntryState.DONE): 2}
    assert "begin" not in {what for _, what, _ in meanwhile}
    assert ("b", "committed", "1") in world.told
    assert sorted(key for _, what, key in world.told if what == "committed") == ["1", "2"]
    assert world.taken == {"re:1": 1, "re:2": 1}


def _has_noticed(log: Path) -> bool:
    """Whether the first worker has cancelled its handler, or was refused what that had returned by then."""
    said = log.read_text()
    return "is ours no longer" in said or "ended before it was done" in said
