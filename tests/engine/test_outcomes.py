"""What an attempt does to a delivery: the table, and laws over any run of attempts and reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergekit.abc import RetryPolicy
from convergekit.engine.outcomes import (
    PATIENCE,
    Bug,
    Outcome,
    Terms,
    Unanswered,
    apply,
    buried,
    expired,
    marked,
    with_receipt,
)
from convergekit.errors import (
    AuthenticationError,
    CreditError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import Delivery, DeliveryState, FailureKind, Receipt, Status
from tests.engine.kit import delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED, CLOSED, DEAD, UNKNOWN = DeliveryState.QUEUED, DeliveryState.CLOSED, DeliveryState.DEAD, DeliveryState.UNKNOWN


def terms(*, attempts: int = 3, resend: bool = False, patience: timedelta = PATIENCE) -> Terms:
    retry = RetryPolicy(base=8.0, factor=2.0, cap=100.0, jitter=0.0)
    return Terms(retry, attempts, 60.0, lambda delivery, at: resend, lambda: 0.5, patience)


def attempt(before: Delivery, outcome: Outcome, *, now: datetime = NOW, index: int = 0, **of_terms: Any) -> Delivery:
    return apply(marked(before, index, now), index, outcome, now, terms(**of_terms))


@pytest.mark.parametrize(
    ("outcome", "state", "status", "attempts", "wait"),
    [
        (Receipt(Status.ACCEPTED), CLOSED, Status.ACCEPTED, 0, None),
        (Receipt(Status.DELIVERED), CLOSED, Status.DELIVERED, 0, None),
        (Receipt(Status.FAILED), CLOSED, Status.FAILED, 0, None),
        (NotSentError("busy"), QUEUED, Status.QUEUED, 1, 8),
        (ThrottledError("slow", retry_after=20), QUEUED, Status.QUEUED, 0, 20),
        (RejectedError("no"), CLOSED, Status.FAILED, 0, None),
        (UnsupportedContentError("no images"), CLOSED, Status.FAILED, 0, None),
        (AuthenticationError("refused"), QUEUED, Status.QUEUED, 0, 0),
        (CreditError("empty"), QUEUED, Status.QUEUED, 0, 0),
        (UncertainError("lost"), UNKNOWN, Status.UNKNOWN, 1, None),
        (Bug(KeyError("x")), DEAD, Status.FAILED, 0, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException | Receipt | Bug) else "",
)
def test_the_table(outcome: Any, state: DeliveryState, status: Status, attempts: int, wait: float | None) -> None:
    """What each outcome of one attempt at the only part makes of a delivery."""
    after = attempt(delivery(due=NOW), outcome)

    assert (after.state, after.status, after.attempts) == (state, status, attempts)
    assert after.sending is None
    assert len(after.history) == 1
    assert after.first_attempt_at == NOW
    if wait is not None:
        assert after.due == NOW + timedelta(seconds=wait)


def test_being_throttled_has_an_end() -> None:
    """It costs no attempt, and whatever the medium asks for, three days after the first try it is given up."""
    after = attempt(delivery(due=NOW), ThrottledError("slow", retry_after=40 * 86_400))
    assert after.due == NOW + PATIENCE
    after = attempt(after, ThrottledError("slow", retry_after=1), now=NOW + PATIENCE - timedelta(hours=1))
    assert (after.state, after.attempts) == (QUEUED, 0)
    after = attempt(after, ThrottledError("slow", code="429", retry_after=1), now=NOW + PATIENCE)
    assert (after.state, after.reason) == (DEAD, "throttled for 3 days: slow")
    assert after.failure is not None
    assert (after.failure.kind, after.failure.code) == (FailureKind.THROTTLED, "429")


def test_the_time_in_which_the_account_could_not_be_used_does_not_count() -> None:
    """Whoever waited a week for a person to pay is not given up the first time that X says "slow"."""
    paid = NOW + timedelta(days=7)
    after = attempt(attempt(delivery(due=NOW), CreditError("no credit")), CreditError("no credit"), now=paid)

    after = attempt(after, ThrottledError("slow", retry_after=60), now=paid + timedelta(hours=1))
    assert after.state == QUEUED
    after = attempt(after, ThrottledError("slow", retry_after=60), now=paid + PATIENCE)
    assert after.state == DEAD


def test_to_be_told_to_ask_later_what_became_of_it_costs_no_attempt_and_has_an_end() -> None:
    """An account that is throttled cannot ask; that is no reason to leave a message to a person."""
    lost = Unanswered(UncertainError("lost"), 300.0)
    after = delivery(due=NOW)
    for _ in range(20):
        after = attempt(after, lost)
    assert (after.state, after.attempts, after.due) == (DeliveryState.SENDING, 0, NOW + timedelta(seconds=300))
    for _ in range(3):
        after = attempt(after, lost, now=NOW + PATIENCE)
    assert (after.state, after.unknown) == (UNKNOWN, frozenset({0}))


def test_the_last_attempt_ends_in_the_dead_letters() -> None:
    """Retries have a limit, and the reason says how often it was tried."""
    after = delivery(due=NOW)
    for _ in range(3):
        after = attempt(after, NotSentError("busy", code="421"))

    assert after.state is DEAD
    assert after.failure is not None
    assert (after.failure.kind, after.failure.code) == (FailureKind.CONNECTION, "421")
    assert after.reason == "not sent in 3 attempts: busy"


def test_waiting_for_a_throttle_costs_no_attempt_however_often() -> None:
    """A message is not given up because the medium is slow."""
    after = delivery(due=NOW)
    for _ in range(100):
        after = attempt(after, ThrottledError("slow", retry_after=1))

    assert after.state is QUEUED
    assert after.attempts == 0
    assert len(after.history) == 50  # bounded


def test_a_message_that_nobody_was_asked_about_has_had_no_attempt() -> None:
    """A breaker, or a budget of ours: the ledger says why it waits, and the history is that of the medium's answers."""
    closed = ThrottledError("the endpoint is left alone", retry_after=20, scope="conversation", asked=False)
    first = attempt(delivery(due=NOW), closed)
    later = attempt(attempt(first, NotSentError("busy")), closed, now=NOW + timedelta(seconds=30))

    assert (first.history, first.reason) == ((), "the endpoint is left alone")
    assert (first.state, first.attempts, first.due) == (QUEUED, 0, NOW + timedelta(seconds=20))
    assert [each.outcome for each in later.history] == ["not_sent"]
    assert (later.attempts, later.sending, later.due) == (1, None, NOW + timedelta(seconds=50))


def test_to_be_put_off_again_and_again_has_one_hold() -> None:
    closed = ThrottledError("the endpoint is left alone", retry_after=20, scope="conversation", asked=False)
    first = attempt(delivery(due=NOW), closed)
    later = attempt(first, closed, now=NOW + timedelta(seconds=20))
    failed = attempt(later, NotSentError("busy"), now=NOW + timedelta(seconds=70))

    assert first.hold_until == later.hold_until == NOW + timedelta(seconds=60)
    assert failed.hold_until == NOW + timedelta(seconds=130)
    assert attempt(failed, closed, now=NOW + timedelta(seconds=80)).hold_until == failed.hold_until


def test_to_be_put_off_has_an_end_too() -> None:
    closed = ThrottledError("the endpoint is left alone", retry_after=20, scope="conversation", asked=False)
    after = attempt(attempt(delivery(due=NOW), closed), closed, now=NOW + PATIENCE)

    assert (after.state, after.reason) == (DEAD, "throttled for 3 days: the endpoint is left alone")


def test_patience_is_as_long_as_the_schedule_may_take() -> None:
    """What was only put off is not given up while what failed would still be tried."""
    longer = timedelta(days=5)
    after = attempt(delivery(due=NOW), ThrottledError("slow", retry_after=60))
    after = attempt(after, ThrottledError("slow", retry_after=60), now=NOW + PATIENCE, patience=longer)
    assert after.state == QUEUED
    after = attempt(after, ThrottledError("slow", retry_after=60), now=NOW + longer, patience=longer)
    assert (after.state, after.reason) == (DEAD, "throttled for 5 days: slow")


def test_what_has_an_order_key_holds_its_lane_for_as_long_as_it_waits() -> None:
    after = delivery(due=NOW).model_copy(update={"order_key": "a"})
    for outcome in (NotSentError("busy"), ThrottledError("slow", retry_after=40_000), UncertainError("lost")):
        after = attempt(after, outcome, resend=True, attempts=10, now=after.due)
        assert after.hold_until == after.due > NOW


def test_one_stretch_of_waiting_has_one_hold() -> None:
    """An order of retries cannot hold up a lane for good; what was taken begins anew."""
    first = attempt(delivery(2, due=NOW), NotSentError("busy"))
    second = attempt(first, NotSentError("busy"), now=NOW + timedelta(seconds=50))

    assert first.hold_until == second.hold_until == NOW + timedelta(seconds=60)
    assert attempt(second, Receipt(Status.ACCEPTED)).hold_until is None


def test_that_it_was_passed_is_kept() -> None:
    """The ledger says so, also of what arrived in the end."""
    passed = delivery(due=NOW).model_copy(update={"passed": True})

    assert attempt(passed, Receipt(Status.ACCEPTED)).passed


def test_the_parts_behind_a_refused_one_are_not_sent() -> None:
    """Half a message that goes on puzzles its reader more than one that stops."""
    after = attempt(delivery(3, due=NOW), Receipt(Status.ACCEPTED))
    assert (after.state, after.next_part) == (QUEUED, 1)
    after = attempt(after, RejectedError("no", code="554"), index=1)

    assert (after.state, after.status) == (CLOSED, Status.FAILED)
    assert after.is_partial
    assert after.missing == (1, 2)


def test_an_uncertain_part_is_repeated_only_where_that_makes_no_double() -> None:
    """And not for ever."""
    after = attempt(delivery(due=NOW), UncertainError("lost"), resend=True)
    assert (after.state, after.status, after.unknown) == (QUEUED, Status.UNKNOWN, {0})
    after = attempt(after, UncertainError("lost"), resend=True)
    after = attempt(after, UncertainError("lost"), resend=True)

    assert after.state is UNKNOWN


def test_what_has_expired_is_not_repeated_though_that_would_make_no_double() -> None:
    """Nobody knows whether it is there; so it is not called failed either."""
    soon = delivery(due=NOW).model_copy(update={"expires_at": NOW + timedelta(seconds=5)})
    after = attempt(soon, UncertainError("lost"), resend=True)
    assert (after.state, after.status, after.unknown) == (UNKNOWN, Status.UNKNOWN, {0})
    late = delivery(due=NOW).model_copy(update={"expires_at": NOW + timedelta(seconds=9)})
    again = attempt(late, UncertainError("lost"), resend=True)
    assert again.state is QUEUED
    assert expired(again, NOW + timedelta(seconds=9)).state is UNKNOWN


@pytest.mark.parametrize("last", [NotSentError("busy"), ThrottledError("slow"), Bug(KeyError("x"))])
def test_what_an_earlier_attempt_has_left_open_stays_unknown(last: Any) -> None:
    """However the last one ended: a person who sent it anew might make a double."""
    after = attempt(delivery(due=NOW), UncertainError("lost"), resend=True)
    after = attempt(after, last, attempts=2, now=NOW + PATIENCE)

    assert (after.state, after.status, after.unknown, after.failure) == (UNKNOWN, Status.UNKNOWN, {0}, None)


def test_evidence_that_came_before_the_answer_was_lost_counts() -> None:
    """Reported as delivered while it was being sent: its outcome is known, whatever became of the answer."""
    sending = marked(delivery(due=NOW), 0, NOW)
    reported = with_receipt(sending, Receipt(Status.DELIVERED))
    after = apply(reported, 0, UncertainError("lost"), NOW, terms())

    assert (after.state, after.status, after.unknown) == (CLOSED, Status.DELIVERED, frozenset())


def test_evidence_for_one_part_goes_on_with_the_next_though_its_answer_was_lost() -> None:
    """The same, of several parts."""
    reported = with_receipt(marked(delivery(2, due=NOW), 0, NOW), Receipt(Status.SENT, part=0))
    after = apply(reported, 0, UncertainError("lost"), NOW, terms())

    assert (after.state, after.next_part) == (QUEUED, 1)


def test_a_late_report_closes_what_was_unknown() -> None:
    """The rest of the parts goes on."""
    lost = attempt(delivery(2, due=NOW), UncertainError("lost"))
    after = with_receipt(lost, Receipt(Status.SENT, part=0))

    assert (after.state, after.unknown, after.next_part) == (QUEUED, frozenset(), 1)


def test_a_failure_that_is_reported_while_the_rest_waits_stops_the_rest() -> None:
    """Or the leg that follows in a `first_of` would bring the message a second time."""
    throttled = attempt(attempt(delivery(3, due=NOW), Receipt(Status.ACCEPTED)), ThrottledError("slow"), index=1)
    after = with_receipt(throttled, Receipt(Status.FAILED, part=0))

    assert (after.state, after.status) == (CLOSED, Status.FAILED)


def test_a_remotes_words_are_one_line_of_bounded_length() -> None:
    """They end up in logs and errors."""
    after = attempt(delivery(due=NOW), RejectedError("no\r\nSubject: x\x00" + "y" * 10_000, code="5\n5"))

    assert after.reason is not None
    assert len(after.reason) <= 500
    assert after.reason.isprintable()
    assert after.failure is not None
    assert after.failure.code == "5 5"


def test_what_expires_or_is_buried_says_why() -> None:
    """Two ways in which we end it ourselves."""
    late = expired(delivery(due=NOW), NOW)
    dead = buried(delivery(due=NOW), "nobody knows", NOW)

    assert (late.state, late.status) == (CLOSED, Status.FAILED)
    assert late.failure is not None
    assert late.failure.kind is FailureKind.EXPIRED
    assert (dead.state, dead.reason) == (DEAD, "nobody knows")


OUTCOMES = st.sampled_from(
    [
        Receipt(Status.ACCEPTED),
        Receipt(Status.DELIVERED),
        NotSentError("busy"),
        ThrottledError("slow", retry_after=5),
        RejectedError("no"),
        AuthenticationError("refused"),
        UncertainError("lost"),
        Bug(ValueError("x")),
    ]
)
REPORTS = st.builds(
    Receipt,
    st.sampled_from([Status.SENT, Status.FAILED, Status.DELIVERED, Status.READ]),
    part=st.sampled_from([None, 0, 1, 2]),
)


@given(
    parts=st.integers(1, 3),
    events=st.lists(st.one_of(OUTCOMES, REPORTS.map(lambda report: (report,))), max_size=12),
    early=st.booleans(),
    resend=st.booleans(),
)
def test_laws(parts: int, events: list[Any], early: bool, resend: bool) -> None:
    """Whatever happens in whatever order: no status moves back, nothing taken is tried again, nothing hangs between."""
    current = delivery(parts, due=NOW)
    for event in events:
        before = {part: current.report.part(part).status for part in range(parts)}
        if isinstance(event, tuple):
            current = with_receipt(current, event[0])
        elif current.state is QUEUED and (index := current.next_part) is not None:
            assert current.report.part(index).status is None, "evidence, and still tried"
            current = marked(current, index, NOW)
            if early:
                current = with_receipt(current, Receipt(Status.SENT, part=index))
            current = apply(current, index, event, NOW, terms(resend=resend))
        for part, status in before.items():
            now = current.report.part(part).status
            assert status is None or (now is not None and now >= status)
        assert current.state is not DeliveryState.SENDING
        if current.state is UNKNOWN:
            assert current.unknown, "stopped as unknown, and nothing is"
            assert all(current.report.part(part).status is None for part in current.unknown)
        done = current.next_part is None or current.status is Status.FAILED
        assert current.state is not QUEUED or not done, "nothing is left to be done, and it waits"
        assert current.state is not CLOSED or done


def test_a_refusal_keeps_the_kind_that_its_adapter_read_from_the_code() -> None:
    refused = RejectedError("the recipient has opted out", code="21610", kind=FailureKind.OPTED_OUT)
    after = attempt(delivery(due=NOW), refused)
    assert after.failure is not None
    assert (after.failure.kind, after.failure.code) == (FailureKind.OPTED_OUT, "21610")
