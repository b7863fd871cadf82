"""Cancellation, at every await."""

from __future__ import annotations

import math
from typing import Any

import anyio

from convergekit.abc import Listens

from .._bench import Bench
from .._subject import Fault
from ._registry import broken, check, expect
from ._steps import MOST, CutOff, cut_off

__all__ = ["opened_up_to"]

#: Awaits after a message was offered to the ledger, which belong to it still: it is acknowledged.
_AFTERWARDS = 5


@check("cancellation-passes")
async def _passes(bench: Bench) -> None:
    """The far side never answers: whatever ends the call but the cancellation has been made up."""
    for at in range(1, MOST):
        bench.subject.fault(Fault.SILENT)
        async with bench.entered() as (adapter, _):
            ended = await cut_off(adapter.send(bench.outgoing()), at)
            expect(ended.cancelled, f"a send was cancelled at its await number {at}, and {ended}")
        if bench.subject.received():
            return  # what was cut off now is the wait for the answer, and there is nothing behind it


@check("cancellation-passes", what=["opening"])
async def _opening_passes(bench: Bench, what: str) -> None:
    for at in range(1, MOST):
        opened, ended = await opened_up_to(bench, at)
        if opened or not ended.reached:
            return
        expect(ended.cancelled and opened is None, f"{what} was cancelled at its await number {at}, and went on")


@check("cancellation-passes", Listens, what=["listening"])
async def _listening_passes(bench: Bench, what: str) -> None:
    """A message comes meanwhile, so that it is cut off as well where it is dealt with."""
    since = 0
    for at in range(1, MOST):
        ended, judged = await _listened_up_to(bench, at)
        if ended is None:
            return
        expect(ended.cancelled, f"{what} was cancelled at its await number {at}, and {ended}")
        since += judged
        if since > _AFTERWARDS:
            return


async def _listened_up_to(bench: Bench, at: int) -> tuple[CutOff | None, bool]:
    """How it ended, or None where nothing more came before that; and whether a message had been dealt with."""
    ended = None
    async with bench.entered() as (adapter, context), anyio.create_task_group() as tasks:
        tasks.start_soon(bench.subject.push, bench.said(at))
        with bench.time.skipped(), anyio.move_on_after(30):
            ended = await cut_off(adapter.listen(), at)
        tasks.cancel_scope.cancel()
    return ended, context.judged > 0


async def opened_up_to(bench: Bench, at: int) -> tuple[bool | None, CutOff]:
    """Open an adapter, cancel that before its await number *at*, and leave it.

    Returns:
        Whether it was open by then; None where it has not opened at all, False where it did although it was cancelled.
    """
    opened: bool | None = None

    async def opening(adapter: Any) -> None:
        nonlocal opened
        async with adapter:
            opened = anyio.current_effective_deadline() > -math.inf

    context = bench.context()
    try:
        ended = await cut_off(opening(bench.adapter_class(bench.config(), context)), at)
    finally:
        await context.aclose()
    return opened, ended


@check("usable-after-cancel")
async def _usable(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        for at in range(1, MOST):
            ended = await cut_off(adapter.send(bench.outgoing()), at)
            what = f"after a send that was cut off at its await number {at}, the next one"
            before = len(bench.subject.received())
            attempt = None
            with anyio.move_on_after(2):
                attempt = await bench.attempt(adapter)
            if attempt is None:
                broken(f"{what} hangs")
            expect(attempt.error is None, f"{what} ends with {attempt}")
            expect(len(bench.subject.received()) == before + 1, f"{what} did not arrive")
            if not ended.reached:
                return
