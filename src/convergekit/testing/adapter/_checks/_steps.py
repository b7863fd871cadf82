"""Work that is cut off at one of its awaits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

import anyio

__all__ = ["MOST", "CutOff", "cut_off"]

#: Awaits after which nobody looks further.
MOST: Final = 200


class _Steps:
    """An awaitable that is driven as it is, and counts where it waits.

    Args:
        work: What is driven.
        at: Before the wait of this number, counted from 1, *then* is called.
        then: Mostly: cancel.
    """

    def __init__(self, work: Awaitable[Any], at: int, then: Callable[[], None]) -> None:
        self._work, self._at, self._then = work, at, then
        self.count = 0

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
                self._then()
            try:
                resume, with_what = steps.send, (yield waits_for)
            except BaseException as error:  # mostly the cancellation, which is the work's to handle
                resume, with_what = steps.throw, error


@dataclass(frozen=True, slots=True)
class CutOff:
    """How work ended that was cancelled on its way.

    Args:
        reached: Whether it came to the await at which it was to be cancelled.
        cancelled: Whether it ended by the cancellation.
        value: What it returned in place of that.
        raised: What it raised in place of that, or None.
    """

    reached: bool
    cancelled: bool
    value: Any
    raised: Exception | None

    def __str__(self) -> str:
        if self.raised is not None:
            return f"it raised {type(self.raised).__name__}"
        return "it ended by the cancellation" if self.cancelled else "it returned as if nothing were"


async def cut_off(work: Awaitable[Any], at: int) -> CutOff:
    """Cancel *work* before its await number *at*, counted from 1."""
    value, raised = None, None
    scope = anyio.CancelScope()
    steps = _Steps(work, at, scope.cancel)
    with scope:
        try:
            value = await steps
        except Exception as error:
            raised = error
    return CutOff(steps.count >= at, scope.cancelled_caught, value, raised)
