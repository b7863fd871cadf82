"""Deliveries and dispatches: what all parts and all legs together amount to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from convergekit.abc import RetryPolicy
from convergekit.engine.outcomes import Terms, apply, marked, with_receipt
from convergekit.model import (
    Address,
    Capabilities,
    Contact,
    ConversationKind,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Failure,
    FailureKind,
    Idempotency,
    LegStep,
    Message,
    ParallelStep,
    Part,
    Receipt,
    SequenceStep,
    Status,
    Step,
    TextLimit,
    fold,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS = Address("tg:1")
TERMS = Terms(RetryPolicy(), attempts=3, hold=60, resend=lambda *_: False, random=lambda: 0.5)
EVIDENCE = [status for status in Status if status >= Status.ACCEPTED]
maybe_status = st.none() | st.sampled_from(EVIDENCE)


def delivery(
    id: str = "1", *, parts: int = 1, state: DeliveryState = DeliveryState.QUEUED, **fields: object
) -> Delivery:
    return Delivery.model_validate(
        {
            "id": id, "dispatch": "d", "channel": "c", "address": ADDRESS, "conversation": ADDRESS,
            "parts": [Part(text=str(index)) for index in range(parts)], "key": id, "due": NOW, "state": state, **fields,
        }
    )  # fmt: skip


def with_statuses(statuses: Sequence[Status | None], **fields: object) -> Delivery:
    known = fold(Receipt(status, part=index) for index, status in enumerate(statuses) if status is not None)
    return delivery(parts=len(statuses), report=known, **fields)


def leg(number: int, status: Status | None, **fields: object) -> Delivery:
    known = fold([] if status is None else [Receipt(status)])
    return delivery(str(number), leg=number, report=known, **fields)


def dispatch(plan: Step | None, *deliveries: Delivery, **fields: object) -> Dispatch:
    known = {"id": "d", "key": "k", "recipient": "tg:1", "message": Message("x"), "created_at": NOW}
    return Dispatch.model_validate({**known, "plan": plan, "deliveries": deliveries, **fields})


class TestDelivery:
    @given(st.lists(maybe_status, min_size=1, max_size=4), st.frozensets(st.integers(0, 3)))
    def test_one_failed_part_fails_it_else_the_least_counts(
        self, statuses: list[Status | None], unknown: frozenset[int]
    ) -> None:
        it = with_statuses(statuses, unknown=unknown)
        floor = [Status.UNKNOWN if index in unknown else Status.QUEUED for index in range(len(statuses))]
        each = [max(least, status or Status.QUEUED) for least, status in zip(floor, statuses, strict=True)]
        assert it.status is (Status.FAILED if Status.FAILED in each else min(each))
        assert it.missing == tuple(i for i, s in enumerate(each) if s in (Status.QUEUED, Status.UNKNOWN, Status.FAILED))
        assert it.is_partial == (Status.FAILED in each and len(it.missing) < len(each))
        assert it.next_part == next((index for index, status in enumerate(statuses) if status is None), None)

    def test_a_failed_part_among_accepted_ones_is_named(self) -> None:
        it = with_statuses([Status.DELIVERED, Status.FAILED, Status.ACCEPTED])
        assert (it.status, it.missing, it.is_partial) == (Status.FAILED, (1,), True)

    def test_a_failure_of_every_part_is_not_partial(self) -> None:
        assert not with_statuses([Status.FAILED, Status.FAILED]).is_partial

    def test_a_part_in_doubt_is_unknown_until_something_is_heard(self) -> None:
        it = delivery(parts=2, unknown=frozenset({1}))
        assert (it.status_of(0), it.status_of(1)) == (Status.QUEUED, Status.UNKNOWN)
        assert with_receipt(it, Receipt(Status.SENT, part=1)).status_of(1) is Status.SENT

    def test_failed_and_delivered_is_disputed(self) -> None:
        both = fold([Receipt(Status.FAILED, part=1), Receipt(Status.READ, part=1), Receipt(Status.READ, part=0)])
        it = delivery(parts=2, report=both)
        assert it.disputed
        assert it.status is Status.READ

    def test_the_next_part_after_one_in_the_middle(self) -> None:
        it = with_statuses([None, Status.SENT, None])
        assert (it.next_part, it.next_part_after(0), it.next_part_after(2)) == (0, 2, None)

    def test_states_of_which_the_engine_still_makes_something(self) -> None:
        assert {state for state in DeliveryState if state.is_open} == {
            DeliveryState.WAITING,
            DeliveryState.QUEUED,
            DeliveryState.SENDING,
        }


class TestDispatch:
    first, second = LegStep(leg=0), LegStep(leg=1)

    @given(st.lists(maybe_status, min_size=1, max_size=4))
    def test_parallel_legs_are_as_far_as_the_last(self, statuses: list[Status | None]) -> None:
        plan = ParallelStep(steps=tuple(LegStep(leg=index) for index in range(len(statuses))))
        it = dispatch(plan, *(leg(index, status) for index, status in enumerate(statuses)))
        each = [status or Status.QUEUED for status in statuses]
        assert it.status is (Status.FAILED if Status.FAILED in each else min(each))

    @given(st.lists(maybe_status, min_size=1, max_size=4))
    def test_a_sequence_is_as_far_as_its_best(self, statuses: list[Status | None]) -> None:
        plan = SequenceStep(steps=tuple(LegStep(leg=index) for index in range(len(statuses))))
        it = dispatch(plan, *(leg(index, status) for index, status in enumerate(statuses)))
        alive = [status or Status.QUEUED for status in statuses if status is not Status.FAILED]
        assert it.status is max(alive, default=Status.FAILED)

    def test_a_refused_first_leg_says_nothing_while_the_second_waits(self) -> None:
        waiting = leg(1, None, state=DeliveryState.WAITING)
        assert (
            dispatch(SequenceStep(steps=(self.first, self.second)), leg(0, Status.FAILED), waiting).status
            is Status.QUEUED
        )

    @pytest.mark.parametrize("state", [DeliveryState.CANCELLED, DeliveryState.DEAD])
    def test_a_leg_that_nobody_will_try_again_is_not_queued(self, state: DeliveryState) -> None:
        assert dispatch(self.first, leg(0, None, state=state)).status is Status.FAILED
        assert dispatch(self.first, leg(0, Status.SENT, state=state)).status is Status.SENT

    def test_steps_in_steps(self) -> None:
        plan = ParallelStep(steps=(SequenceStep(steps=(self.first, self.second)), LegStep(leg=2)))
        it = dispatch(plan, leg(0, Status.FAILED), leg(1, Status.READ), leg(2, Status.SENT))
        assert it.status is Status.SENT

    def test_a_plan_has_steps(self) -> None:
        for kind in (SequenceStep, ParallelStep):
            with pytest.raises(ValidationError):
                kind(steps=())

    def test_what_a_gate_stopped_has_failed_and_what_waits_for_one_is_queued(self) -> None:
        assert dispatch(None, state=DispatchState.SUPPRESSED).status is Status.FAILED
        assert dispatch(None, state=DispatchState.WAITING).status is Status.QUEUED

    def test_the_newest_delivery_of_a_leg_stands_for_it(self) -> None:
        old = leg(0, Status.FAILED)
        new = delivery("2", leg=0, supersedes=old.id)
        it = dispatch(self.first, old, new)
        assert it.delivery(0) == new
        assert it.current == (new,)
        assert it.status is Status.QUEUED
        late = with_receipt(old, Receipt(Status.DELIVERED))
        again = it.model_copy(update={"deliveries": it.replaced(late)})
        assert again.by_id(old.id).status is Status.DELIVERED
        assert again.status is Status.QUEUED

    def test_final_states(self) -> None:
        assert {state for state in DispatchState if not state.is_final} == {
            DispatchState.PENDING,
            DispatchState.WAITING,
        }


class TestReceiptsWheneverTheyCome:
    def sent(self, it: Delivery, index: int, ids: Sequence[str]) -> Delivery:
        return apply(marked(it, index, NOW), index, Receipt(Status.ACCEPTED, ids=ids), NOW, TERMS)

    @pytest.mark.parametrize("late", [Status.SENT, Status.FAILED, Status.DELIVERED])
    def test_a_receipt_before_the_sends_own_answer_ends_the_same(self, late: Status) -> None:
        report = Receipt(late, ids=["a"], received_at=NOW)
        after = with_receipt(self.sent(delivery(), 0, ["a"]), report)
        before = self.sent(with_receipt(marked(delivery(), 0, NOW), report), 0, ["a"])
        assert after.report == before.report
        assert (after.status, after.state) == (before.status, before.state) == (late, DeliveryState.CLOSED)

    @given(st.lists(st.sampled_from(EVIDENCE), max_size=4), st.integers(0, 4))
    def test_reports_in_any_order_around_the_answer_end_the_same(self, statuses: list[Status], cut: int) -> None:
        ends = set()
        for order in permutations(statuses[:3]):
            it = marked(delivery(), 0, NOW)
            for status in order[:cut]:
                it = with_receipt(it, Receipt(status, ids=["a"]))
            it = self.sent(it, 0, ["a"])
            for status in order[cut:]:
                it = with_receipt(it, Receipt(status, ids=["a"]))
            ends.add((it.status, it.state, it.disputed))
        assert len(ends) == 1

    def test_a_report_closes_what_was_in_doubt(self) -> None:
        it = delivery(state=DeliveryState.UNKNOWN, unknown=frozenset({0}))
        known = with_receipt(it, Receipt(Status.DELIVERED))
        assert (known.state, known.status, known.unknown) == (DeliveryState.CLOSED, Status.DELIVERED, frozenset())

    def test_a_report_of_one_part_in_doubt_lets_the_others_go_on(self) -> None:
        it = delivery(parts=3, state=DeliveryState.UNKNOWN, unknown=frozenset({0}))
        known = with_receipt(it, Receipt(Status.ACCEPTED, part=0))
        assert (known.state, known.next_part) == (DeliveryState.QUEUED, 1)

    def test_a_report_finds_its_part_by_the_providers_id(self) -> None:
        it = self.sent(self.sent(delivery(parts=2), 0, ["a"]), 1, ["b"])
        known = with_receipt(it, Receipt(Status.DELIVERED, ids=["b"]))
        assert [known.status_of(part) for part in (0, 1)] == [Status.ACCEPTED, Status.DELIVERED]

    def test_a_report_of_a_part_that_is_being_sent_says_nothing_of_those_behind_it(self) -> None:
        """Its id is not known yet; taken for a report of the whole, it would leave the others unsent."""
        it = marked(self.sent(delivery(parts=3), 0, ["a"]), 1, NOW)
        known = with_receipt(it, Receipt(Status.DELIVERED, ids=["b"], delivery="1"))
        assert [known.status_of(part) for part in range(3)] == [Status.ACCEPTED, Status.DELIVERED, Status.QUEUED]
        assert known.next_part == 2

    def test_an_answer_to_the_first_part_says_nothing_of_those_that_still_wait(self) -> None:
        it = self.sent(delivery(parts=3), 0, ["a"])
        known = with_receipt(it, Receipt(Status.ANSWERED, delivery="1"))
        assert (known.state, known.next_part, known.status_of(0)) == (DeliveryState.QUEUED, 1, Status.ANSWERED)

    def test_nothing_goes_out_after_a_part_has_failed(self) -> None:
        it = self.sent(delivery(parts=3), 0, ["a"])
        known = with_receipt(it, Receipt(Status.FAILED, ids=["a"]))
        assert (known.state, known.status, known.missing) == (DeliveryState.CLOSED, Status.FAILED, (0, 1, 2))

    def test_a_report_without_any_id_speaks_of_the_whole(self) -> None:
        it = self.sent(self.sent(delivery(parts=2), 0, ["a"]), 1, ["b"])
        assert with_receipt(it, Receipt(Status.READ, delivery="1")).status is Status.READ


class TestConversation:
    def test_an_address_stands_for_a_direct_conversation(self) -> None:
        ref = ConversationRef.model_validate("tg:1")
        assert ref == ConversationRef(address=ADDRESS) == ConversationRef.model_validate(ADDRESS)
        assert ref.kind is ConversationKind.DIRECT

    def test_keys_of_different_conversations_differ(self) -> None:
        """Also where a plugin's scheme allows a "#"."""
        refs = [
            ConversationRef(address=Address(uri), thread=thread)
            for uri in ("tg:a", "tg:a#b", "tg:a%23b")
            for thread in (None, "b", "")
        ]
        distinct = {ref.key for ref in refs if "%23" not in ref.address.uri}
        assert len(distinct) == 6

    def test_a_thread_is_one_line(self) -> None:
        with pytest.raises(ValidationError):
            ConversationRef(address=ADDRESS, thread="a\nb")


class TestContact:
    def test_the_preferred_medium_comes_first_and_order_holds_inside(self) -> None:
        mail, sms, other = Address("mailto:a@example.org"), Address("sms:+4915112345678"), Address("sms:+4915112345679")
        contact = Contact(id="1", addresses=(mail, sms, other), preferred="sms")
        assert contact.ordered() == (sms, other, mail)
        assert contact.model_copy(update={"preferred": None}).ordered() == (mail, sms, other)


class TestCapabilities:
    @pytest.mark.parametrize("make", [
        lambda: TextLimit(max=0), lambda: TextLimit(max=1, unit="words"), lambda: Idempotency(window=0),
        lambda: Idempotency(window=float("inf")), lambda: Idempotency(window=float("nan")),
        lambda: Capabilities(typing_period=0),
    ])  # fmt: skip
    def test_limits_that_make_no_sense_are_refused(self, make: object) -> None:
        with pytest.raises(ValidationError):
            make()  # type: ignore[operator]


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        delivery(due=NOW.replace(tzinfo=None))
    assert delivery(due=NOW + timedelta(seconds=1)).due > NOW


@pytest.mark.parametrize("thread", [None, "t1"])
def test_an_order_key_is_a_lane_of_its_own_for_each_address(thread: str | None) -> None:
    """Whatever the conversation; and an address cannot be written so that it stands for another one's."""
    ref = ConversationRef(channel="c", address=ADDRESS, thread=thread)
    keyed = delivery().model_copy(update={"conversation": ref, "order_key": "a"})

    assert delivery().lane_key == delivery().conversation.key
    assert keyed.lane_key == "tg:1##a"
    assert keyed.model_copy(update={"address": Address("tg:1##a"), "order_key": "b"}).lane_key == "tg:1%23%23a##b"


def test_what_an_older_ledger_holds_has_no_order_key() -> None:
    """It is read as it is, and stands in the lane that it stood in."""
    old = delivery().model_dump(mode="json")
    del old["order_key"]
    message = Message("hello").model_dump(mode="json")
    del message["order_key"]

    assert Delivery.model_validate(old) == delivery()
    assert Message.model_validate(message) == Message("hello")


@pytest.mark.parametrize(
    ("ended", "failed"),
    [
        ({"state": DeliveryState.DEAD}, True),
        ({"state": DeliveryState.UNKNOWN}, True),
        ({"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.FAILED, part=0)])}, True),
        ({"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.SENT), Receipt(Status.FAILED)])}, True),
        ({"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.SENT, part=0)])}, False),
        ({"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.READ)])}, False),
        ({"state": DeliveryState.CANCELLED}, False),
        ({"state": DeliveryState.CANCELLED, "failure": Failure(kind=FailureKind.EXPIRED)}, True),
        ({"state": DeliveryState.QUEUED, "report": fold([Receipt(Status.FAILED, part=0)])}, False),
    ],
)
def test_what_came_to_no_good_end(ended: dict[str, object], failed: bool) -> None:
    one = delivery(**ended)  # type: ignore[arg-type]
    assert one.has_failed is failed
    found = dispatch(LegStep(leg=0), one)
    assert found.failed == ((one,) if failed else ())
    again = delivery("2", supersedes="1")
    assert dispatch(LegStep(leg=0), one, again).failed == ()


def test_one_part_of_many_that_nobody_took_is_a_failure() -> None:
    taken = fold([Receipt(Status.SENT, part=0)])
    assert delivery(parts=2, state=DeliveryState.CLOSED, report=taken).has_failed
    both = taken | fold([Receipt(Status.SENT, part=1)])
    assert not delivery(parts=2, state=DeliveryState.CLOSED, report=both).has_failed


def tried(id: str, status: Status | None, *, key: str = "k", supersedes: str | None = None) -> Delivery:
    return leg(0, status).model_copy(update={"id": id, "key": key, "supersedes": supersedes})


@pytest.mark.parametrize(
    ("first", "again", "status"),
    [
        (Status.DELIVERED, None, Status.DELIVERED),
        (Status.DELIVERED, Status.FAILED, Status.DELIVERED),
        (Status.ACCEPTED, Status.READ, Status.READ),
        (Status.FAILED, None, Status.QUEUED),
        (Status.FAILED, Status.FAILED, Status.FAILED),
        (None, Status.FAILED, Status.FAILED),
    ],
)
def test_what_was_taken_stays_taken_while_it_is_repeated(
    first: Status | None, again: Status | None, status: Status
) -> None:
    """Under the same key it is the same to whoever takes it; under another one it is something else."""
    old, new = tried("1", first), tried("2", again, supersedes="1")
    assert dispatch(LegStep(leg=0), old, new).status is status
    other = tried("2", again, supersedes="1", key="other")
    assert dispatch(LegStep(leg=0), old, other).status is (again or Status.QUEUED)


def test_of_three_tries_under_one_key_the_best_counts() -> None:
    first, second = tried("0", Status.DELIVERED), tried("1", Status.FAILED, supersedes="0")
    keyed = (first, second, tried("2", None, supersedes="1"))
    found = dispatch(LegStep(leg=0), *keyed)
    assert found.status is Status.DELIVERED
    assert [each.id for each in found.tries(keyed[2])] == ["2", "1", "0"]
    assert found.current == (keyed[2],)
