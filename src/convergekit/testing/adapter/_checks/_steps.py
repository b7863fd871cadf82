"""Work that is cut off at one of its awaits."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any, Final

import anyio

__all__ = ["MOST", "CutOff", "Steps", "cut_off", "driven"]

#: Awaits after which nobody looks further.
MOST: Final = 200


class Steps:
    """An awaitable that is driven as it is, and counts where it waits.

    Args:
        work: What is driven.
        at: Before the wait of this number, counted from 1, it is cancelled.

    Attributes:
        scope: Around it, by `driven`.
        count: How often it has waited.
        is_told: Whether that cancellation, and not one of a scope inside, came to where it waits.
    """

    def __init__(self, work: Awaitable[Any], at: int) -> None:
        self._work, self._at, self.scope = work, at, anyio.CancelScope()
        self.count = 0
        self.is_told = False

    @property
    def is_reached(self) -> bool:
        """Whether it has come to where it is cancelled."""
        return self.count >= self._at

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self._work.__await__()  # a generator, or the coroutine's like: it has send and throw
        resume, with_what = steps.send, None
        while True:
            try:
                waits_for = resume(with_what)
            except StopIteration as end:
                return end.value
            self.count += 1
            if self.count == self._at:
                self.scope.cancel(f"{id(self.scope):x}")
            try:
                resume, with_what = steps.send, (yield waits_for)
            except BaseException as error:  # mostly the cancellation, which is the work's to handle
                resume, with_what = steps.throw, error
            self.is_told |= self.is_reached and _tells(with_what, self.scope)


def _tells(what: object, scope: anyio.CancelScope) -> bool:
    """Whether *what* came out of a wait because *scope* was cancelled.

    On Trio it is wrapped. Its text tells which scope it is: on asyncio anyio names it there, on Trio our reason does.
    """
    error = getattr(what, "error", what)
    return isinstance(error, anyio.get_cancelled_exc_class()) and f"{id(scope):x}" in str(error)


@dataclass(frozen=True, slots=True)
class CutOff:
    """How work ended that was cancelled on its way.

    Args:
        reached: Whether it came to the await at which it was to be cancelled.
        told: Whether it was then told of that: at the end of what is shielded nobody is.
        cancelled: Whether it ended by the cancellation.
        value: What it returned in place of that.
        raised: What it raised in place of that, or None.
    """

    reached: bool
    told: bool
    cancelled: bool
    value: Any
    raised: Exception | None

    def __str__(self) -> str:
        if self.raised is not None:
            return f"it raised {type(self.raised).__name__}"
        return "it ended by the cancellation" if self.cancelled else "it returned as if nothing were"


async def cut_off(work: Awaitable[Any], at: int) -> CutOff:
    """Cancel *work* before its await number *at*, counted from 1."""
    return await driven(Steps(work, at))


async def driven(steps: Steps) -> CutOff:
    """Drive *steps* to their end."""
    value, raised = None, None
    with steps.scope:
        try:
            value = await steps
        except Exception as error:
            raised = error
    return CutOff(steps.is_reached, steps.is_told, steps.scope.cancelled_caught, value, raised)
