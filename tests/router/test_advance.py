"""Which leg goes next: each rule of `convergekit.router.advance`, and the laws that hold over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.model import (
    Address,
    Attempt,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    FailureKind,
    LegStep,
    Message,
    ParallelStep,
    Part,
    Receipt,
    SequenceStep,
    Status,
    Step,
    fold,
    from_json,
    to_json,
)
from convergekit.router.advance import advance, is_needed, reached

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
W, Q, S, U = DeliveryState.WAITING, DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.UNKNOWN
CLOSED, DEAD, GONE = DeliveryState.CLOSED, DeliveryState.DEAD, DeliveryState.CANCELLED


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def leg(number: int, *, parts: int = 1, **fields: Any) -> Delivery:
    address = Address(f"sms:+49151{number:07}")
    defaults: dict[str, Any] = {
        "id": f"d{number}",
        "dispatch": "x",
        "leg": number,
        "channel": f"c{number}",
        "address": address,
        "conversation": ConversationRef(channel=f"c{number}", address=address),
        "parts": (Part(text="hello"),) * parts,
        "key": f"k{number}",
        "state": W,
        "due": NOW,
    }
    return Delivery(**defaults | fields)


def dispatch(plan: Step, *legs: Delivery, message: Message | None = None, **fields: Any) -> Dispatch:
    return Dispatch(
        id="x",
        key="key",
        recipient="contact:ann",
        message=message or Message("hello"),
        plan=plan,
        deliveries=legs,
        created_at=NOW,
        **fields,
    )


def one_after_another(
    count: int = 2, *, goal: Status = Status.ACCEPTED, within: float | None = None, tries: int = 1
) -> Dispatch:
    plan = SequenceStep(steps=tuple(LegStep(leg=n, goal=goal) for n in range(count)), within=within, tries=tries)
    return dispatch(plan, *map(leg, range(count)))


def change(value: Dispatch, number: int, **fields: Any) -> Dispatch:
    delivery = value.delivery(number)
    return value.model_copy(update={"deliveries": value.replaced(delivery.model_copy(update=fields))})


def told(value: Dispatch, number: int, status: Status, *, part: int | None = None, **fields: Any) -> Dispatch:
    report = value.delivery(number).report | fold([Receipt(status, part=part)])
    return change(value, number, report=report, **fields)


def tried(value: Dispatch, number: int, outcome: Any, moment: datetime = NOW, **fields: Any) -> Dispatch:
    delivery = value.delivery(number)
    attempts = delivery.attempts + (outcome == "not_sent")
    entry = Attempt(number=len(delivery.history) + 1, part=0, at=moment, outcome=outcome, reason=f"it was {outcome}")
    fields = {"state": Q, "reason": f"it was {outcome}", "due": moment + timedelta(seconds=30)} | fields
    return change(value, number, attempts=attempts, history=(*delivery.history, entry), **fields)


def states(value: Dispatch) -> list[DeliveryState]:
    return [value.delivery(number).state for number in sorted({each.leg for each in value.deliveries})]


class TestOpening:
    def test_only_the_first_leg_of_a_sequence_is_opened(self) -> None:
        result = advance(one_after_another(3), at(5))

        assert states(result) == [Q, W, W]
        assert result.delivery(0).due == result.delivery(0).opened_at == at(5)
        assert result.state is DispatchState.PENDING

    def test_a_leg_on_a_channel_that_is_down_is_left_for_the_next_but_not_for_nothing(self) -> None:
        left = advance(one_after_another(2), NOW, lambda channel: channel == "c0")
        none_left = advance(one_after_another(2), NOW, lambda channel: True)

        assert states(left) == states(none_left) == [DeliveryState.CANCELLED, Q]
        assert left.delivery(0).reason == "left: the account cannot be used"
        assert advance(left, NOW, lambda channel: channel == "c0") is left

    def test_a_scheduled_leg_is_not_left_for_a_channel_that_is_down_now(self) -> None:
        value = change(one_after_another(), 0, due=at(3600))
        assert states(advance(value, NOW, lambda channel: channel == "c0")) == [Q, W]

    def test_parallel_legs_are_opened_together(self) -> None:
        plan = ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        assert states(advance(dispatch(plan, leg(0), leg(1)), NOW)) == [Q, Q]

    def test_a_scheduled_leg_keeps_its_time_and_the_dispatch_waits(self) -> None:
        result = advance(dispatch(LegStep(leg=0), leg(0, due=at(3600))), NOW)

        assert result.delivery(0).due == at(3600)
        assert result.state is DispatchState.WAITING

    def test_a_retry_is_not_waiting_but_pending_and_says_why(self) -> None:
        result = advance(tried(advance(dispatch(LegStep(leg=0), leg(0)), NOW), 0, "not_sent"), at(1))

        assert result.state is DispatchState.PENDING
        assert result.reason == "c0: it was not_sent"

    def test_within_starts_when_a_scheduled_leg_could_first_be_served(self) -> None:
        value = one_after_another(within=300)
        result = advance(change(value, 0, due=at(3600)), NOW)

        assert result.wake_at == at(3900)
        assert states(advance(result, at(3600))) == [Q, W]

    def test_a_leg_that_was_queued_by_the_caller_counts_as_opened(self) -> None:
        result = advance(change(one_after_another(within=60), 0, state=Q), NOW)
        assert result.delivery(0).opened_at == NOW
        assert result.wake_at == at(60)

    def test_what_has_no_plan_is_left_alone(self) -> None:
        value = dispatch(LegStep(leg=0), leg(0)).model_copy(update={"plan": None})
        assert advance(value, NOW) is value


class TestMovingOn:
    @pytest.mark.parametrize(
        ("change_first", "first"),
        [
            (lambda value: told(value, 0, Status.FAILED, state=CLOSED), CLOSED),
            (lambda value: change(value, 0, state=CLOSED, reason="refused"), CLOSED),
            (lambda value: change(value, 0, state=DEAD), DEAD),
            (lambda value: change(value, 0, state=GONE), GONE),
            (lambda value: tried(value, 0, "not_sent"), GONE),
            (lambda value: tried(value, 0, "account"), GONE),
        ],
        ids=["failed", "refused", "dead", "cancelled", "not sent", "account"],
    )
    def test_a_lost_leg_is_closed_and_the_next_one_opened(
        self, change_first: Callable[[Dispatch], Dispatch], first: DeliveryState
    ) -> None:
        result = advance(change_first(advance(one_after_another(), NOW)), at(2))

        assert states(result) == [first, Q]
        assert result.delivery(1).opened_at == at(2)

    def test_it_is_left_after_tries_and_not_before(self) -> None:
        value = tried(advance(one_after_another(tries=2), NOW), 0, "not_sent")
        assert states(advance(value, at(1))) == [Q, W]

        result = advance(tried(value, 0, "not_sent"), at(1))
        assert states(result) == [GONE, Q]
        assert result.delivery(0).reason == "left: not sent after 2 tries; it was not_sent"

    @pytest.mark.parametrize("outcome", ["throttled"])
    def test_being_throttled_is_no_try(self, outcome: str) -> None:
        value = tried(advance(one_after_another(), NOW), 0, outcome)
        assert states(advance(value, at(1))) == [Q, W]

    def test_the_last_leg_is_not_left(self) -> None:
        value = change(advance(one_after_another(within=60), NOW), 0, state=DEAD)
        value = tried(advance(value, NOW), 1, "not_sent")

        result = advance(value, at(10_000))
        assert states(result) == [DEAD, Q]
        assert result.state is DispatchState.PENDING
        assert result.wake_at is None

    def test_the_last_leg_of_a_sequence_within_another_is_left_for_what_follows(self) -> None:
        inner = SequenceStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        value = advance(dispatch(SequenceStep(steps=(inner, LegStep(leg=2))), leg(0), leg(1), leg(2)), NOW)
        for number in (0, 1):
            value = advance(tried(value, number, "not_sent"), NOW)
        assert states(value) == [GONE, GONE, Q]

    def test_a_sequence_moves_on_from_parallel_legs_when_each_has_ended(self) -> None:
        both = ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        value = advance(dispatch(SequenceStep(steps=(both, LegStep(leg=2))), leg(0), leg(1), leg(2)), NOW)

        value = advance(change(value, 0, state=DEAD), NOW)
        assert states(value) == [DEAD, Q, W]
        value = advance(told(value, 1, Status.ACCEPTED, state=CLOSED), NOW)
        assert states(value) == [DEAD, CLOSED, Q]


class TestWithin:
    def test_a_leg_nobody_took_in_time_is_cancelled(self) -> None:
        value = advance(one_after_another(within=60), NOW)
        assert value.wake_at == at(60)

        assert states(advance(value, at(59))) == [Q, W]
        result = advance(value, at(60))
        assert states(result) == [GONE, Q]
        assert result.delivery(0).reason == "left: not within 60 s"
        assert result.delivery(0).failure is not None
        assert result.delivery(0).failure.kind is FailureKind.CANCELLED

    def test_a_leg_that_was_taken_is_left_alone_and_may_still_win(self) -> None:
        value = advance(one_after_another(goal=Status.DELIVERED, within=60), NOW)
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), at(60))
        assert states(value) == [CLOSED, Q]

        result = advance(told(value, 0, Status.DELIVERED), at(61))
        assert states(result) == [CLOSED, GONE]
        assert result.state is DispatchState.SATISFIED
        assert result.wake_at is None

    def test_a_leg_that_is_being_handed_over_is_not_left(self) -> None:
        value = change(advance(one_after_another(within=60), NOW), 0, state=S, sending=0)
        assert states(advance(value, at(600))) == [S, W]
        assert advance(value, at(600)).wake_at is None  # its outcome will come by itself; no timer can hurry it

    def test_a_clock_that_goes_back_does_not_bring_a_leg_back(self) -> None:
        value = advance(one_after_another(goal=Status.DELIVERED, within=60), NOW)
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), at(60))
        assert states(advance(value, at(30))) == [CLOSED, Q]

    def test_it_counts_for_a_whole_sequence_inside_another(self) -> None:
        inner = SequenceStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        plan = SequenceStep(steps=(inner, LegStep(leg=2)), within=60)
        value = advance(dispatch(plan, leg(0), leg(1), leg(2)), NOW)
        value = advance(change(value, 0, state=DEAD), at(50))
        assert (states(value), value.wake_at) == ([DEAD, Q, W], at(60))
        assert states(advance(value, at(60))) == [DEAD, GONE, Q]


class TestUnknown:
    @pytest.mark.parametrize(
        "fields", [{"state": U, "unknown": frozenset({0})}, {"state": U}, {"state": Q, "unknown": frozenset({0})}]
    )
    def test_nothing_moves_on_from_unknown(self, fields: dict[str, Any]) -> None:
        value = tried(advance(one_after_another(within=60), NOW), 0, "uncertain", **fields)
        result = advance(value, at(6000))

        assert states(result) == [fields["state"], W]
        assert result.state is DispatchState.PENDING

    def test_not_even_when_another_part_failed(self) -> None:
        value = advance(one_after_another(), NOW)
        value = change(value, 0, parts=(Part(), Part()), state=U, unknown=frozenset({1}))
        assert states(advance(told(value, 0, Status.FAILED, part=0), NOW)) == [U, W]

    @pytest.mark.parametrize(
        ("status", "after", "end"),
        [
            (Status.FAILED, [U, Q], DispatchState.PENDING),
            (Status.DELIVERED, [U, GONE], DispatchState.SATISFIED),
        ],
    )
    def test_a_late_receipt_decides_it(self, status: Status, after: list[DeliveryState], end: DispatchState) -> None:
        value = change(advance(one_after_another(), NOW), 0, state=U, unknown=frozenset({0}))
        result = advance(told(value, 0, status), at(9))
        assert (states(result), result.state) == (after, end)


class TestSatisfied:
    def test_the_legs_that_are_not_needed_are_cancelled(self) -> None:
        value = advance(one_after_another(3), NOW)
        result = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), NOW)

        assert states(result) == [CLOSED, GONE, GONE]
        assert result.state is DispatchState.SATISFIED
        assert result.delivery(1).reason == "no longer needed"

    def test_all_parallel_legs_are_needed(self) -> None:
        value = advance(dispatch(ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1))), leg(0), leg(1)), NOW)
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), NOW)
        assert (value.state, states(value)) == (DispatchState.PENDING, [CLOSED, Q])
        assert advance(told(value, 1, Status.SENT, state=CLOSED), NOW).state is DispatchState.SATISFIED

    def test_half_a_message_is_finished(self) -> None:
        """The first leg wins late, when one of two parts went out over the second one."""
        value = advance(one_after_another(goal=Status.DELIVERED, within=60), NOW)
        value = change(value, 1, parts=(Part(), Part()))
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), at(60))
        value = told(value, 1, Status.ACCEPTED, part=0)

        assert states(advance(told(value, 0, Status.DELIVERED), at(61))) == [CLOSED, Q]

    def test_a_leg_that_comes_back_to_the_queue_afterwards_is_cancelled(self) -> None:
        value = advance(one_after_another(goal=Status.DELIVERED, within=60), NOW)
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), at(60))
        value = advance(told(change(value, 1, state=S, sending=0), 0, Status.DELIVERED), at(61))
        assert (value.state, states(value)) == (DispatchState.SATISFIED, [CLOSED, S])

        assert states(advance(tried(value, 1, "not_sent"), at(62))) == [CLOSED, GONE]

    def test_a_later_failure_reopens_nothing_and_is_visible(self) -> None:
        value = advance(told(advance(one_after_another(), NOW), 0, Status.ACCEPTED, state=CLOSED), NOW)
        result = advance(told(value, 0, Status.FAILED), at(60))

        assert result.state is DispatchState.SATISFIED
        assert states(result) == [CLOSED, GONE]
        assert result.status is Status.FAILED

    def test_a_resend_is_not_taken_back(self) -> None:
        value = advance(told(advance(one_after_another(), NOW), 0, Status.ACCEPTED, state=CLOSED), NOW)
        again = leg(0, id="again", supersedes="d0", state=Q, opened_at=at(5))
        value = value.model_copy(update={"deliveries": (*value.deliveries, again)})
        assert advance(value, at(5)).delivery(0).state is Q


class TestTheEnd:
    def test_exhausted_when_no_leg_is_left_and_each_says_why(self) -> None:
        value = advance(one_after_another(), NOW)
        value = advance(told(value, 0, Status.FAILED, state=CLOSED, reason="no such number"), NOW)
        result = advance(change(value, 1, state=DEAD, reason="gave up"), NOW)

        assert result.state is DispatchState.EXHAUSTED
        assert result.reason == "c0: no such number; c1: gave up"
        assert result.status is Status.FAILED

    def test_proof_of_delivery_satisfies_what_was_exhausted(self) -> None:
        value = advance(told(advance(dispatch(LegStep(leg=0), leg(0)), NOW), 0, Status.FAILED, state=CLOSED), NOW)
        assert value.state is DispatchState.EXHAUSTED
        assert advance(told(value, 0, Status.DELIVERED), NOW).state is DispatchState.SATISFIED

    @pytest.mark.parametrize("within", [None, 60.0])
    def test_a_resend_of_a_leg_that_was_left_is_tried_as_often_as_any(self, within: float | None) -> None:
        value = advance(tried(advance(one_after_another(within=within), NOW), 0, "not_sent"), NOW)
        again = leg(0, id="again", supersedes="d0", state=Q, opened_at=at(5))
        value = value.model_copy(update={"deliveries": (*value.deliveries, again)})
        value = advance(change(tried(value, 0, "not_sent"), 1, state=DEAD), at(600))
        assert (states(value), value.state) == ([Q, DEAD], DispatchState.PENDING)

    def test_a_resend_makes_an_exhausted_dispatch_pending_again(self) -> None:
        value = advance(change(advance(one_after_another(), NOW), 0, state=DEAD), NOW)
        value = advance(change(value, 1, state=DEAD), NOW)
        assert value.state is DispatchState.EXHAUSTED
        again = leg(0, id="again", supersedes="d0", state=Q, opened_at=at(5))
        value = value.model_copy(update={"deliveries": (*value.deliveries, again)})
        assert advance(value, at(5)).state is DispatchState.PENDING

    def test_expired_when_time_ran_out_before_it_was_sent(self) -> None:
        value = one_after_another()
        value = value.model_copy(update={"message": Message("hello", expires_at=at(60))})
        value = advance(value, NOW)
        assert value.wake_at == at(60)

        result = advance(value, at(60))
        assert (result.state, states(result)) == (DispatchState.EXPIRED, [GONE, GONE])
        assert result.delivery(0).failure is not None
        assert result.delivery(0).failure.kind is FailureKind.EXPIRED

    def test_expired_when_the_goal_was_not_reached_in_time(self) -> None:
        plan = LegStep(leg=0, goal=Status.DELIVERED)
        value = advance(dispatch(plan, leg(0, expires_at=at(60))), NOW)
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), at(1))
        assert (value.state, value.wake_at) == (DispatchState.PENDING, at(60))

        value = advance(value, at(60))
        assert (value.state, states(value)) == (DispatchState.EXPIRED, [CLOSED])
        assert advance(told(value, 0, Status.DELIVERED), at(61)).state is DispatchState.SATISFIED

    def test_a_failure_after_its_time_does_not_make_it_exhausted(self) -> None:
        value = advance(dispatch(LegStep(leg=0, goal=Status.DELIVERED), leg(0, expires_at=at(60))), NOW)
        value = advance(told(value, 0, Status.ACCEPTED, state=CLOSED), at(60))
        assert advance(told(value, 0, Status.FAILED), at(61)).state is DispatchState.EXPIRED

    def test_what_was_exhausted_does_not_expire_later(self) -> None:
        value = advance(dispatch(LegStep(leg=0), leg(0), message=Message("hello", expires_at=at(60))), NOW)
        value = advance(change(value, 0, state=DEAD), at(1))
        assert advance(value, at(99)).state is DispatchState.EXHAUSTED

    def test_cancelled_stays_and_nothing_more_goes_out(self) -> None:
        value = advance(one_after_another(), NOW).model_copy(update={"state": DispatchState.CANCELLED})
        result = advance(value, NOW)
        assert (result.state, states(result)) == (DispatchState.CANCELLED, [GONE, GONE])

    def test_a_failure_is_not_a_goal_whatever_its_rank(self) -> None:
        assert not reached(leg(0, report=fold([Receipt(Status.FAILED)])), Status.ACCEPTED)
        assert reached(leg(0, report=fold([Receipt(Status.FAILED), Receipt(Status.READ)])), Status.ACCEPTED)


# -- laws -------------------------------------------------------------------------------------------------------------

GOALS = st.sampled_from([Status.ACCEPTED, Status.DELIVERED])
WITHIN = st.none() | st.integers(1, 100).map(float)


class TestRepeating:
    """What has reached its goal and goes once more, under the same key, has reached it, whatever becomes of that."""

    def repeated(self, plan: Step, *legs: Delivery, **fields: Any) -> Dispatch:
        again = leg(0, **{"id": "again", "key": "k0", "supersedes": "d0", "state": Q, **fields})
        return dispatch(plan, *legs, again)

    @pytest.mark.parametrize("state", [Q, S, DEAD, GONE])
    def test_a_goal_stays_reached(self, state: DeliveryState) -> None:
        taken = leg(0, state=CLOSED, report=fold([Receipt(Status.DELIVERED)]))
        value = advance(self.repeated(LegStep(leg=0, goal=Status.DELIVERED), taken, state=state), NOW)
        assert value.state is DispatchState.SATISFIED
        assert value.deliveries[-1].state is state

    def test_under_another_key_it_is_another_message(self) -> None:
        taken = leg(0, state=CLOSED, report=fold([Receipt(Status.DELIVERED)]))
        value = advance(self.repeated(LegStep(leg=0), taken, key="other"), NOW)
        assert value.state is DispatchState.PENDING

    def test_it_does_not_open_the_next_way_nor_end_what_is_parallel(self) -> None:
        taken = leg(0, state=CLOSED, report=fold([Receipt(Status.ACCEPTED)]))
        first = SequenceStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        value = advance(self.repeated(first, taken, leg(1)), NOW)
        assert (states(value), value.state) == ([Q, GONE], DispatchState.SATISFIED)
        both = ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        value = advance(self.repeated(both, taken, leg(1, state=Q)), NOW)
        assert (states(value), value.state) == ([Q, Q], DispatchState.PENDING)

    @pytest.mark.parametrize(
        ("other", "needed"),
        [
            ({"state": CLOSED, "report": fold([Receipt(Status.FAILED)])}, True),
            ({"state": CLOSED, "report": fold([Receipt(Status.ACCEPTED)])}, False),
            ({"state": Q}, False),
            ({"state": S}, False),
            ({"state": W}, True),
            ({"state": DEAD}, True),
            ({"state": GONE}, True),
        ],
    )
    def test_a_way_is_needed_while_no_other_leads_on(self, other: dict[str, Any], needed: bool) -> None:
        sequence = SequenceStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        lost = leg(0, state=CLOSED, report=fold([Receipt(Status.FAILED)]))
        assert is_needed(dispatch(sequence, lost, leg(1, **other)), 0) is needed
        parallel = ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1)))
        assert is_needed(dispatch(parallel, lost, leg(1, **other)), 0)
        nested = ParallelStep(steps=(sequence, LegStep(leg=2)))
        assert is_needed(dispatch(nested, lost, leg(1, **other), leg(2, state=Q)), 0) is needed


def _groups(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(children, min_size=1, max_size=3).map(tuple)
    sequence = st.builds(SequenceStep, steps=some, within=WITHIN, tries=st.integers(1, 2))
    return sequence | st.builds(ParallelStep, steps=some)


TREES = st.recursive(st.builds(LegStep, leg=st.just(0), goal=GOALS), _groups, max_leaves=5)
EVENTS = st.sampled_from(
    ["take", "accepted", "not_sent", "throttled", "account", "rejected", "uncertain", "delivered", "failed", "clock"]
)
STORIES = st.lists(st.tuples(EVENTS, st.integers(0, 4), st.integers(1, 60)), max_size=25)


def numbered(step: Step, count: Iterator[int]) -> Step:
    if isinstance(step, LegStep):
        return step.model_copy(update={"leg": next(count)})
    return step.model_copy(update={"steps": tuple(numbered(child, count) for child in step.steps)})


def leaves(step: Step) -> list[LegStep]:
    return [step] if isinstance(step, LegStep) else [leaf for child in step.steps for leaf in leaves(child)]


def sequences(step: Step) -> Iterator[SequenceStep]:
    if not isinstance(step, LegStep):
        if isinstance(step, SequenceStep):
            yield step
        for child in step.steps:
            yield from sequences(child)


def submitted(tree: Step, parts: int = 2) -> Dispatch:
    plan = numbered(tree, iter(range(99)))
    return dispatch(plan, *(leg(each.leg, parts=parts) for each in leaves(plan)))


def happens(value: Dispatch, event: str, number: int, now: datetime) -> Dispatch:
    """What the engine, or the world, may do to a leg in its present state; otherwise nothing."""
    number %= len(value.deliveries)
    delivery = value.delivery(number)
    part = delivery.next_part
    match delivery.state, event:
        case DeliveryState.QUEUED, "take" if delivery.due <= now and part is not None:
            return change(value, number, state=S, sending=part)
        case DeliveryState.SENDING, "accepted":
            done = part in (None, len(delivery.parts) - 1)
            value = told(value, number, Status.ACCEPTED, part=delivery.sending)
            return tried(value, number, "accepted", now, state=CLOSED if done else Q, sending=None)
        case DeliveryState.SENDING, "not_sent" | "throttled" | "account":
            return tried(value, number, event, now, sending=None)
        case DeliveryState.SENDING, "rejected":
            value = told(value, number, Status.FAILED, part=delivery.sending)
            return tried(value, number, event, now, state=CLOSED, sending=None)
        case DeliveryState.SENDING, "uncertain":
            unknown = frozenset({delivery.sending})
            return tried(value, number, event, now, state=U, unknown=unknown, sending=None)
        case ((DeliveryState.CLOSED | DeliveryState.UNKNOWN), "delivered" | "failed"):
            return told(value, number, Status(event))
        case _:
            return value


def history(tree: Step, story: list[tuple[str, int, int]]) -> Iterator[tuple[Dispatch, Dispatch, datetime]]:
    """Tell *story*: each dispatch as the engine left it, what `advance` made of it, and when."""
    now = NOW
    before = submitted(tree)
    after = advance(before, now)
    yield before, after, now
    for event, number, seconds in story:
        now += timedelta(seconds=seconds if event == "clock" else 0)
        before = happens(after, event, number, now)
        after = advance(before, now)
        yield before, after, now


def untouched(delivery: Delivery) -> bool:
    return delivery.state is W or (delivery.state is GONE and delivery.opened_at is None)


def opened(before: Dispatch, after: Dispatch) -> list[int]:
    return [each.leg for each in before.deliveries if each.state is W and after.delivery(each.leg).state is Q]


def unsure(delivery: Delivery) -> bool:
    """Judged without the code under test: is any attempt at it open-ended?"""
    return delivery.state is S or any(
        delivery.report.part(part).status is None
        for part in (delivery.unknown | ({0} if delivery.state is U else set()))
    )


@given(TREES, STORIES)
def test_a_second_look_changes_nothing(tree: Step, story: list[tuple[str, int, int]]) -> None:
    for _, after, now in history(tree, story):
        assert advance(after, now) is after


@given(TREES, STORIES)
def test_what_is_under_way_is_never_touched(tree: Step, story: list[tuple[str, int, int]]) -> None:
    for before, after, _ in history(tree, story):
        for delivery in before.deliveries:
            if delivery.state not in (W, Q):
                assert after.delivery(delivery.leg) is delivery


@given(TREES, STORIES)
def test_nothing_is_opened_behind_a_leg_that_may_be_going_out(tree: Step, story: list[tuple[str, int, int]]) -> None:
    for before, after, _ in history(tree, story):
        for sequence in sequences(tree_of(before)):
            for index, child in enumerate(sequence.steps[:-1]):
                if not any(unsure(before.delivery(leaf.leg)) for leaf in leaves(child)):
                    continue
                later = {leaf.leg for step in sequence.steps[index + 1 :] for leaf in leaves(step)}
                assert later.isdisjoint(opened(before, after))


@given(TREES, STORIES)
def test_two_legs_of_a_sequence_go_out_only_when_the_first_was_late(
    tree: Step, story: list[tuple[str, int, int]]
) -> None:
    for before, after, now in history(tree, story):
        for sequence in sequences(tree_of(after)):
            for index, child in enumerate(sequence.steps):
                first = [after.delivery(leaf.leg) for leaf in leaves(child)]
                rest = [after.delivery(leaf.leg) for step in sequence.steps[index + 1 :] for leaf in leaves(step)]
                if not all(map(untouched, rest)):
                    assert not any(each.state in (W, Q, S) for each in first)
                taken = len(first) == 1 and first[0].state is CLOSED and not first[0].missing
                if taken and {each.leg for each in rest} & set(opened(before, after)):
                    assert sequence.within is not None
                    assert first[0].opened_at is not None
                    assert now >= first[0].opened_at + timedelta(seconds=sequence.within)


@given(TREES, STORIES)
def test_a_satisfied_dispatch_opens_nothing_and_stays_so(tree: Step, story: list[tuple[str, int, int]]) -> None:
    for before, after, _ in history(tree, story):
        if before.state is DispatchState.SATISFIED:
            assert opened(before, after) == []
            assert after.state is DispatchState.SATISFIED
        if after.state.is_final:
            assert W not in states(after)
            assert after.wake_at is None


@given(TREES, STORIES)
def test_the_state_tells_the_truth(tree: Step, story: list[tuple[str, int, int]]) -> None:
    for before, after, now in history(tree, story):
        if after.state is DispatchState.EXHAUSTED:
            assert not {Q, S, U} & set(states(after)) or any(
                each.state is U and each.status is Status.FAILED for each in after.deliveries
            )
        if after.state in (DispatchState.PENDING, DispatchState.WAITING):
            assert set(states(after)) - {W, GONE, DEAD}
        if after.state is DispatchState.SATISFIED and before.state is not DispatchState.SATISFIED:
            assert any(reached(after.delivery(leaf.leg), leaf.goal) for leaf in leaves(tree_of(after)))
        if after.wake_at is not None:
            assert after.wake_at > now


@given(TREES, STORIES)
def test_the_timer_is_all_that_the_clock_needs(tree: Step, story: list[tuple[str, int, int]]) -> None:
    """Between two events nothing changes before `wake_at`, so nobody has to look before."""
    for _, after, now in history(tree, story):
        soon = after.wake_at or now + timedelta(days=365)
        between = advance(after, soon - timedelta(microseconds=1))
        assert between.deliveries == after.deliveries
        assert between.wake_at == after.wake_at


def tree_of(value: Dispatch) -> Step:
    assert value.plan is not None
    return value.plan


@given(TREES)
def test_a_plan_survives_json(tree: Step) -> None:
    """It is stored; and what tells its steps apart must be there, although it is a default."""
    value = submitted(tree)
    assert from_json(Dispatch, to_json(value)) == value
