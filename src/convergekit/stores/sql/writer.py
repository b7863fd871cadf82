"""Group commit: whatever waits while a commit runs goes into the next one.

Rules kept here:

- One thread writes. It is handed a batch and hands back that it is done; in between it talks to the database alone.
- After a commit the event loop turns once before the next batch is taken, so that those who were just woken are in it.
  (Without that a crowd of sixteen splits in two halves which take turns: a fifth slower.)
- There is no lingering: who is alone is written at once.
- What waits is bounded; whoever comes when it is full waits for room.
- Who is cancelled before the batch was taken is not written. Who is cancelled later is, and is not told.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

import anyio
from anyio.lowlevel import EventLoopToken, checkpoint, current_token

from convergekit.errors import NotRunningError

__all__ = ["Job", "Writer", "soon"]

#: More would be written hardly quicker, and all who wait would wait for the same commit: so the one half prepares its
#: next messages while the other is being written.
_BATCH: Final = 128
_WAITING: Final = 8192

T = TypeVar("T")


class Job(Generic[T]):
    """One caller's part of a batch: what the thread makes of it is in `result`, or in `error`."""

    __slots__ = ("error", "result")

    def __init__(self) -> None:
        self.result: T
        self.error: BaseException | None = None


class _Batch:
    """Those who are written together, and told together: an event for each would cost as much as its row."""

    __slots__ = ("done", "is_taken", "jobs")

    def __init__(self) -> None:
        self.jobs: list[Job[Any]] = []
        self.is_taken = False
        self.done = anyio.Event()


class Writer:
    """Writes in batches. Enter it by starting `run` in a task group; end it with `close`.

    Args:
        write: Called in the thread with each batch; sets `result` or `error` of each job, and does not raise.
        name: Of the thread.
    """

    def __init__(self, write: Callable[[Sequence[Any]], None], *, name: str) -> None:
        self._write = write
        self._name = name
        self._waiting: deque[_Batch] = deque()
        self._kick = anyio.Event()
        self._room = anyio.Event()
        self._closing = False
        self._ended = False

    async def do(self, job: Job[T]) -> T:
        """Put *job* into the next batch; return its result once it is on the disk."""
        while self._is_full and not self._ended:
            self._room = self._room if not self._room.is_set() else anyio.Event()
            await self._room.wait()
        if self._ended:
            raise NotRunningError("the store is closed: use it inside `async with hub`")
        batch = self._last()
        batch.jobs.append(job)
        if not self._kick.is_set():
            self._kick.set()
        try:
            await batch.done.wait()
        except BaseException:
            if not batch.is_taken:
                batch.jobs.remove(job)
            raise
        if job.error is not None:
            raise job.error
        return job.result

    @property
    def _is_full(self) -> bool:
        return sum([len(batch.jobs) for batch in self._waiting]) >= _WAITING

    def _last(self) -> _Batch:
        """The batch that whoever comes now is in."""
        waiting = self._waiting
        if not waiting or len(waiting[-1].jobs) >= _BATCH:
            waiting.append(_Batch())
        return waiting[-1]

    async def run(self) -> None:
        """Write until closed; what waits then is still written."""
        thread = _Thread(self._name)
        try:
            with anyio.CancelScope(shield=True):  # `close` ends it, after what was begun
                while True:
                    if not self._waiting:
                        if self._closing:
                            return
                        self._kick = anyio.Event()
                        await self._kick.wait()
                        continue
                    await self._batch(thread)
                    await checkpoint()
                    await checkpoint()  # Trio takes those of one turn in any order, so the second is after all of them
        finally:
            self._ended = True
            thread.close()
            for batch in self._waiting:
                batch.is_taken = True
                for job in batch.jobs:
                    job.error = NotRunningError("the store was closed before this was stored")
                batch.done.set()
            self._waiting.clear()
            self._room.set()

    async def _batch(self, thread: _Thread) -> None:
        batch = self._waiting.popleft()
        batch.is_taken = True
        if not self._room.is_set():
            self._room.set()
        if batch.jobs:  # else all of them were cancelled
            await thread.do(lambda: self._write(batch.jobs))
        batch.done.set()

    def close(self) -> None:
        """Take nothing more once what waits is written."""
        self._closing = True
        self._kick.set()


class _Thread:
    """A thread of our own: half the way there and back of a pool's."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], None]) -> None:
        done = anyio.Event()
        token = current_token()

        def job() -> None:
            try:
                work()
            finally:
                soon(token, done.set)

        self._jobs.put(job)
        await done.wait()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()


def soon(token: EventLoopToken, call: Callable[[], object]) -> None:
    """Have *call* called in the event loop of *token*, without waiting for it. From any thread."""
    loop: Any = token.native_token
    later = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon
    with suppress(RuntimeError):  # the loop was closed under us; nobody waits any more
        later(call)
