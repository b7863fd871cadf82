"""The torture itself, without kills and in one process: it passes a sound store, and finds each that is broken.

A sum that cannot be violated proves nothing; so each store here breaks one promise, each medium another, and the sum
that is named must say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import count
from typing import Any

import anyio
import pytest

from convergekit import MemoryStore
from convergekit.abc import Admission, Claim, Direction, Lease, LedgerCounts
from convergekit.errors import LeaseLostError
from convergekit.model import DeliveryState, Dispatch, DispatchState, Event, Report

from .driver import Outcome, tortured
from .launch import InProcess
from .plan import Torture, planned
from .recorder import Gap, Handover, Recorder, Run
from .sums import Sums, summed

pytestmark = pytest.mark.anyio


async def torture(store: MemoryStore, medium: type[Recorder] = Recorder, **more: Any) -> Sums:
    plan = planned(Torture(**{"seed": 47, "out": 60, "into": 60, "lanes": 3, "lease": 60.0, "patience": 2.0, **more}))
    async with anyio.create_task_group() as tasks:
        outcome = await tortured(plan, InProcess(store, tasks), medium(plan))
    return summed(outcome)


async def test_a_sound_store_passes() -> None:
    """And everything that was planned to happen did."""
    sums = await torture(MemoryStore(), out=300, into=200, patience=60.0)

    assert sums.wrong == []
    for figure in ("refused", "dead", "doubles on alerts", "doubles dropped", "unknown", "offered again"):
        assert sums.figures[figure] > 0, figure


class _Every:
    """True now and then."""

    def __init__(self, nth: int = 9) -> None:
        self._nth = nth
        self._numbers = count(1)

    def __call__(self) -> bool:
        return next(self._numbers) % self._nth == 0


class Broken(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.now_and_then = _Every()


class LosesSubmits(Broken):
    async def submit(self, dispatches: Sequence[Dispatch], **more: Any) -> tuple[Dispatch, ...]:
        return tuple(dispatches) if self.now_and_then() else await super().submit(dispatches, **more)


class ForgetsKeys(Broken):
    async def submit(self, dispatches: Sequence[Dispatch], **more: Any) -> tuple[Dispatch, ...]:
        stored = await super().submit(dispatches, **more)
        if self.now_and_then():
            again = tuple(each.model_copy(update={"id": f"{each.id}x", "key": f"{each.key}x"}) for each in dispatches)
            moved = [tuple(d.model_copy(update={"id": f"{d.id}x"}) for d in each.deliveries) for each in again]
            await super().submit(
                [each.model_copy(update={"deliveries": legs}) for each, legs in zip(again, moved, strict=True)]
            )
        return stored


class LosesEvents(Broken):
    async def admit(self, channel: str, events: Sequence[Event], *args: Any, **more: Any) -> tuple[Admission, ...]:
        if events and self.now_and_then():
            await super().admit(channel, events[1:], *args, **more)
            return (Admission.NEW,) * len(events)
        return await super().admit(channel, events, *args, **more)


class ForgetsEvents(Broken):
    async def admit(self, *args: Any, **more: Any) -> tuple[Admission, ...]:
        self._seen.clear()
        return await super().admit(*args, **more)


class TurnsEventsRound(Broken):
    async def admit(self, channel: str, events: Sequence[Event], *args: Any, **more: Any) -> tuple[Admission, ...]:
        return (await super().admit(channel, events[::-1], *args, **more))[::-1]


class LeasesTwice(Broken):
    async def claim(self, direction: Direction, **more: Any) -> Claim:
        claim = await super().claim(direction, **more)
        return claim._replace(leases=[*claim.leases, *map(copy, claim.leases)]) if direction == "in" else claim


class AsksForNoLease(LeasesTwice):
    """Whoever comes with a lease that has ended is believed."""

    async def finish(self, lease: Lease, **more: Any) -> tuple[Dispatch, ...]:
        try:
            return await super().finish(lease, **more)
        except LeaseLostError:
            return ()


class ForgetsThatItIsDone(Broken):
    async def finish(self, lease: Lease, **more: Any) -> tuple[Dispatch, ...]:
        if self.now_and_then():
            await self.release(lease)
            raise LeaseLostError("says who")
        return await super().finish(lease, **more)


class ForgetsOutcomes(Broken):
    """A part that was taken is queued again."""

    async def save(self, dispatch: Dispatch, **more: Any) -> Dispatch | None:
        if dispatch.deliveries[0].state is DeliveryState.CLOSED and self.now_and_then():
            queued = dispatch.deliveries[0].model_copy(update={"state": DeliveryState.QUEUED, "report": Report()})
            state = DispatchState.PENDING
            dispatch = dispatch.model_copy(update={"deliveries": (queued,), "state": state})
        return await super().save(dispatch, **more)


class LosesOutcomes(Broken):
    """A part that was handed over stands there as *sending*, and nobody looks after it."""

    async def save(self, dispatch: Dispatch, **more: Any) -> Dispatch | None:
        if dispatch.deliveries[0].state is DeliveryState.CLOSED and self.now_and_then():
            return dispatch
        return await super().save(dispatch, **more)


class CallsAllUnknown(Broken):
    async def save(self, dispatch: Dispatch, **more: Any) -> Dispatch | None:
        first = dispatch.deliveries[0]
        if first.state is DeliveryState.CLOSED and first.channel == "plain":
            unknown = first.model_copy(update={"state": DeliveryState.UNKNOWN, "unknown": frozenset({0})})
            dispatch = dispatch.model_copy(update={"deliveries": (unknown,)})
        return await super().save(dispatch, **more)


class Miscounts(Broken):
    async def counts(self) -> LedgerCounts:
        counts = await super().counts()
        more = {key: number + (key[0] == "plain") for key, number in counts.deliveries.items()}
        return LedgerCounts(entries=counts.entries, deliveries=more)


class DropsAtEnd(Broken):
    """What was submitted is gone from the ledger once it has been sent."""

    async def dispatches(self, **more: Any) -> Sequence[Dispatch]:
        return (await super().dispatches(**more))[3:]


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (LosesSubmits, "messages that are not in the ledger"),
        (ForgetsKeys, "messages are in the ledger twice"),
        (LosesEvents, "events never finished"),
        (ForgetsEvents, "the ledger counts"),
        (TurnsEventsRound, "out of order"),
        (LeasesTwice, "overlaps inside a lane"),
        (AsksForNoLease, "events done twice"),
        (ForgetsThatItIsDone, "runs were begun again"),
        (ForgetsOutcomes, "doubles on"),
        (LosesOutcomes, "it did not come to its end"),
        (CallsAllUnknown, "unknown on plain"),
        (Miscounts, "the ledger counts"),
        (DropsAtEnd, "messages that are not in the ledger"),
    ],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_broken_store_is_found(store: type[Broken], says: str) -> None:
    # A busy machine is slow, and that is no finding.
    patience = 2.0 if says.startswith("it did not") else 60.0
    sums = await torture(store(), into=150, patience=patience)

    assert any(says in each for each in sums.wrong), sums.wrong


class LosesParts(Recorder):
    def arrives(self, handover: Handover, key: str) -> None:
        super().arrives(handover, key)
        handover.arrived = False


class DoublesParts(Recorder):
    def arrives(self, handover: Handover, key: str) -> None:
        super().arrives(handover, key)
        self.handovers.append(handover)


class KnowsNoKey(Recorder):
    def _on_take(self, *args: Any, **about: Any) -> Any:
        return super()._on_take(*args, **{**about, "key": f"{about['key']} {len(self.handovers)}"})


class Forgetful(Recorder):
    def _on_reconcile(self, *args: Any, **about: Any) -> Any:
        return {"id": None}


@pytest.mark.parametrize(
    ("medium", "says"),
    [
        (LosesParts, "parts that arrived: [False]"),
        (DoublesParts, "doubles on keyed"),
        (KnowsNoKey, "doubles on keyed"),
        (Forgetful, "doubles on asked"),
    ],
)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_broken_medium_is_found(medium: type[Recorder], says: str) -> None:
    sums = await torture(MemoryStore(), medium, out=200, patience=60.0)

    assert any(says in each for each in sums.wrong), sums.wrong


def _record(*happened: Handover | Run, gaps: Sequence[Gap] = (), stalls: Sequence[Gap] = ()) -> Sums:
    record = Recorder(planned(Torture(seed=1, out=0, into=0)))
    record.handovers += [each for each in happened if isinstance(each, Handover)]
    record.runs += [each for each in happened if isinstance(each, Run)]
    record.stalls += stalls
    return summed(Outcome(record, gaps=list(gaps)))


def _part(what: str, worker: str, at: float, until: float | None) -> Handover:
    return Handover("plain", what, 0, "torture:plain-0", worker, at, until, "taken", arrived=True)


def test_a_worker_that_stands_still_holds_nothing() -> None:
    """Its hand-over ends where it was stopped; what it sends just after it was continued is counted, and bounded."""
    gap = Gap("a", 2.0, 9.0)
    behind = (_part("plain/0/1", "a", 1.0, 9.1), _part("plain/0/2", "b", 6.0, 6.5))
    assert _record(*behind, gaps=[gap]).figures["overlaps"] == 0
    assert _record(*behind).figures["overlaps"] == 1

    late = (_part("plain/0/2", "b", 6.0, 9.5), _part("plain/0/1", "a", 9.1, 9.2))
    assert _record(*late, gaps=[gap]).figures["out of order"] == 0
    assert _record(*late).figures["out of order"] == 1
    assert "1 parts came late, more than the stops" not in _record(*late, gaps=[gap]).wrong


def test_a_run_that_goes_on_beside_another_is_found() -> None:
    """Unless its worker stood still when the other began, left at once when it went on, and changed nothing."""

    def overlaps(until: float | None = 6.3, *, committed: bool = False, **still: Sequence[Gap]) -> list[str]:
        former = Run("heard/0/1", "a", 1.0, until, committed=committed)
        return _record(former, Run("heard/0/1", "b", 6.0, 6.2, finished=True), **still).wrong

    def says(text: str, wrong: Sequence[str]) -> bool:
        return any(text in each for each in wrong)

    stood = [Gap("a", 5.5, 6.2)]
    assert not says("lane", overlaps(stalls=stood))
    assert not says("lane", overlaps(gaps=stood))
    assert not says("lane", overlaps(gaps=[Gap("a", 2.0, 5.7)], stalls=stood))
    assert says("1 overlaps inside a lane", overlaps())
    assert says("1 overlaps inside a lane", overlaps(stalls=[Gap("c", 5.5, 6.2)]))
    assert says("1 overlaps inside a lane", overlaps(stalls=[Gap("a", 4.0, 5.0)]))
    assert says("1 overlaps inside a lane", overlaps(7.0, stalls=stood))
    assert says("1 overlaps inside a lane", overlaps(None, stalls=stood))
    assert says("done by a worker whose lane was another's", overlaps(committed=True, stalls=stood))
