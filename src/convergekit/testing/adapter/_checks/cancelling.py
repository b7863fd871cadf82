"""Cancellation, at every await."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio

from .._bench import Bench
from .._subject import Fault
from ._registry import broken, check, expect

__all__: list[str] = []

_MOST = 200


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


async def _cut_off(bench: Bench, adapter: Any, at: int) -> tuple[bool, bool, Exception | None]:
    """Cancel a send before its await number *at*: whether it got so far, ended by it, and what it raised."""
    raised: Exception | None = None
    scope = anyio.CancelScope()
    steps = _Steps(adapter.send(bench.outgoing()), at, scope.cancel)
    with scope:
        try:
            await steps
        except Exception as error:
            raised = error
    return steps.count >= at, scope.cancelled_caught, raised


@check("cancellation-passes")
async def _passes(bench: Bench) -> None:
    """The far side never answers: whatever ends the call but the cancellation has been made up."""
    for at in range(1, _MOST):
        bench.subject.fault(Fault.SILENT)
        async with bench.entered() as (adapter, _):
            _, cancelled, raised = await _cut_off(bench, adapter, at)
        expect(raised is None, f"cancelled at its await number {at}, it raised {type(raised).__name__}")
        expect(cancelled, f"cancelled at its await number {at}, it returned as if nothing were")
        if bench.subject.received():
            return  # what was cut off now is the wait for the answer, and there is nothing behind it


@check("usable-after-cancel")
async def _usable(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        for at in range(1, _MOST):
            reached, _, _ = await _cut_off(bench, adapter, at)
            what = f"after a send that was cut off at its await number {at}, the next one"
            before = len(bench.subject.received())
            attempt = None
            with anyio.move_on_after(2):
                attempt = await bench.attempt(adapter)
            if attempt is None:
                broken(f"{what} hangs")
            expect(attempt.error is None, f"{what} ends with {attempt}")
            expect(len(bench.subject.received()) == before + 1, f"{what} did not arrive")
            if not reached:
                return
