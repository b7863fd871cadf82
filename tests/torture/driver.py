"""The driver: offers, orders, kills, stops, restarts, and waits until everything is settled."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from time import monotonic
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from convergekit.abc import LedgerCounts
from convergekit.engine.clock import SystemClock
from convergekit.model import Dispatch

from .launch import Launcher
from .link import Link, LostError, RefusedError
from .plan import Incoming, Outgoing, Plan
from .recorder import TURN, Gap, Recorder, until
from .worker import Terms

__all__ = ["Outcome", "tortured"]

_SUBMITTERS: Final = 32
_CALLERS: Final = 16
#: What a submit, or a call, may end with while workers are being killed; then it is repeated.
_EXPECTED: Final = {"NotRunningError", "StoreError", "AssertionError"}
Outage = Callable[[Random], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """What is left to be summed up.

    Args:
        recorder: What happened.
        dispatches: What the ledger says of each message ...
        counts: ... and its own sums.
        kills: How many there were.
        gaps: Stops.
        outages: Times that the database was away.
        stuck: Why it did not come to its end, or "".
        seconds: How long it took.
        opened: Seconds that each worker needed until it worked.
        repeats: Submits and calls that had to be repeated.
    """

    recorder: Recorder
    dispatches: Sequence[Dispatch] = ()
    counts: LedgerCounts = field(default_factory=lambda: LedgerCounts({}, {}))
    kills: int = 0
    gaps: list[Gap] = field(default_factory=list)
    outages: int = 0
    stuck: str = ""
    seconds: float = 0.0
    opened: list[float] = field(default_factory=list)
    repeats: int = 0

    @property
    def blows(self) -> int:
        """Times that a worker may have lost what it had in hand."""
        return self.kills + len(self.gaps) + self.outages * (self.recorder.plan.torture.workers + 1)


@dataclass(slots=True, eq=False)
class _Worker:
    name: str
    pid: int
    role: str
    started: float
    link: Link | None = None
    opened: bool = False
    left: bool = False
    stopped: bool = False
    killed: bool = False
    gone: anyio.Event = field(default_factory=anyio.Event)


class _Driver:
    def __init__(self, plan: Plan, launcher: Launcher, recorder: Recorder, outage: Outage | None) -> None:
        self.outcome = Outcome(recorder)
        self._outage = outage
        self._plan = plan
        self._torture = plan.torture
        self._launcher = launcher
        self._recorder = recorder
        self._chance = Random(f"driver {plan.torture.seed}")
        self._workers: dict[str, _Worker] = {}
        self._names = count(1)
        self._tasks: TaskGroup
        self._port = 0

    # Workers

    async def _listen(self, listener: socket.socket) -> None:
        while True:
            await anyio.wait_readable(listener)
            self._tasks.start_soon(self._serve, Link(listener.accept()[0], self._answer))

    async def _serve(self, link: Link) -> None:
        await link.run()
        self._recorder.gone(link)
        worker = self._workers.pop(link.name, None)
        if worker is None:
            return
        worker.gone.set()
        if worker.left or worker.killed:
            return
        if worker.opened or not self._torture.outages:
            self._recorder.strange.append(f"{link.name} went away by itself")
            return
        # The database was away when it began. It has said so and ended, and whoever supervises it starts another.
        self._recorder.notes["workers that could not open"] += 1
        await anyio.sleep(1)
        await self._start(worker.role)

    def _answer(self, link: Link, what: str, question: dict[str, Any]) -> Any:
        if what == "hello":
            link.name = question["name"]
            self._workers[link.name].link = link
        elif what == "opened":
            worker = self._workers[link.name]
            worker.opened = True
            self.outcome.opened.append(monotonic() - worker.started)
        elif what == "left":
            self._workers[link.name].left = True
        else:
            return self._recorder.answer(link, what, question)
        return None

    async def _start(self, role: str = "all") -> _Worker:
        terms = Terms(
            name=f"w{next(self._names)}",
            port=self._port,
            store=self._launcher.url,
            role=role,
            lease=self._torture.lease,
            send_timeout=self._torture.send_timeout,
            at_once=self._torture.at_once,
            per_channel=self._torture.per_channel,
            backend=self._chance.choice(("asyncio", "trio")),
        )
        worker = self._workers[terms.name] = _Worker(terms.name, 0, role, monotonic())
        worker.pid = await self._launcher.start(terms)
        return worker

    def _open_workers(self, roles: Sequence[str] = ("all", "submit")) -> list[_Worker]:
        return [each for each in self._workers.values() if each.opened and not each.stopped and each.role in roles]

    async def _ask(self, what: str, roles: Sequence[str], /, **more: Any) -> Any:
        """Ask any worker; again, until there is an answer."""
        for again in count():
            self.outcome.repeats += again > 0
            await until(lambda: bool(self._open_workers(roles)))
            link = self._chance.choice(self._open_workers(roles)).link
            assert link is not None
            try:
                with anyio.fail_after(self._torture.lease):
                    return await link.ask(what, **more)
            except (LostError, TimeoutError):
                pass
            except RefusedError as error:
                if error.args[0] not in _EXPECTED:
                    self._recorder.strange.append(f"{what} ended with {error.args[0]}: {error.args[1]}")
                    raise
            await anyio.sleep(TURN)
        raise AssertionError

    # What is submitted and offered

    async def _take_turns(
        self, lanes: Sequence[Sequence[Any]], each: Callable[[Any], Awaitable[None]], at_once: int
    ) -> None:
        """What is in a lane goes one after another, and so many lanes at once."""
        waiting = deque(deque(lane) for lane in lanes)
        self._chance.shuffle(waiting)

        async def serve() -> None:
            while waiting:
                lane = waiting.popleft()
                await each(lane.popleft())
                if lane:
                    waiting.append(lane)

        async with anyio.create_task_group() as tasks:
            for _ in range(at_once):
                tasks.start_soon(serve)

    async def _submit(self, message: Outgoing) -> None:
        await until(self._recorder.has_room)
        about = {"channel": message.channel, "to": message.to, "text": message.text, "key": message.what}
        for _ in range(2 if self._chance.random() < 0.02 else 1):  # some callers are not sure, and ask again
            dispatch = await self._ask("submit", ("all", "submit"), **about)
            self._recorder.submitted.setdefault(message.what, set()).add(dispatch)
        self._recorder.moves()

    async def _call(self, event: Incoming) -> None:
        await until(lambda: self._recorder.has_room(event.channel))
        for number in range(2 if self._chance.random() < 0.05 else 1):
            self._recorder.offers(event.what)
            new = await self._ask("hook", ("all",), channel=event.channel, events=[(event.what, event.sender)])
            if number == 0:
                self._recorder.admitted(event.channel, new)
            else:
                self._recorder.news.update(new)

    def _called(self) -> list[list[Incoming]]:
        lanes: dict[int, list[Incoming]] = {}
        for each in self._plan.feed("hooked"):
            lanes.setdefault(each.lane, []).append(each)
        return list(lanes.values())

    # What goes wrong

    async def _reached(self, progress: float) -> None:
        await until(lambda: self._recorder.progress >= progress, TURN / 2)

    def _moments(self, number: int) -> list[float]:
        """So many moments, in progress, spread over all that is to be done."""
        whole = 2 * len(self._plan.out) + 1.2 * len(self._plan.into)
        return sorted(self._chance.uniform(0.01, 0.9) * whole for _ in range(number))

    async def _kill(self) -> None:
        for moment in self._moments(self._torture.kills):
            await self._reached(moment)
            await anyio.sleep(self._chance.random() * TURN)
            # One of ten dies while it is being born.
            youth = self._chance.random() < 0.1
            alive = [each for each in self._workers.values() if not each.killed and (each.opened or youth)]
            if not alive:
                await until(lambda: bool(self._open_workers()))
                alive = self._open_workers()
            await self._kill_one(self._chance.choice(alive))

    async def _kill_one(self, worker: _Worker) -> None:
        worker.killed, worker.opened = True, False
        os.kill(worker.pid, signal.SIGKILL)
        self.outcome.kills += 1
        # What it had written before it died arrives before anybody else begins; if it died before it could say who it
        # was, there is nothing.
        await until(lambda: not _exists(worker.pid))
        if worker.link is not None:
            await worker.gone.wait()
        self._workers.pop(worker.name, None)
        await self._start(worker.role)

    async def _stop(self) -> None:
        for moment in self._moments(self._torture.stops):
            await self._reached(moment)
            await until(lambda: len(self._open_workers(("all",))) >= 2)
            await self._stop_one(self._chance.choice(self._open_workers(("all",))))

    async def _stop_one(self, worker: _Worker) -> None:
        worker.stopped = True
        start = monotonic()
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            # Most are given up for dead meanwhile, some are not.
            await anyio.sleep(self._torture.lease * self._chance.choice((0.5, 1.3, 1.6)))
        finally:
            end = monotonic()
            if not worker.killed:
                os.kill(worker.pid, signal.SIGCONT)
            worker.stopped = False
            self.outcome.gaps.append(Gap(worker.name, start, end))
            self._recorder.moves()

    async def _take_away(self) -> None:
        for moment in self._moments(self._torture.outages):
            await self._reached(moment)
            assert self._outage is not None
            await self._outage(self._chance)
            self.outcome.outages += 1
            self._recorder.moves()

    # From beginning to end

    async def run(self) -> None:
        began = monotonic()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = listener.getsockname()[1]
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._listen, listener)
                for _ in range(self._torture.workers):
                    await self._start()
                if self._torture.workers > 1:
                    await self._start("submit")
                with anyio.CancelScope() as whole:
                    self._tasks.start_soon(self._watch, whole)
                    await self._all()
                await self._let_go()
                self._tasks.cancel_scope.cancel()
        self.outcome.seconds = monotonic() - began
        await self._look()

    async def _all(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._take_turns, self._plan.lanes(), self._submit, _SUBMITTERS)
            tasks.start_soon(self._take_turns, self._called(), self._call, _CALLERS)
            tasks.start_soon(self._kill)
            tasks.start_soon(self._stop)
            tasks.start_soon(self._take_away)
        await until(lambda: self._recorder.all_admitted)
        while await self._ask("open_work", ("all",)):  # noqa: ASYNC110 - nobody would set an event
            await anyio.sleep(0.2)

    async def _watch(self, whole: anyio.CancelScope) -> None:
        """Nothing is stuck for ever."""
        await until(lambda: monotonic() - self._recorder.moved_at > self._torture.patience, 0.5)
        self.outcome.stuck = f"nothing has happened for {self._torture.patience:g} s"
        whole.cancel()

    async def _let_go(self) -> None:
        """Whoever is left leaves in good order."""
        with anyio.move_on_after(30) as leaving:
            for worker in list(self._workers.values()):
                if worker.link is not None:
                    worker.link.tell("leave")
            for worker in list(self._workers.values()):
                await worker.gone.wait()
        if leaving.cancelled_caught:
            self._recorder.strange.append(f"{sorted(self._workers)} did not leave within 30 s")
            for worker in self._workers.values():
                if worker.pid and _exists(worker.pid):
                    os.kill(worker.pid, signal.SIGKILL)

    async def _look(self) -> None:
        store = self._launcher.store()
        async with store.opened(SystemClock()):
            self.outcome.dispatches = await store.dispatches(limit=10**9)
            self.outcome.counts = await store.counts()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def tortured(
    plan: Plan, launcher: Launcher, recorder: Recorder | None = None, *, outage: Outage | None = None
) -> Outcome:
    """Do all that *plan* says over the store of *launcher*; *outage* takes the database away for a while."""
    driver = _Driver(plan, launcher, Recorder(plan) if recorder is None else recorder, outage)
    await driver.run()
    return driver.outcome
