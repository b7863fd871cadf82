"""A far side that takes a message, and never answers."""

from __future__ import annotations

from typing import Any

import anyio

from convergekit.abc import Adapter

from .._bench import Attempt, Bench, eventually
from .._subject import Fault
from ._registry import check, expect, listed
from .outcomes import is_ours

__all__: list[str] = []


@check("silence-uncertain")
async def _silence(bench: Bench) -> None:
    """It ends by a time-out of its own, or by the engine's: whichever comes first."""
    bench.subject.fault(Fault.SILENT)
    async with bench.entered() as (adapter, _):
        attempt = await _attempt(bench, adapter)
    endings = bench.subject.ending(Fault.SILENT)
    names = listed(ending.__name__ for ending in endings)
    expect(attempt.ending in endings, f"no answer came, and it ended with {attempt}, and not with {names}")


@check("one-attempt", fault=[Fault.SILENT])
async def _once(bench: Bench, fault: Fault) -> None:
    bench.subject.fault(fault)
    async with bench.entered() as (adapter, _):
        await _attempt(bench, adapter)
    times = len(bench.subject.received())
    expect(times <= 1, f"no answer came, and the far side got it {times} times")


@check("only-our-errors", fault=[Fault.SILENT])
async def _only_ours(bench: Bench, fault: Fault) -> None:
    bench.subject.fault(fault)
    async with bench.entered() as (adapter, _):
        is_ours(await _attempt(bench, adapter))


async def _attempt(bench: Bench, adapter: Adapter[Any]) -> Attempt:
    """One that takes no longer than it takes the far side to get the message."""
    ended: list[Attempt] = []
    over = anyio.Event()

    async def sends() -> None:
        ended.append(await bench.attempt(adapter, timeout=adapter.send_timeout))
        over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sends)
        await eventually(lambda: bool(bench.subject.received() or ended))
        with bench.time.skipped():
            await over.wait()
    return ended[0]
