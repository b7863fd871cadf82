"""Who holds the session: whoever listens, and where nobody ever did, whoever needs it first.

A hub that only sends never calls `listen`, and what it sends needs a session all the same. That one is no less a
session: what comes in is admitted, since nobody else would hear it. When it ends, what is under way ends with it, for
nobody makes another one until it is needed again. Once somebody listens, only that makes sessions: the engine knows
when to try again, and a thousand sends that wait do not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import anyio
from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskGroup, TaskStatus
from anyio.lowlevel import checkpoint

from convergekit.abc import ChannelContext
from convergekit.errors import ConvergeError, NotSentError, StoreError, UncertainError, place_of

__all__ = ["Holder", "Run"]

#: Turns of the loop in which whoever wants to listen may say so: entering and listening are two steps.
_TURNS: Final = 20

T = TypeVar("T")


class Run(Protocol):
    """What holds a session."""

    async def __call__(self, *, task_status: TaskStatus[None]) -> None:
        """Hold one until it is over, and raise why; say once there is one."""
        ...


class Holder:
    """One session at a time.

    Args:
        run: Holds it.
        tasks: Where it is held when nobody listens.
        context: What the engine lends.
    """

    def __init__(self, run: Run, tasks: TaskGroup, context: ChannelContext) -> None:
        self._run, self._tasks, self._context = run, tasks, context
        self._listened = False
        self._held: anyio.CancelScope | None = None
        self._let_go = anyio.Event()
        self._making = anyio.Lock()
        self._under_way: set[anyio.CancelScope] = set()

    async def listen(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Hold the session; one that was held for who sends is ended before, and goes on where the server keeps it."""
        self._listened = True
        if self._held is not None:
            self._held.cancel()
        async with self._making:
            if self._held is not None:
                await self._let_go.wait()
        await self._run(task_status=task_status)

    async def ready(self) -> None:
        """Return once there is a session, or somebody who makes one.

        Raises:
            DeliveryError: There was nobody, and it cannot be made.
        """
        for _ in range(_TURNS):
            if self._listened or self._held is not None:
                return
            await checkpoint()
        async with self._making:
            if not self._listened and self._held is None:
                await self._tasks.start(self._hold)

    async def during(self, work: Callable[[], Awaitable[T]], *, is_begun: Callable[[], bool]) -> T:
        """Do *work*, which hands something over.

        Args:
            work: What to do.
            is_begun: Whether something of it has left us.

        Raises:
            NotSentError: There is no session; or the one that nobody listens on has ended before anything had left us.
            UncertainError: ... after that.
            DeliveryError: What `ready` and *work* raise.
        """
        await self.ready()
        with anyio.CancelScope() as scope:
            self._under_way.add(scope)
            try:
                return await work()
            finally:
                self._under_way.discard(scope)
        raise (UncertainError if is_begun() else NotSentError)("the connection was lost before the server had it")

    async def _hold(self, *, task_status: TaskStatus[None]) -> None:
        told = _Told(task_status)
        try:
            with anyio.CancelScope() as self._held:
                await self._run(task_status=told)
            if not told.is_started:
                task_status.started()  # whoever listens makes one
        except (ConvergeError, ExceptionGroup) as error:
            if not told.is_started:
                raise  # to who needs it
            # Whoever needs it next makes another, and is told what is wrong then.
            level = self._context.log.error if isinstance(error, StoreError) else self._context.log.info
            level("the session is over: %s at %s", type(error).__name__, place_of(error))
        finally:
            self._held = None
            self._let_go.set()
            self._let_go = anyio.Event()
            for scope in () if self._listened else self._under_way:
                scope.cancel()


class _Told(TaskStatus[None]):
    """Passes on that it has started, and remembers it."""

    def __init__(self, status: TaskStatus[None]) -> None:
        self._status = status
        self.is_started = False

    def started(self, value: None = None) -> None:
        self.is_started = True
        self._status.started(value)
