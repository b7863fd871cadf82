"""Which deliveries go again, and as what: the rules by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

import pytest

from convergekit.abc import RetryPolicy
from convergekit.engine.channels import ChannelRuntime
from convergekit.engine.clock import Ids
from convergekit.engine.outcomes import Terms, apply, marked
from convergekit.engine.redelivering import Again, Left, chosen
from convergekit.errors import ConfigurationError, ThrottledError
from convergekit.model import (
    ERASED,
    Address,
    Capabilities,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Failure,
    FailureKind,
    Idempotency,
    IdempotencyKind,
    LegStep,
    Message,
    ParallelStep,
    Part,
    Receipt,
    SequenceStep,
    Status,
    Step,
    fold,
)
from convergekit.testing import FakeClock

NOW = datetime(2026, 1, 5, tzinfo=UTC)
REFUSED = {"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.FAILED, part=0)])}
TAKEN = {"state": DeliveryState.CLOSED, "report": fold([Receipt(Status.ACCEPTED, part=0, ids=("theirs",))])}
LOST = {"state": DeliveryState.UNKNOWN, "unknown": frozenset({0})}
DEAD = {"state": DeliveryState.DEAD, "report": fold([Receipt(Status.FAILED, part=0)])}


class Channel:
    """As much of a channel as is asked."""

    knows_repeats = ChannelRuntime.knows_repeats

    def __init__(self, kind: IdempotencyKind, window: float | None = None) -> None:
        self.capabilities = Capabilities(idempotency=Idempotency(kind=kind, window=window))


KNOWS, FORGETS, NEVER = (
    Channel(IdempotencyKind.KEY), Channel(IdempotencyKind.KEY, 3600), Channel(IdempotencyKind.NONE),
)  # fmt: skip


def leg(number: int = 0, *, parts: int = 1, **fields: Any) -> Delivery:
    address = Address(f"tg:{number}")
    known: dict[str, Any] = {
        "id": f"d{number}", "dispatch": "x", "leg": number, "channel": "c", "address": address,
        "conversation": ConversationRef(channel="c", address=address), "key": f"k{number}", "due": NOW,
        "parts": tuple(Part(text=f"{part}") for part in range(parts)), "order_key": "o",
    }  # fmt: skip
    return Delivery(**known | fields)


def dispatch(*legs: Delivery, plan: Step | None = None, **fields: Any) -> Dispatch:
    known: dict[str, Any] = {"key": "key", "recipient": "tg:0", "message": Message("x"), "created_at": NOW}
    return Dispatch(id="x", plan=plan or LegStep(leg=0), deliveries=legs, **known | fields)


def asked(value: Dispatch, *ids: str, channel: Channel = KNOWS, **options: Any) -> tuple[Dispatch | None, Again]:
    channels = cast(Any, {"c": channel})
    again = Again(ids or ("d0",), channels, Ids(FakeClock(NOW), Random(1)), NOW, **options)
    return again(value), again


def test_what_goes_is_the_same_once_more() -> None:
    old = leg(**REFUSED, history=(), attempts=3, passed=True, reason="no")
    after, again = asked(dispatch(old, state=DispatchState.EXHAUSTED, reason="no"))
    assert after is not None
    new = after.deliveries[1]
    assert again.gone == {"d0": new}
    assert (after.state, after.reason, new.supersedes, new.state) == (
        DispatchState.PENDING, None, "d0", DeliveryState.QUEUED
    )  # fmt: skip
    for name in ("leg", "channel", "address", "conversation", "key", "parts", "order_key", "importance"):
        assert getattr(new, name) == getattr(old, name)
    assert (new.due, new.attempts, new.passed, new.reason, new.report.parts) == (NOW, 0, False, None, {})
    assert after.deliveries[0] == old


@pytest.mark.parametrize("ended", [DEAD, LOST])
def test_what_waited_for_a_person_waits_no_more(ended: dict[str, Any]) -> None:
    after, _ = asked(dispatch(leg(**ended)))
    assert after is not None
    assert after.deliveries[0].state is DeliveryState.CLOSED


@pytest.mark.parametrize(
    ("ended", "channel", "options", "left"),
    [
        (REFUSED, KNOWS, {}, None),
        (REFUSED, NEVER, {}, None),
        (DEAD, NEVER, {}, None),
        (LOST, KNOWS, {}, None),
        (LOST, NEVER, {}, Left.UNKNOWN),
        (TAKEN, KNOWS, {}, None),
        (TAKEN, KNOWS, {"only_failed": True}, Left.TAKEN),
        (TAKEN, NEVER, {}, Left.TAKEN),
        ({}, KNOWS, {}, Left.OPEN),
        ({"state": DeliveryState.SENDING}, KNOWS, {}, Left.OPEN),
        ({"state": DeliveryState.WAITING}, KNOWS, {}, Left.OPEN),
        ({"state": DeliveryState.CANCELLED}, KNOWS, {}, Left.CANCELLED),
        (REFUSED | {"expires_at": NOW}, KNOWS, {}, Left.EXPIRED),
        (REFUSED | {"expires_at": NOW + timedelta(seconds=1)}, KNOWS, {}, None),
        (REFUSED | {"expires_at": NOW}, KNOWS, {"expires_at": NOW + timedelta(hours=1)}, None),
        (TAKEN | {"expires_at": NOW}, KNOWS, {}, Left.EXPIRED),
        ({"state": DeliveryState.CANCELLED, "failure": Failure(kind=FailureKind.EXPIRED)}, KNOWS, {}, Left.EXPIRED),
    ],
)
def test_why_it_is_left(ended: dict[str, Any], channel: Channel, options: dict[str, Any], left: Left | None) -> None:
    after, again = asked(dispatch(leg(**ended)), channel=channel, **options)
    assert again.left == ({} if left is None else {"d0": left})
    assert (after is None) is (left is not None)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({"state": DispatchState.CANCELLED}, Left.CANCELLED),
        ({"state": DispatchState.SUPPRESSED}, Left.SUPPRESSED),
        ({"recipient": ERASED.uri}, Left.ERASED),
        ({"message": Message("x", expires_at=NOW)}, Left.EXPIRED),
    ],
)
def test_why_a_message_is_left(fields: dict[str, Any], left: Left) -> None:
    assert asked(dispatch(leg(**REFUSED), **fields))[1].left == {"d0": left}


SOON, LATE = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("own", "asked_for", "message", "delivery"),
    [
        (None, None, None, None),
        (SOON, None, SOON, SOON),
        (SOON, LATE, LATE, LATE),
        (None, LATE, None, LATE),  # others of the same message have as much time as they had
    ],
)
def test_a_time_to_live_is_kept_unless_another_is_said(
    own: datetime | None, asked_for: datetime | None, message: datetime | None, delivery: datetime | None
) -> None:
    value = dispatch(leg(**REFUSED, expires_at=own), message=Message("x", expires_at=own))
    after, _ = asked(value, expires_at=asked_for)
    assert after is not None
    assert (after.message.expires_at, after.deliveries[1].expires_at) == (message, delivery)


def test_what_was_sent_again_is_history() -> None:
    value = dispatch(leg(**REFUSED), leg(id="d1", supersedes="d0", **REFUSED))
    _, again = asked(value, "d0", "d1")
    assert (again.left, list(again.gone)) == ({"d0": Left.AGAIN}, ["d1"])


def test_a_key_that_the_medium_has_forgotten_is_no_key() -> None:
    """Its window counts from when it first saw the key, also for the repeat of a repeat."""
    early, late = NOW - timedelta(seconds=3599), NOW - timedelta(seconds=3600)
    after, _ = asked(dispatch(leg(**REFUSED, first_attempt_at=early)), channel=FORGETS)
    assert after is not None
    assert (after.deliveries[1].key, after.deliveries[1].first_attempt_at) == ("k0", early)
    after, _ = asked(dispatch(leg(**REFUSED, first_attempt_at=late)), channel=FORGETS)
    assert after is not None
    assert after.deliveries[1].key == after.deliveries[1].id
    assert asked(dispatch(leg(**TAKEN, first_attempt_at=late)), channel=FORGETS)[1].left == {"d0": Left.TAKEN}


def test_patience_with_the_medium_begins_anew() -> None:
    """Or an endpoint that asks for time would have used up all of it long ago."""
    after, _ = asked(dispatch(leg(**REFUSED, first_attempt_at=NOW - timedelta(days=9))))
    assert after is not None
    new = marked(after.deliveries[1], 0, NOW)
    terms = Terms(RetryPolicy(), attempts=3, hold=60, resend=lambda *_: True, random=lambda: 0.5)
    waits = apply(new, 0, ThrottledError("later", retry_after=60), NOW, terms)
    assert (waits.state, waits.due) == (DeliveryState.QUEUED, NOW + timedelta(seconds=60))
    later = NOW + terms.patience
    assert apply(new, 0, ThrottledError("later", retry_after=60), later, terms).state is DeliveryState.DEAD


def test_of_several_parts_those_that_were_taken_stay_where_they_are() -> None:
    report = TAKEN["report"] | fold([Receipt(Status.FAILED, part=1)])
    value = dispatch(leg(parts=3, state=DeliveryState.CLOSED, report=report))
    after, _ = asked(value)
    assert after is not None
    new = after.deliveries[1]
    assert (new.parts, new.next_part, new.report.ids) == (value.deliveries[0].parts, 1, {"theirs"})
    after, _ = asked(value, channel=NEVER)
    assert after is not None
    assert [part.text for part in after.deliveries[1].parts] == ["1", "2"]


def test_of_what_was_taken_all_parts_go() -> None:
    after, _ = asked(dispatch(leg(parts=2, state=DeliveryState.CLOSED, report=fold([Receipt(Status.SENT)]))))
    assert after is not None
    assert (after.deliveries[1].next_part, after.deliveries[1].status) == (0, Status.QUEUED)


def test_a_channel_that_is_not_there_cannot_be_asked() -> None:
    again = Again(("d0",), {}, Ids(FakeClock(NOW), Random(1)), NOW)
    with pytest.raises(ConfigurationError, match="no channel 'c' here"):
        again(dispatch(leg(**REFUSED)))


SEQUENCE = SequenceStep(steps=(LegStep(leg=0), LegStep(leg=1)))
PARALLEL = ParallelStep(steps=(LegStep(leg=0), LegStep(leg=1)))


@pytest.mark.parametrize(
    ("plan", "legs", "ids"),
    [
        (PARALLEL, [REFUSED, DEAD], ["d0", "d1"]),
        (PARALLEL, [TAKEN, DEAD], ["d1"]),
        (PARALLEL, [TAKEN, TAKEN], ["d0", "d1"]),
        (SEQUENCE, [REFUSED, DEAD], ["d0"]),
        (SEQUENCE, [{"state": DeliveryState.CANCELLED}, DEAD], ["d1"]),
        (SEQUENCE, [REFUSED, TAKEN], ["d0", "d1"]),
    ],
)
def test_what_is_meant_by_a_message(plan: Step, legs: list[dict[str, Any]], ids: list[str]) -> None:
    """What failed and is needed; of ways in turn, one; and where nothing is, all of it."""
    value = dispatch(*(leg(number, **fields) for number, fields in enumerate(legs)), plan=plan)
    assert chosen(value) == tuple(ids)
