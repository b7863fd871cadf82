"""The state machine of a dispatch: which leg goes next, which is no longer needed, and when to look again.

`advance` is pure. The engine calls it in the transaction that submits, after each attempt and each receipt, and when
`wake_at` has come; it stores what comes back and serves whatever is QUEUED by then.

Rules kept here (DESIGN, "first_of" and "Status"):

- A leg reaches its goal by evidence alone: a status at or above the goal that is not FAILED.
- A sequence leaves a leg that was refused, failed, dead, expired or cancelled; one whose account cannot be used; one
  that was not sent after `tries`; and one that has not reached its goal `within` seconds after it was opened.
  The leg it leaves is closed, so that it cannot wake up later and make a double; one that was taken cannot be called
  back and is left alone.
- Nothing moves on from a leg that is being handed over (SENDING) or whose outcome is unknown. The first ends soon;
  the second is for reconciling, a late receipt, or a person to decide.
- The last leg of a sequence is not left: it goes on being retried. Inside another sequence, the outer one's `tries`
  is the limit of the inner one's last leg, and the outer one's `within` counts for the inner one as a whole.
- Parallel steps go on until each has ended, also when one of them is lost already.
- A leg that is no longer needed is cancelled, unless it is under way: being handed over, unknown, or with parts that
  were taken. Half a message puzzles its reader more than a whole one.
- SATISFIED, CANCELLED and SUPPRESSED stay. A failure that is reported after a dispatch was satisfied reopens nothing:
  it shows in `status`. EXHAUSTED and EXPIRED say that nothing more will be sent; a late report can still prove that
  the goal was reached, and then they become SATISFIED. A resend by a person (`Delivery.supersedes`) of a leg that
  was lost makes them PENDING again. What has reached its goal and is repeated, under the same key, has reached it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from convergekit.model import (
    Address,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Failure,
    FailureKind,
    LegStep,
    ParallelStep,
    SequenceStep,
    Status,
    Step,
)

from ._steps import leaves

__all__ = ["advance", "is_needed", "reached"]


class _Verdict(Enum):
    REACHED = "reached"
    OPEN = "open"
    LOST = "lost"


def _none_is(channel: str) -> bool:
    return False


def advance(dispatch: Dispatch, now: datetime, is_down: Callable[[str], bool] = _none_is) -> Dispatch:
    """What *dispatch* has become, and which legs are to be served now.

    Opened legs are QUEUED, with `opened_at` and `due` set to *now*, or to their own `due` where that is later:
    `within` starts when a leg could first be served. The caller counts `version`.

    Args:
        dispatch: As the ledger has it, with one delivery for each leg of its plan.
        now: The current time.
        is_down: Whether the account of a channel is known to be refused: a leg on it is left without a try.

    Returns:
        The same object where nothing has changed; for one *now*, a second call changes nothing.
    """
    if dispatch.plan is None:
        return dispatch
    run = _Run(dispatch, now, is_down)
    match dispatch.state:
        case DispatchState.SATISFIED:
            # A leg that was being handed over when another one reached the goal may be back in the queue.
            run.release(dispatch.plan)
            return run.result(dispatch.state, dispatch.reason)
        case DispatchState.CANCELLED | DispatchState.SUPPRESSED:
            run.withdraw(dispatch.plan, f"the dispatch was {dispatch.state.value}")
            return run.result(dispatch.state, dispatch.reason)
        case _:
            verdict = run.drive(dispatch.plan, None)
            return run.result(*run.outcome(verdict))


def reached(delivery: Delivery, goal: Status) -> bool:
    """Whether the evidence for *delivery* is at or above *goal*. FAILED never is, wherever it stands on the scale."""
    status = delivery.status
    return status is not Status.FAILED and status >= goal


def is_needed(dispatch: Dispatch, leg: int) -> bool:
    """Whether *leg*, which is lost, could still bring *dispatch* further: no other way has, or may, in its stead."""
    return dispatch.plan is not None and _is_needed(dispatch, dispatch.plan, leg)


def _is_needed(dispatch: Dispatch, step: Step, leg: int) -> bool:
    if isinstance(step, LegStep):
        return True
    mine = next(child for child in step.steps if any(leaf.leg == leg for leaf in leaves(child)))
    others = [leaf for child in step.steps if child is not mine for leaf in leaves(child)]
    if isinstance(step, SequenceStep) and any(_leads_on(dispatch, leaf) for leaf in others):
        return False
    return _is_needed(dispatch, mine, leg)


def _leads_on(dispatch: Dispatch, leaf: LegStep) -> bool:
    delivery = dispatch.delivery(leaf.leg)
    under_way = delivery.state in (DeliveryState.QUEUED, DeliveryState.SENDING)
    return under_way or any(reached(each, leaf.goal) for each in dispatch.tries(delivery))


class _Run:
    """One pass over the plan; the only thing here that changes, and it does not outlive `advance`."""

    def __init__(self, dispatch: Dispatch, now: datetime, is_down: Callable[[str], bool]) -> None:
        self.dispatch, self.now, self.is_down = dispatch, now, is_down
        self.legs = {delivery.leg: delivery for delivery in dispatch.deliveries}  # the newest of a leg comes last
        self.changed: dict[str, Delivery] = {}
        self.open: dict[int, Delivery] = {}
        self.timers: list[datetime] = []
        self.expired = False

    # -- what holds -----------------------------------------------------------------------------------------------

    def reached(self, leaf: LegStep) -> bool:
        """Whether its delivery has reached its goal, or one before it that it repeats."""
        return any(reached(each, leaf.goal) for each in self.dispatch.tries(self.legs[leaf.leg]))

    def started(self, step: Step) -> bool:
        return any(_is_started(self.legs[leaf.leg]) for leaf in leaves(step))

    def deadline(self, step: Step, within: float | None) -> datetime | None:
        opened = [moment for leaf in leaves(step) if (moment := self.legs[leaf.leg].opened_at) is not None]
        return min(opened) + timedelta(seconds=within) if within is not None and opened else None

    def expires(self, delivery: Delivery) -> datetime | None:
        own, whole = delivery.expires_at, self.dispatch.message.expires_at
        return own if whole is None else whole if own is None else min(own, whole)

    def has_opted_out(self, address: Address) -> bool:
        """Whether another way to *address* was refused since they want no more; the consent gate learns it later."""
        return any(each.address == address and each.opt_out is not None for each in self.legs.values())

    def is_stuck(self, delivery: Delivery) -> bool:
        """Due now, on a channel that nothing goes out by until a person acts."""
        is_due = delivery.state is DeliveryState.QUEUED and delivery.due <= self.now and delivery.supersedes is None
        return is_due and not _is_under_way(delivery) and self.is_down(delivery.channel)

    # -- moving on ------------------------------------------------------------------------------------------------

    def drive(self, step: Step, tries: int | None) -> _Verdict:
        """Do what is due in a *step* that the plan has reached; *tries* is None where nothing comes after it."""
        match step:
            case LegStep():
                return self.drive_leg(step, tries)
            case SequenceStep():
                return self.drive_sequence(step, tries)
            case ParallelStep():
                return _all_of([self.drive(child, tries) for child in step.steps])

    def drive_leg(self, step: LegStep, tries: int | None) -> _Verdict:
        if self.reached(step):
            return _Verdict.REACHED
        delivery = self.legs[step.leg]
        if _is_held(delivery):
            return self.still_open(delivery)
        if _is_lost(delivery):
            return _Verdict.LOST
        expires = self.expires(delivery)
        if expires is not None and expires <= self.now:
            return self.expire(delivery)
        if not _is_started(delivery) and self.has_opted_out(delivery.address):
            self.cancel(delivery, "the recipient has opted out")
            return _Verdict.LOST
        if delivery.state is DeliveryState.WAITING:
            due = max(self.now, delivery.due)
            delivery = self.change(delivery, state=DeliveryState.QUEUED, due=due, opened_at=due)
        elif delivery.opened_at is None:
            delivery = self.change(delivery, opened_at=max(self.now, delivery.due))
        elif tries is not None and delivery.supersedes is None and (why := _given_up(delivery, tries)):
            self.cancel(delivery, why)
            return _Verdict.LOST
        if tries is not None and self.is_stuck(delivery):
            self.cancel(delivery, "left: the account cannot be used")
            return _Verdict.LOST
        if expires is not None:
            self.timers.append(expires)
        return self.still_open(delivery)

    def drive_sequence(self, step: SequenceStep, tries: int | None) -> _Verdict:
        undecided = False
        for index, child in enumerate(step.steps):
            is_last = index == len(step.steps) - 1
            if undecided and not self.started(child):
                break
            deadline = None if is_last else self.deadline(child, step.within)
            if deadline is not None and deadline <= self.now:
                verdict = self.leave(child, f"left: not within {step.within:g} s")
            else:
                verdict = self.drive(child, tries if is_last else step.tries)
                deadline = None if is_last else self.deadline(child, step.within)  # it may have been opened just now
                if verdict is _Verdict.OPEN and deadline is not None:
                    self.timers.append(deadline)
            if verdict is _Verdict.REACHED:
                self.release(step)
                return verdict
            undecided = undecided or verdict is _Verdict.OPEN
        return _Verdict.OPEN if undecided else _Verdict.LOST

    def leave(self, step: Step, why: str) -> _Verdict:
        """Close *step* as far as that can be done; what was taken before may still reach its goal."""
        legs = {leaf.leg: self.legs[leaf.leg] for leaf in leaves(step)}
        held = {leaf.leg for leaf in leaves(step) if _is_held(legs[leaf.leg]) and not self.reached(leaf)}
        if held:
            self.open.update((leg, legs[leg]) for leg in held)
            return _Verdict.OPEN
        for delivery in legs.values():
            # A resend was asked for by a person; the plan does not take it back.
            if delivery.supersedes is None:
                self.cancel(delivery, why)
        return self.look(step)

    def look(self, step: Step) -> _Verdict:
        """Where *step* stands, changing nothing: REACHED, OPEN for a resend under way, or LOST."""
        match step:
            case LegStep():
                if self.reached(step):
                    return _Verdict.REACHED
                delivery = self.legs[step.leg]
                resent = delivery.supersedes is not None and delivery.state is DeliveryState.QUEUED
                return self.still_open(delivery) if resent else _Verdict.LOST
            case ParallelStep():
                return _all_of([self.look(child) for child in step.steps])
            case SequenceStep():
                verdicts = [self.look(child) for child in step.steps]
                return next((one for one in _Verdict if one in verdicts), _Verdict.LOST)

    # -- changes --------------------------------------------------------------------------------------------------

    def change(self, delivery: Delivery, **fields: Any) -> Delivery:
        changed = self.legs[delivery.leg] = self.changed[delivery.id] = delivery.model_copy(update=fields)
        return changed

    def still_open(self, delivery: Delivery) -> _Verdict:
        self.open[delivery.leg] = delivery
        return _Verdict.OPEN

    def cancel(self, delivery: Delivery, why: str, kind: FailureKind = FailureKind.CANCELLED) -> None:
        """Nothing of *delivery* goes out any more; where it is not in the queue, it stays as it is."""
        if delivery.state in (DeliveryState.WAITING, DeliveryState.QUEUED):
            reason = f"{why}; {delivery.reason}" if delivery.reason else why
            self.change(delivery, state=DeliveryState.CANCELLED, reason=reason, failure=Failure(kind=kind))

    def expire(self, delivery: Delivery) -> _Verdict:
        # A leg that was taken, without word of the goal in time, is not ours to end: only the dispatch says so.
        self.cancel(delivery, "expired before it was sent", FailureKind.EXPIRED)
        self.expired = True
        return _Verdict.LOST

    def release(self, step: Step) -> None:
        """Cancel what *step*, whose goal was reached, no longer needs; whatever is under way is finished."""
        for leaf in leaves(step):
            delivery = self.legs[leaf.leg]
            if not self.reached(leaf) and delivery.supersedes is None and not _is_under_way(delivery):
                self.cancel(delivery, "no longer needed")

    def withdraw(self, step: Step, why: str) -> None:
        """Stop all that has not gone out yet, whole or in part."""
        for leaf in leaves(step):
            self.cancel(self.legs[leaf.leg], why)

    # -- the end --------------------------------------------------------------------------------------------------

    def outcome(self, verdict: _Verdict) -> tuple[DispatchState, str | None]:
        match verdict:
            case _Verdict.REACHED:
                return DispatchState.SATISFIED, None
            case _Verdict.LOST:
                return self.ended(), _reasons(self.legs.values())
            case _Verdict.OPEN:
                waiting = all(_is_scheduled(delivery, self.now) for delivery in self.open.values())
                return DispatchState.WAITING if waiting else DispatchState.PENDING, _reasons(self.open.values())

    def ended(self) -> DispatchState:
        if self.dispatch.state.is_final:
            return self.dispatch.state  # of two true reasons the first one stays
        failures = (delivery.failure for delivery in self.legs.values())
        expired = self.expired or any(one is not None and one.kind is FailureKind.EXPIRED for one in failures)
        return DispatchState.EXPIRED if expired else DispatchState.EXHAUSTED

    def result(self, state: DispatchState, reason: str | None) -> Dispatch:
        fields: dict[str, Any] = {
            "state": state,
            "reason": reason,
            "wake_at": None if state.is_final else min(self.timers, default=None),
        }
        if self.changed:
            deliveries = tuple([self.changed.get(delivery.id, delivery) for delivery in self.dispatch.deliveries])
            return self.dispatch.model_copy(update=fields | {"deliveries": deliveries})
        same = all(getattr(self.dispatch, name) == value for name, value in fields.items())
        return self.dispatch if same else self.dispatch.model_copy(update=fields)


def _is_started(delivery: Delivery) -> bool:
    return delivery.opened_at is not None or delivery.state not in (DeliveryState.WAITING, DeliveryState.CANCELLED)


def _all_of(verdicts: list[_Verdict]) -> _Verdict:
    if _Verdict.OPEN in verdicts:
        return _Verdict.OPEN
    return _Verdict.LOST if _Verdict.LOST in verdicts else _Verdict.REACHED


def _is_held(delivery: Delivery) -> bool:
    """Being handed over, or unknown: whoever moved on now, short of the goal, might make a double."""
    if delivery.state is DeliveryState.SENDING:
        return True
    # A receipt for a part whose attempt was open-ended decides it; the mark alone does not keep it unknown.
    if delivery.unknown and any(delivery.status_of(part) is Status.UNKNOWN for part in delivery.unknown):
        return True
    return delivery.state is DeliveryState.UNKNOWN and delivery.status is not Status.FAILED


def _is_lost(delivery: Delivery) -> bool:
    """Nothing that we do by ourselves can bring it further."""
    if delivery.status is Status.FAILED or delivery.state in (DeliveryState.DEAD, DeliveryState.CANCELLED):
        return True
    return delivery.state is DeliveryState.CLOSED and bool(delivery.missing)


def _given_up(delivery: Delivery, tries: int) -> str | None:
    """Why a leg that another one follows is left after its last attempt, or None."""
    if delivery.state is not DeliveryState.QUEUED or not delivery.history:
        return None
    match delivery.history[-1].outcome:
        case "account":
            return "left: the account cannot be used"
        case "not_sent" if delivery.attempts >= tries:
            return f"left: not sent after {delivery.attempts} {'try' if delivery.attempts == 1 else 'tries'}"
        case _:
            return None


def _is_under_way(delivery: Delivery) -> bool:
    if delivery.state in (DeliveryState.SENDING, DeliveryState.UNKNOWN) or delivery.unknown:
        return True
    return any(delivery.report.part(part).status is not None for part in range(len(delivery.parts)))


def _is_scheduled(delivery: Delivery, now: datetime) -> bool:
    """Whether it waits for the time it was asked to wait for, rather than for a retry."""
    if delivery.due <= now or delivery.state is not DeliveryState.QUEUED:
        return False
    return delivery.first_attempt_at is None and not delivery.history


def _reasons(deliveries: Iterable[Delivery]) -> str | None:
    said = [f"{delivery.channel}: {delivery.reason}" for delivery in deliveries if delivery.reason]
    return "; ".join(said) or None
