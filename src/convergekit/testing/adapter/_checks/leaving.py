"""What stays behind when an adapter has been left: nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import anyio
from anyio.abc import TaskGroup

from convergekit.abc import Listens

from .._bench import Bench, Way, eventually
from .._subject import Fault
from .._verbs import implements
from .._watch import Watched, watching
from ._registry import broken, check, expect, listed
from ._steps import MOST
from .cancelling import opened_up_to

__all__: list[str] = []

#: Seconds that the engine waits for an adapter to be left.
_LEAVING: Final = 10.0
#: Threads of the loops' own pools, which outlive what they were started for.
_POOLS: Final = ("AnyIO worker thread", "Trio thread", "asyncio_")


class _Remains:
    """What is there that was not there before."""

    def __init__(self, bench: Bench, watched: Watched) -> None:
        self._bench, self._watched = bench, watched
        self._tasks = {task.id for task in anyio.get_running_tasks()}
        self._threads = set(threading.enumerate())

    def found(self) -> Sequence[str]:
        """In words."""
        sockets = [each for each in self._watched.sockets if each.fileno() != -1]
        threads = [each.name for each in threading.enumerate() if self._is_new(each)]
        return [
            *(f"the task {name}" for name in self._new_tasks()),
            *(f"the thread {name}" for name in threads),
            *(["a connection"] * len(set(sockets))),
        ]

    def _is_new(self, thread: threading.Thread) -> bool:
        return thread not in self._threads and not thread.name.startswith(_POOLS)

    def _new_tasks(self) -> Sequence[str]:
        running = anyio.get_running_tasks()
        parents = {task.id: task.parent_id for task in running}

        def is_far(id: int | None) -> bool:
            while id is not None and id != self._bench.far_side:
                id = parents.get(id)
            return id is not None

        return [str(task.name) for task in running if task.id not in self._tasks and not is_far(task.id)]


async def _leaves_nothing(remains: _Remains, when: str) -> None:
    gone = await eventually(lambda: not remains.found())
    expect(gone, f"{when}, there is still {listed(remains.found())}")


@check("leaves-nothing")
async def _after_use(bench: Bench) -> None:
    with watching() as watched:
        remains = _Remains(bench, watched)
        if implements(bench.adapter_class, Listens):
            async with bench.listening() as ear:
                await bench.attempt(ear.adapter)
        else:
            async with bench.entered() as (adapter, _):
                await bench.attempt(adapter)
        await _leaves_nothing(remains, "after it was used and left")


@check("leaves-nothing", way=["poll", "webhook"])
async def _after_it_heard(bench: Bench, way: Way) -> None:
    with watching() as watched:
        remains = _Remains(bench, watched)
        async with bench.hearing(way) as ear:
            await ear.hear(bench.said(1))
            await ear.adapter.check()
        await _leaves_nothing(remains, "after it has heard something, was asked how it is, and left")


@check("leaves-nothing", when=["opening"])
async def _while_it_opens(bench: Bench, when: str) -> None:
    """Cancelled at each await, as when the hub closes meanwhile."""
    with watching() as watched:
        remains = _Remains(bench, watched)
        for at in range(1, MOST):
            opened, ended = await opened_up_to(bench, at)
            await _leaves_nothing(remains, f"{when} was cancelled at its await number {at}, and")
            if opened or not ended.reached:
                return


@check("leaves-nothing", when=["sending"])
async def _while_it_sends(bench: Bench, when: str) -> None:
    """The far side does not answer, and the hub closes."""
    bench.subject.fault(Fault.SILENT)
    with watching() as watched:
        remains = _Remains(bench, watched)
        async with anyio.create_task_group() as tasks:
            await _left_while(when, bench, tasks)
            tasks.cancel_scope.cancel()
        await _leaves_nothing(remains, f"left while it was {when}")


async def _left_while(when: str, bench: Bench, tasks: TaskGroup) -> None:
    left_from = None
    with anyio.CancelScope() as scope:
        try:
            async with bench.entered() as (adapter, _):
                tasks.start_soon(bench.attempt, adapter)
                await eventually(lambda: bool(bench.subject.received()))
                left_from = anyio.current_time()
                scope.deadline = left_from + _LEAVING
                bench.time.skip(True)
        except Exception as error:
            if left_from is not None:
                raise broken(f"left while it was {when}, it raised {type(error).__name__}") from error
            raise
    bench.time.skip(False)
    took = 0.0 if left_from is None else anyio.current_time() - left_from
    expect(took < _LEAVING, f"while it was {when}, it could not be left within {_LEAVING:g} s")
