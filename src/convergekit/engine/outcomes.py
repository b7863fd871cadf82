"""What an attempt does to a delivery: pure.

Rules kept here (DESIGN, "The adapter contract"):

- Not sent: tried again after back-off, until the attempts are used up; then to the dead letters.
- Throttled: waited for, and costs no attempt; but not for longer than `PATIENCE` after the first attempt, or than the
  channel's own schedule takes, where that is longer. Where the medium was not even asked, there was no attempt.
- Rejected: closed; a failed part makes the delivery FAILED, so the parts behind it are not sent.
- Account: stays queued as it was; the channel goes down.
- Uncertain: never sent again blindly. Only where the caller says that a double is impossible, or accepted, and while
  the message has not expired. However the last attempt ended, what an earlier one has left open stays unknown.
- Unanswered: keeps its mark, and is asked about again after back-off, or when the medium says: what has cut off the
  answer has mostly cut off the question, too. It is left as unknown when the attempts are used up; to be told to ask
  later costs none of them, but for as long as being throttled does.
- A report counts whenever it comes: a part that something is known of is neither unknown nor sent again, and the parts
  behind a failed one are not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from convergekit.abc import RetryPolicy
from convergekit.errors import (
    AccountError,
    DeliveryError,
    NotPermittedError,
    NotSentError,
    RejectedError,
    ThrottledError,
    UncertainError,
    UnsupportedContentError,
)
from convergekit.model import (
    Attempt,
    Delivery,
    DeliveryState,
    Failure,
    FailureKind,
    PartReport,
    Receipt,
    Report,
    Status,
    fold,
)

__all__ = ["PATIENCE", "Bug", "Outcome", "Terms", "Unanswered", "apply", "buried", "expired", "marked", "with_receipt"]

#: How long after its first attempt a delivery is tried again because the medium asks for time; then it is given up.
PATIENCE: Final = timedelta(days=3)
_HISTORY: Final = 50
_LINE: Final = 500


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception that no adapter should raise, before anything left us."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Uncertain, by an adapter that can find out; but the medium could not be asked yet.

    Args:
        error: What left it open.
        after: Seconds after which to ask again, where that is known.
    """

    error: UncertainError
    after: float | None = None


Outcome = Receipt | DeliveryError | Bug | Unanswered


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a delivery is tried again.

    Args:
        retry: The policy.
        attempts: Tries in all.
        hold: Seconds for which waiting may hold up the lane.
        resend: Whether an uncertain attempt may be repeated at the moment given.
        random: Values in [0, 1).
        patience: For how long after the first attempt it is waited because the medium asks for time.
    """

    retry: RetryPolicy
    attempts: int
    hold: float
    resend: Callable[[Delivery, datetime], bool]
    random: Callable[[], float]
    patience: timedelta = PATIENCE


def marked(delivery: Delivery, index: int, now: datetime) -> Delivery:
    """The *sending* mark, written just before I/O."""
    return delivery.model_copy(
        update={
            "state": DeliveryState.SENDING,
            "sending": index,
            "first_attempt_at": delivery.first_attempt_at or now,
        }
    )


def apply(delivery: Delivery, index: int, outcome: Outcome, now: datetime, terms: Terms) -> Delivery:
    """What *delivery* is after the attempt at part *index* ended with *outcome*."""
    return _settled(_after(delivery, index, outcome, now, terms))


def _after(delivery: Delivery, index: int, outcome: Outcome, now: datetime, terms: Terms) -> Delivery:
    match outcome:
        case Receipt():
            return _taken(delivery, index, outcome, now)
        case Bug(error):
            text = f"{type(error).__name__} before anything was sent: a bug in the adapter"
            return _buried(_tried(delivery, index, now, "bug", text), index, FailureKind.INTERNAL, text, now)
        case ThrottledError():
            return _throttled(delivery, index, outcome, now, terms)
        case NotSentError():
            return _not_sent(delivery, index, outcome, now, terms)
        case RejectedError():
            return _rejected(delivery, index, outcome, now)
        case AccountError():
            tried = _tried(delivery, index, now, "account", outcome.reason, outcome.code)
            return _queued(tried, due=now)
        case Unanswered(error, after):
            return _unanswered(delivery, index, error, after, now, terms)
        case _:
            return _uncertain(delivery, index, outcome, now, terms)


def with_receipt(delivery: Delivery, receipt: Receipt) -> Delivery:
    """*delivery* with one more piece of evidence, whenever it comes; an unknown attempt may be closed by it."""
    about = [receipt.model_copy(update={"part": part}) for part in _parts_of(delivery, receipt)]
    report = delivery.report | fold(about)
    return _settled(delivery.model_copy(update={"report": report}))


def _settled(delivery: Delivery) -> Delivery:
    """What follows from the evidence, whichever way it came."""
    if delivery.state not in (DeliveryState.QUEUED, DeliveryState.UNKNOWN):
        return delivery
    unknown = frozenset(index for index in delivery.unknown if delivery.report.part(index).status is None)
    rest = delivery.next_part is not None and delivery.status is not Status.FAILED
    update: dict[str, Any] = {} if unknown == delivery.unknown else {"unknown": unknown}
    if delivery.state is DeliveryState.UNKNOWN and not unknown:
        update |= {"state": DeliveryState.QUEUED if rest else DeliveryState.CLOSED, "reason": None}
    elif delivery.state is DeliveryState.QUEUED and not rest:
        update |= {"state": DeliveryState.CLOSED, "reason": None}
    return delivery.model_copy(update=update) if update else delivery


def expired(delivery: Delivery, now: datetime) -> Delivery:
    """Its time to live ran out before it was taken, as far as is known."""
    index = delivery.next_part or 0
    if index in delivery.unknown:
        return delivery.model_copy(update={"state": DeliveryState.UNKNOWN})
    failed = _failed(delivery, index, Failure(kind=FailureKind.EXPIRED, text="its time to live ran out"), now)
    return failed.model_copy(update={"state": DeliveryState.CLOSED, "reason": "its time to live ran out"})


def buried(delivery: Delivery, reason: str, now: datetime) -> Delivery:
    """To the dead letters."""
    return _buried(delivery, delivery.next_part or 0, FailureKind.INTERNAL, reason, now)


def _taken(delivery: Delivery, index: int, receipt: Receipt, now: datetime) -> Delivery:
    stamped = receipt.model_copy(update={"part": index, "received_at": receipt.received_at or now})
    tried = _tried(delivery, index, now, "accepted", None)
    return tried.model_copy(
        update={
            "report": tried.report | fold([stamped]),
            "unknown": tried.unknown - {index},
            "state": DeliveryState.QUEUED,
            "reason": None,
            "due": now,
            "hold_until": None,
        }
    )


def _not_sent(delivery: Delivery, index: int, error: NotSentError, now: datetime, terms: Terms) -> Delivery:
    tried = _tried(delivery, index, now, "not_sent", error.reason, error.code)
    tried = tried.model_copy(update={"attempts": delivery.attempts + 1})
    if tried.attempts >= terms.attempts:
        times = "1 attempt" if tried.attempts == 1 else f"{tried.attempts} attempts"
        text = f"not sent in {times}: {error.reason}"
        return _buried(tried, index, FailureKind.CONNECTION, text, now, error.code)
    return _waiting(tried, now, terms.retry.delay(tried.attempts, terms.random), terms)


def _throttled(delivery: Delivery, index: int, error: ThrottledError, now: datetime, terms: Terms) -> Delivery:
    if error.asked:
        tried = _tried(delivery, index, now, "throttled", error.reason, error.code)
    else:
        tried = delivery.model_copy(update={"sending": None, "reason": _line(error.reason)})
    left = _since(delivery, now) + terms.patience - now
    if left <= timedelta(0):
        text = f"throttled for {terms.patience.days} days: {error.reason}"
        return _buried(tried, index, FailureKind.THROTTLED, text, now, error.code)
    # Whatever the medium asks for: a last try when the time is over.
    return _waiting(tried, now, min(error.retry_after, left.total_seconds()), terms, again=not error.asked)


def _since(delivery: Delivery, now: datetime) -> datetime:
    """From when patience counts: while the account could not be used, nobody was asked for any.

    Nor before it was queued: what is sent again by hand may have been attempted long ago.
    """
    unusable = [attempt.at for attempt in delivery.history if attempt.outcome == "account"]
    first = delivery.first_attempt_at or now
    return max(unusable, default=max(first, delivery.opened_at or first))


def _rejected(delivery: Delivery, index: int, error: RejectedError, now: datetime) -> Delivery:
    instead = _line(error.alternative) if isinstance(error, NotPermittedError) else None
    failure = Failure(kind=_kind(error), code=_line(error.code), text=_line(error.reason), alternative=instead)
    tried = _failed(_tried(delivery, index, now, "rejected", error.reason, error.code), index, failure, now)
    return tried.model_copy(update={"state": DeliveryState.CLOSED, "reason": _line(error.reason)})


def _uncertain(delivery: Delivery, index: int, error: DeliveryError, now: datetime, terms: Terms) -> Delivery:
    tried = _tried(delivery, index, now, "uncertain", error.reason, error.code)
    tried = tried.model_copy(update={"attempts": delivery.attempts + 1, "unknown": delivery.unknown | {index}})
    seconds = terms.retry.delay(tried.attempts, terms.random)
    at = now + timedelta(seconds=seconds)
    is_in_time = delivery.expires_at is None or at < delivery.expires_at
    if tried.attempts < terms.attempts and is_in_time and terms.resend(tried, at):
        return _waiting(tried, now, seconds, terms)
    return tried.model_copy(update={"state": DeliveryState.UNKNOWN})


def _unanswered(
    delivery: Delivery, index: int, error: UncertainError, after: float | None, now: datetime, terms: Terms
) -> Delivery:
    tried = _tried(delivery, index, now, "uncertain", error.reason, error.code)
    # To wait because the medium asks for it costs no attempt here either, for as long as it is waited for elsewhere.
    waits = after is not None and now < _since(delivery, now) + terms.patience
    attempts = delivery.attempts + (not waits)
    tried = tried.model_copy(update={"attempts": attempts, "unknown": delivery.unknown | {index}})
    if not waits and attempts >= terms.attempts:
        return tried.model_copy(update={"state": DeliveryState.UNKNOWN})
    seconds = terms.retry.delay(attempts, terms.random) if after is None else min(after, terms.patience.total_seconds())
    waiting = _waiting(tried, now, seconds, terms)
    return waiting.model_copy(update={"state": DeliveryState.SENDING, "sending": index})


def _waiting(delivery: Delivery, now: datetime, seconds: float, terms: Terms, *, again: bool = False) -> Delivery:
    queued = _queued(delivery, due=now + timedelta(seconds=seconds))
    # One hold for one stretch of waiting, or an order of retries could hold up the lane for good. What a delivery has
    # from before its first attempt at this part was for its turn, and ended there.
    known = delivery.hold_until if again or delivery.history[-1].number > 1 else None
    hold_until = known or now + timedelta(seconds=terms.hold)
    if delivery.order_key is not None:  # nothing overtakes it, however long it takes
        hold_until = queued.due
    return queued.model_copy(update={"hold_until": hold_until})


def _queued(delivery: Delivery, *, due: datetime) -> Delivery:
    return delivery.model_copy(update={"state": DeliveryState.QUEUED, "due": due})


def _buried(
    delivery: Delivery, index: int, kind: FailureKind, reason: str, now: datetime, code: str | None = None
) -> Delivery:
    if index in delivery.unknown:  # it may be there by an earlier attempt, so nobody is to send it blindly either
        return delivery.model_copy(update={"state": DeliveryState.UNKNOWN, "reason": _line(reason)})
    failure = Failure(kind=kind, code=_line(code), text=_line(reason))
    failed = _failed(delivery, index, failure, now)
    return failed.model_copy(update={"state": DeliveryState.DEAD, "reason": _line(reason)})


def _failed(delivery: Delivery, index: int, failure: Failure, now: datetime) -> Delivery:
    report = PartReport(status=Status.FAILED, failed=True, failure=failure, at={Status.FAILED: now})
    return delivery.model_copy(
        update={"report": delivery.report | Report(parts={index: report}), "failure": failure, "sending": None}
    )


def _tried(
    delivery: Delivery, index: int, now: datetime, outcome: Any, reason: str | None, code: str | None = None
) -> Delivery:
    number = sum(attempt.part == index for attempt in delivery.history) + 1
    attempt = Attempt(number=number, part=index, at=now, outcome=outcome, reason=_line(reason), code=_line(code))
    history = (*delivery.history, attempt)[-_HISTORY:]
    return delivery.model_copy(update={"history": history, "sending": None, "reason": _line(reason)})


def _parts_of(delivery: Delivery, receipt: Receipt) -> Sequence[int | None]:
    """Which parts *receipt* speaks of; (None,) is the whole. Never of one that has not gone out: it would stay here."""
    if receipt.part is not None or len(delivery.parts) == 1:
        return (receipt.part or 0,)
    ids = set(receipt.ids)
    named = [index for index, report in delivery.report.parts.items() if report.ids & ids]
    if named:
        return named
    if delivery.next_part is None or receipt.status is Status.FAILED:  # after a failure nothing goes out any more
        return (None,)
    in_doubt = [delivery.sending] if delivery.sending is not None else sorted(delivery.unknown)
    if ids and in_doubt:  # an id that we have not been told of is that of a part whose answer is still to come
        return in_doubt[:1]
    gone = [part for part in range(len(delivery.parts)) if delivery.report.part(part).status is not None]
    return sorted({*gone, *in_doubt}) or (0,)


def _kind(error: RejectedError) -> FailureKind | None:
    try:
        if error.kind is not None:
            return FailureKind(error.kind)
    except ValueError:  # a plugin's own word must not cost us the outcome that it came with
        pass
    return FailureKind.CONTENT if isinstance(error, UnsupportedContentError) else None


def _line(text: str | None) -> str | None:
    """A remote's words on one line and of a bounded length; they end up in logs and errors."""
    if text is None:
        return None
    # A plugin's `code=550` must not cost us the outcome that it came with.
    return "".join(char if char.isprintable() else " " for char in str(text)[:_LINE])
