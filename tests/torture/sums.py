"""Plan, record and ledger, compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from convergekit.abc import EntryState
from convergekit.engine.handlers import CRASH_RETRY
from convergekit.model import Delivery, DeliveryState, Dispatch, Status

from .driver import Outcome
from .plan import MEDIA, WAYS_IN, Medium
from .recorder import Gap, Handover, Run

__all__ = ["Sums", "summed"]

#: Seconds: between a worker's going on and what it had on its way being noted, or what it had lost being left.
_ON_ITS_WAY = 0.25
_SHOWN = 10
#: Runs that did not come to their end, after which an event is given up.
_LIMIT = CRASH_RETRY.limit
#: Seconds for which an event that is to be handled again holds up its lane.
_HOLD = 60.0


@dataclass(slots=True)
class Sums:
    """What came out.

    Args:
        figures: By name.
        wrong: Every sum that is violated, in words.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, text: str) -> None:
        """Note *text* unless it *holds*."""
        if not holds:
            self.wrong.append(text)

    def none(self, what: str, found: Iterable[object]) -> int:
        """There are none of these; returns how many there are."""
        all_found = [str(each) for each in found]
        if all_found:
            more = "" if len(all_found) <= _SHOWN else " ..."
            self.wrong.append(f"{len(all_found)} {what}: {', '.join(all_found[:_SHOWN])}{more}")
        return len(all_found)


def summed(outcome: Outcome) -> Sums:
    """Every sum of issue 3, "Must hold"."""
    sums = Sums()
    record, torture = outcome.recorder, outcome.recorder.plan.torture
    sums.figures |= {
        "seed": torture.seed,
        "out": len(record.plan.out),
        "in": len(record.plan.into),
        "workers": torture.workers,
        "kills": outcome.kills,
        "stops": len(outcome.gaps),
        "outages": outcome.outages,
        "seconds": round(outcome.seconds, 1),
    }
    sums.expect(not outcome.stuck, f"it did not come to its end: {outcome.stuck}")
    sums.none("strange things", record.strange)
    sums.expect(outcome.kills == torture.kills, f"{outcome.kills} kills of {torture.kills} took place")
    _out(outcome, sums)
    _into(outcome, sums)
    _order(outcome, sums)
    _overlap(outcome, sums)
    _ledger(outcome, sums)
    sums.figures["repeated submits and calls"] = outcome.repeats
    sums.figures["seconds to open, median"] = round(median(outcome.opened or [0.0]), 2)
    return sums


# The way out


def _out(outcome: Outcome, sums: Sums) -> None:
    record = outcome.recorder
    arrived: Counter[tuple[str, int]] = Counter()
    for each in record.handovers:
        arrived[each.what, each.part] += each.arrived
    ledger = {_what(dispatch): dispatch for dispatch in outcome.dispatches}
    expected = {what: each.channel for what, each in record.plan.out.items()} | {
        f"re:{what}": each.channel for what, each in record.plan.into.items() if each.reply
    }
    sums.none("messages are in the ledger twice", _twice(_what(each) for each in outcome.dispatches))
    sums.none("messages that nobody sent", ledger.keys() - expected.keys())
    sums.none("messages that are not in the ledger", expected.keys() - ledger.keys())
    sums.none(
        "messages whose repeated submit was another message",
        (what for what, ids in record.submitted.items() if what in ledger and ids != {ledger[what].id}),
    )
    unknown: Counter[str] = Counter()
    refused = dead = 0
    wrong: list[str] = []
    for what, dispatch in ledger.items():
        delivery = dispatch.deliveries[0]
        unknown[delivery.channel] += delivery.state is DeliveryState.UNKNOWN
        refused += delivery.state is DeliveryState.CLOSED and delivery.status is Status.FAILED
        dead += delivery.state is DeliveryState.DEAD
        trouble = _fate(outcome, what, delivery, arrived)
        if trouble is not None:
            wrong.append(f"{what} is {delivery.state.value}/{delivery.status.value}: {trouble}")
    sums.none("messages stand where they should not", wrong)
    _unknown(outcome, unknown, sums)
    _doubles(outcome, arrived, sums)
    sums.figures |= {
        "parts arrived": sum(number > 0 for number in arrived.values()),
        "unknown": sum(unknown.values()),
        "unknown, by the medium": sum(record.silent[channel] for channel in MEDIA if _stays_unknown(MEDIA[channel])),
        "refused": refused,
        "dead": dead,
        "doubles dropped": sum(each.outcome == "known" for each in record.handovers),
    }


def _fate(outcome: Outcome, what: str, delivery: Delivery, arrived: Mapping[tuple[str, int], int]) -> str | None:
    """What is wrong with where *delivery* stands, or None."""
    plan = outcome.recorder.plan
    there = [arrived[what, part] > 0 for part in range(len(delivery.parts))]
    refused = [(what, part) in plan.refused for part in range(len(delivery.parts))]
    match delivery.state:
        case DeliveryState.UNKNOWN:
            medium = MEDIA.get(delivery.channel) or WAYS_IN[delivery.channel]
            # What the medium never takes may have used up its attempts when a worker died in the midst of the last.
            used_up = what in plan.hopeless and not medium.answers
            return None if used_up or _stays_unknown(medium) else "of this medium nothing need stay unknown"
        case DeliveryState.DEAD:
            return None if what in plan.hopeless and not any(there) else "its medium would have taken it"
        case DeliveryState.CLOSED if delivery.status is Status.FAILED:
            if not any(refused):
                return "its medium would have taken it"
            first = refused.index(True)
            return None if all(there[:first]) and not any(there[first:]) else f"parts that arrived: {there}"
        case DeliveryState.CLOSED:
            return None if all(there) else f"parts that arrived: {there}"
    return "it is not settled"


def _stays_unknown(medium: Medium) -> bool:
    return not (medium.idempotent or medium.answers or medium.resends)


def _unknown(outcome: Outcome, unknown: Mapping[str, int], sums: Sums) -> None:
    torture = outcome.recorder.plan.torture
    per_kill = outcome.blows * torture.per_channel
    sums.figures["unknown at most"] = sum(
        outcome.recorder.silent[channel] + per_kill for channel in MEDIA if _stays_unknown(MEDIA[channel])
    )
    for channel, number in unknown.items():
        limit = outcome.recorder.silent[channel] + per_kill
        sums.expect(number <= limit, f"{number} unknown on {channel}, more than {limit}")


def _doubles(outcome: Outcome, arrived: Mapping[tuple[str, int], int], sums: Sums) -> None:
    record, torture = outcome.recorder, outcome.recorder.plan.torture
    doubles: defaultdict[str, list[str]] = defaultdict(list)
    for (what, part), number in arrived.items():
        channel = what.removeprefix("re:").split("/")[0]
        doubles[channel] += [f"{what} part {part}"] * (number - 1)
    for channel, medium in {**MEDIA, **WAYS_IN}.items():
        found = doubles[channel]
        sums.figures[f"doubles on {channel}"] = len(found)
        if medium.resends:
            limit = record.silent[channel] + outcome.blows * torture.per_channel
            sums.expect(len(found) <= limit, f"{len(found)} doubles on {channel}, more than {limit}")
        elif medium.answers and outcome.gaps:
            # A worker that is stopped between its last look at the lease and its first byte sends when it is
            # continued, whatever has happened meanwhile; only the medium itself could know. That is one step of one
            # task, so one part for each stop at most.
            sums.expect(len(found) <= len(outcome.gaps), f"{len(found)} doubles on {channel}: {found[:_SHOWN]}")
        else:
            sums.none(f"doubles on {channel}", found)


# The way in


def _into(outcome: Outcome, sums: Sums) -> None:
    record, torture = outcome.recorder, outcome.recorder.plan.torture
    runs = Counter(each.what for each in record.runs)
    finished = Counter(each.what for each in record.runs if each.finished)
    failed = Counter(each.what for each in record.runs if each.failed)
    sums.none("events never finished", record.plan.into.keys() - finished.keys())
    sums.none("events admitted twice", (what for what, number in record.news.items() if number > 1))
    sums.none("events done twice", (what for what, number in record.done.items() if number > 1))
    again = sum(number - 1 - failed[what] for what, number in runs.items())
    limit = outcome.blows * torture.at_once
    sums.expect(again <= limit, f"{again} runs were begun again, more than {limit}")
    sums.figures |= {
        "runs begun again": again,
        "runs begun again at most": limit,
        "runs finished again": sum(number - 1 for number in finished.values()),
        "offered again": sum(record.offered.values()) - len(record.offered),
    }


# Lanes


def _order(outcome: Outcome, sums: Sums) -> None:
    record, gaps = outcome.recorder, _gaps(outcome)
    runs = sorted(record.runs, key=lambda run: run.at)
    wrong, passed = _overtaken((run for run in runs if not _just_continued(gaps, run)), record.offered_at)
    late = 0
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for each in record.handovers:
        place = (int(each.what.split("/")[2]), each.part)
        lane = (each.channel, each.to)
        if not each.arrived or place >= last.get(lane, (0, 0)):
            last[lane] = max(place, last.get(lane, (0, 0))) if each.arrived else last.get(lane, (0, 0))
        elif _just_continued(gaps, each):
            late += 1
        elif each.what.removeprefix("re:") not in passed:
            wrong.append(f"{each.what} part {each.part} after {last[lane]}")
    sums.none("out of order", wrong)
    sums.expect(late <= len(gaps), f"{late} parts came late, more than the stops")
    sums.figures |= {"out of order": len(wrong), "passed after the hold": len(passed), "late after a stop": late}


def _overtaken(runs: Iterable[Run], offered_at: Mapping[str, float]) -> tuple[list[str], set[str]]:
    """Events that ran after a later one of their lane had begun: those for which it is wrong, and the others.

    An event that is in the hands of workers that die, time after time, holds up its lane for a minute from the first
    of them on, whether they had begun with it or not; then others may pass it.
    """
    wrong: list[str] = []
    passed: set[str] = set()
    told: dict[str, list[str]] = defaultdict(list)  # what happened in a lane, for whoever has to find out why
    newest: dict[str, list[tuple[int, float]]] = defaultdict(list)  # of a lane: each that was the latest, and when
    for run in runs:
        lane, _, text = run.what.rpartition("/")
        number = int(text)
        end = "cut off" if not (run.finished or run.failed) else "finished" if run.finished else "failed"
        told[lane].append(f"{number} {end} {run.worker} {run.at:.2f}-{run.until or 0:.2f}")
        overtaker = next((at for later, at in newest[lane] if later > number), None)
        if overtaker is None:
            newest[lane].append((number, run.at))
        elif overtaker >= offered_at.get(run.what, 0.0) + _HOLD:
            passed.add(run.what)
        else:
            wrong.append(f"{run.what} ran after {newest[lane][-1][0]} ({'; '.join(told[lane][-_SHOWN:])})")
    return wrong, passed


def _overlap(outcome: Outcome, sums: Sums) -> None:
    """One after another in each lane, but for a worker that stood still and has not yet found out that it has lost it.

    No lease can keep that from happening. It is to happen only then, to be over at once, and to change nothing.
    """
    lanes: defaultdict[tuple[str, str], list[Handover | Run]] = defaultdict(list)
    for handover in outcome.recorder.handovers:
        lanes[handover.channel, handover.to].append(handover)
    for run in outcome.recorder.runs:
        channel, lane, _ = run.what.split("/")
        lanes["run", f"{channel}/{lane}"].append(run)
    gaps, found, committed, behind, late = _gaps(outcome), [], [], 0, 0
    for former, latter in (pair for lane_of in lanes.values() for pair in _pairs(lane_of)):
        shown = f"{latter.what} by {latter.worker} while {former.what} by {former.worker}"
        if isinstance(former, Run) and former.committed:
            committed.append(shown)
        elif _just_continued(gaps, latter):
            late += 1
        elif _left_in_time(gaps, former, latter):
            behind += 1
        else:
            found.append(shown)
    sums.none("overlaps inside a lane", found)
    sums.none("done by a worker whose lane was another's", committed)
    sums.expect(late <= len(gaps), f"{late} begun late after a stop, more than the stops")
    sums.figures |= {"overlaps": len(found), "begun late after a stop": late, "left late after a stop": behind}


def _pairs(lane_of: Iterable[Handover | Run]) -> Iterator[tuple[Handover | Run, Handover | Run]]:
    """Those that were in a lane at the same time: who was there, and who came."""
    there: list[Handover | Run] = []
    for each in sorted(lane_of, key=lambda each: each.at):
        there = [former for former in there if former.until is None or former.until > each.at]
        yield from ((former, each) for former in there)
        there.append(each)


def _left_in_time(gaps: Iterable[Gap], former: Handover | Run, latter: Handover | Run) -> bool:
    """Whether *former* stood still when *latter* came, and found out soon after it went on."""
    return former.until is not None and any(
        gap.worker == former.worker
        and former.at <= gap.end
        and gap.start <= latter.at <= gap.end + _ON_ITS_WAY
        and former.until <= gap.end + _ON_ITS_WAY
        for gap in gaps
    )


def _gaps(outcome: Outcome) -> list[Gap]:
    """When workers stood still: because the driver stopped them, or because the machine had no time for them."""
    gaps: list[Gap] = []
    for each in sorted((*outcome.gaps, *outcome.recorder.stalls), key=lambda gap: (gap.worker, gap.start)):
        if gaps and gaps[-1].worker == each.worker and each.start <= gaps[-1].end:
            gaps[-1] = Gap(each.worker, gaps[-1].start, max(gaps[-1].end, each.end))
        else:
            gaps.append(each)
    return gaps


def _just_continued(gaps: Iterable[Gap], each: Handover | Run) -> bool:
    return any(gap.worker == each.worker and gap.start <= each.at <= gap.end + _ON_ITS_WAY for gap in gaps)


# The ledger


def _ledger(outcome: Outcome, sums: Sums) -> None:
    plan, counts = outcome.recorder.plan, outcome.counts
    runs = Counter(each.what for each in outcome.recorder.runs)
    for channel in WAYS_IN:
        offered = sum(each.channel == channel for each in plan.into.values())
        states = {state: counts.entries.get((channel, state), 0) for state in EntryState}
        # An event in whose handling the process dies again and again is taken for the cause, as it well may be.
        suspects = sum(what.startswith(f"{channel}/") and number >= _LIMIT for what, number in runs.items())
        dead = states[EntryState.DEAD]
        right = states[EntryState.DONE] + dead == offered and not states[EntryState.READY] and dead <= suspects
        sums.figures["events given up"] = sums.figures.get("events given up", 0) + dead
        sums.expect(right, f"the ledger counts {states} of {offered} events of {channel}")
    submitted = Counter(each.channel for each in plan.out.values())
    submitted.update(each.channel for each in plan.into.values() if each.reply)
    found: Counter[str] = Counter()
    states_found: Counter[tuple[str, str]] = Counter()
    for dispatch in outcome.dispatches:
        for delivery in dispatch.deliveries:
            states_found[delivery.channel, delivery.state.value] += 1
    for (channel, _), number in counts.deliveries.items():
        found[channel] += number
    sums.expect(found == submitted, f"the ledger counts {dict(found)} of {dict(submitted)} messages")
    counted = {key: number for key, number in counts.deliveries.items() if number}
    sums.expect(counted == dict(states_found), f"the ledger counts {counted} and holds {dict(states_found)}")


def _what(dispatch: Dispatch) -> str:
    return (dispatch.message.text or "").split()[0]


def _twice(names: Iterable[str]) -> Iterator[str]:
    return (name for name, number in Counter(names).items() if number > 1)
