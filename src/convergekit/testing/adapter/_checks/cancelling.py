"""Cancellation, at every await."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import anyio

from convergekit.abc import Listens, Polls, ReceivesWebhooks

from .._bench import Bench, Door, request_of
from .._subject import Cannot, Fault
from .._verbs import lacking
from .._wire import Wire
from ._registry import broken, check, expect
from ._sent import TARGETED, arrived, outgoing_for, verbs_of
from ._steps import MOST, CutOff, Steps, cut_off, driven

__all__ = ["opened_up_to"]

#: Awaits after a message was offered to the ledger, which belong to it still: it is acknowledged.
_AFTERWARDS = 5

#: Seconds after which a send that has not come to another await waits for its answer.
_WAITS = 2.0


@check("cancellation-passes")
async def _passes(bench: Bench) -> None:
    """The far side never answers: whatever ends the call but the cancellation has been made up."""
    for at in range(1, MOST):
        bench.subject.fault(Fault.SILENT)
        async with bench.entered() as (adapter, _):
            steps = Steps(adapter.send(bench.outgoing()), at)
            with anyio.move_on_after(_WAITS):
                ended = await driven(steps)
                expect(ended.cancelled, f"a send was cancelled at its await number {at}, and {ended}")
        if bench.subject.received() or not steps.is_reached:
            return  # what was cut off now, or the time before, is the wait for the answer: nothing is behind it


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


@check("cancellation-passes", call=["poll", "verify", "check", *TARGETED])
async def _call_passes(bench: Bench, call: str) -> None:
    """What is answered at once may be done when it is cancelled: only what was told of it has to end by it."""
    for at in range(1, MOST):
        async with bench.entered() as (adapter, _):
            ended = await cut_off(await _called(bench, adapter, call), at)
        passed = ended.cancelled or not ended.told
        expect(passed, f"`{call}` was cancelled at its await number {at}, and {ended}")
        if not ended.reached:
            return


async def _called(bench: Bench, adapter: Any, call: str) -> Awaitable[Any]:
    """*call* is begun, and nothing of it is done yet."""
    protocol = {"poll": Polls, "verify": ReceivesWebhooks}.get(call)
    if protocol is not None and (lacks := lacking(bench.adapter_class, protocol)) is not None:
        raise Cannot(lacks)
    awaited: Awaitable[Any]
    match call:
        case "poll":
            await bench.subject.feed(bench.said(1))
            awaited = adapter.poll(adapter.feeds[0], None)
        case "verify":
            awaited = adapter.verify(request_of(Door(bench, adapter, adapter.context).signed(bench.said(1))))
        case "check":
            awaited = adapter.check()
        case verb:
            if verb not in verbs_of(bench.adapter_class):
                raise Cannot(f"the adapter has no {verb}")
            awaited = getattr(adapter, verb)(await outgoing_for(bench, adapter, verb))
    return awaited


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
        Whether it was open by then; None where it has not opened at all, False where it did although it was told
        that it is cancelled.
    """
    opened: bool | None = None

    async def opening(adapter: Any) -> None:
        nonlocal opened
        async with adapter:
            opened = not steps.is_told

    context = bench.context()
    steps = Steps(opening(bench.adapter_class(bench.config(), context)), at)
    try:
        ended = await driven(steps)
    finally:
        await context.aclose()
    return opened, ended


@check("usable-after-cancel")
async def _usable(bench: Bench) -> None:
    async with bench.entered() as (adapter, _):
        for at in range(1, MOST):
            ended = await cut_off(adapter.send(bench.outgoing()), at)
            what = f"after a send that was cut off at its await number {at}, the next one"
            attempt, wire = None, Wire()
            with anyio.move_on_after(2):
                attempt, wire = await arrived(bench, adapter, bench.outgoing())
            if attempt is None:
                broken(f"{what} hangs")
            expect(attempt.error is None, f"{what} ends with {attempt}")
            expect(wire.holds(attempt.out.text), f"{what} did not arrive")
            if not ended.reached:
                return
