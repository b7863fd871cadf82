"""Dispatch → Delivery → Part: what became of one message to one recipient.

A dispatch is one message to one recipient. Its plan is a tree of steps; each leaf is a leg, and each leg is
one delivery to one address on one channel. A delivery's parts are its wire units.
All three are snapshots: the ledger replaces them, nobody changes them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field

from ._base import Line, Moment, Tagged, Text, Value
from .address import Address
from .conversation import ConversationRef
from .message import Attachment, Importance, Message
from .receipt import Failure, FailureKind, Report, Status

__all__ = [
    "ERASED",
    "Attempt",
    "Degradation",
    "Delivery",
    "DeliveryState",
    "Dispatch",
    "DispatchState",
    "LegStep",
    "Operation",
    "ParallelStep",
    "Part",
    "SequenceStep",
    "Step",
]


#: Stands where an address was, once the content of a message is erased.
ERASED: Final = Address("erased:contact")


class Operation(StrEnum):
    """What a delivery does on the medium."""

    SEND = "send"
    """Says something new."""
    EDIT = "edit"
    """Says something else in place of what was said."""
    RETRACT = "retract"
    """Takes back what was said."""
    REACT = "react"
    """Sets or takes away reactions to a message."""
    READ = "read"
    """Tells that a message has been read."""


class Part(Value):
    """One finished wire unit: rendered, split, ready to be handed over.

    Args:
        text: In the channel's format; empty where the part is only an attachment.
        html: Beside the text, where the channel takes both.
        subject: Where the channel has a subject line.
        attachments: What goes with this part.
        unstyled: On a channel with "styling": whether `text` is plain, though marks might be read into it. There is
            no escaping them, so the medium is told.
    """

    # A printed delivery is a line of a log, and content is not for logs.
    text: Text = Field(default="", repr=False)
    html: Text | None = Field(default=None, repr=False)
    subject: Line | None = Field(default=None, repr=False)
    attachments: tuple[Attachment, ...] = ()
    unstyled: bool = False


class Degradation(Value):
    """Something that a channel cannot carry as it was written.

    Args:
        what: The feature: "markup", "subject", "cc", "attachment", "thread" ...
        detail: In words, without content.
        severity: "lossless" when nothing is lost, "lossy" when something is.
    """

    what: Line
    detail: Line
    severity: Literal["lossless", "lossy"] = "lossy"


class Attempt(Value):
    """One try to hand a part over.

    Args:
        number: 1 for the first.
        part: Index of the part.
        at: When it ended.
        outcome: "accepted", "not_sent", "throttled", "rejected", "account", "uncertain", "bug" or "reconciled".
        reason: In words, or None.
        code: The remote's code, or None.
    """

    number: int
    part: int
    at: Moment
    outcome: Literal["accepted", "not_sent", "throttled", "rejected", "account", "uncertain", "bug", "reconciled"]
    reason: Text | None = None
    code: Line | None = None


class DeliveryState(StrEnum):
    """Where a delivery stands in our own hands; its `status` says where it stands in the world."""

    WAITING = "waiting"
    """A later leg; opened when it is needed."""
    QUEUED = "queued"
    """In the outbox, to be served when `due`."""
    SENDING = "sending"
    """The mark that is written just before I/O: whoever finds it without a lease knows nothing."""
    UNKNOWN = "unknown"
    """Stopped: an attempt may have gone out. A person, or a late receipt, decides."""
    CLOSED = "closed"
    """Handed over, or refused for good: nothing more is done."""
    DEAD = "dead"
    """In the dead letters: kept for a person."""
    CANCELLED = "cancelled"
    """No longer needed, or no longer wanted; nothing went out after that."""

    @property
    def is_open(self) -> bool:
        """Whether the engine will still do something about it by itself."""
        return self in (DeliveryState.WAITING, DeliveryState.QUEUED, DeliveryState.SENDING)


_NOTHING_HEARD: Final = Report()


class Delivery(Value):
    """One leg: one message to one address on one channel.

    Args:
        id: In time order.
        dispatch: Id of the dispatch that it is a leg of.
        leg: Its number in the plan, from 0.
        channel: Name of the channel.
        address: To whom.
        conversation: In which conversation.
        operation: What it does.
        target: For anything but a send, provider ids of the message that it is about.
        about: For anything but a send, id of our own delivery that it is about, where it was ours.
        parts: In order; each is sent once the one before was taken.
        key: Handed to the medium, where it takes one; the same over all attempts.
        importance: The class of its lane.
        order_key: The message's: its lane, in place of the conversation's; or None.
        state: Where it stands in our hands.
        report: What all receipts say.
        unknown: Indices of parts whose attempt is open-ended.
        sending: Index of the part that is being handed over, while SENDING.
        attempts: Tries that count against the limit.
        history: Each try, the oldest first; at most the last 50.
        due: When it is to be served next.
        hold_until: Until when, waiting for `due`, it holds up its lane.
        passed: Whether later messages of its lane have overtaken it.
        reason: Why it is not further than it is, or None.
        failure: Why it ended, when we ended it.
        degradations: What the channel could not carry as it was written.
        opened_at: When it was first queued, or None.
        first_attempt_at: When the first byte may have left, or None.
        expires_at: Not sent later.
        supersedes: Id of the delivery that this one was sent in place of.
    """

    id: Line
    dispatch: Line
    leg: int = 0
    channel: Line
    address: Address
    conversation: ConversationRef
    operation: Operation = Operation.SEND
    target: tuple[Line, ...] = ()
    about: Line | None = None
    parts: tuple[Part, ...] = (Part(),)
    key: Line
    importance: Importance = Importance.NORMAL
    order_key: Line | None = None
    state: DeliveryState = DeliveryState.QUEUED
    report: Report = Field(default_factory=lambda: _NOTHING_HEARD)  # pydantic would copy a default, deeply, each time
    unknown: frozenset[int] = frozenset()
    sending: int | None = None
    attempts: int = 0
    history: tuple[Attempt, ...] = ()
    due: Moment
    hold_until: Moment | None = None
    passed: bool = False
    reason: Text | None = None
    failure: Failure | None = None
    degradations: tuple[Degradation, ...] = ()
    opened_at: Moment | None = None
    first_attempt_at: Moment | None = None
    expires_at: Moment | None = None
    supersedes: Line | None = None

    @property
    def lane_key(self) -> str:
        """Names its lane inside the channel."""
        if self.order_key is None:
            return self.conversation.key
        uri = self.address.uri.replace("#", "%23")
        return f"{uri}##{self.order_key}"

    def status_of(self, part: int) -> Status:
        """What is known of one part."""
        floor = Status.UNKNOWN if part in self.unknown else Status.QUEUED
        return max(floor, self.report.part(part).status or Status.QUEUED)

    @property
    def status(self) -> Status:
        """FAILED where any part failed; else what holds of every part."""
        if self._is_unheard_of:
            return Status.QUEUED
        statuses = [self.status_of(part) for part in range(len(self.parts))]
        return Status.FAILED if Status.FAILED in statuses else min(statuses, default=Status.QUEUED)

    @property
    def _is_unheard_of(self) -> bool:
        """Whether there is no evidence of any part: as all are when they are submitted."""
        return not self.report.parts and self.report.whole.status is None and not self.unknown

    @property
    def missing(self) -> tuple[int, ...]:
        """Indices of the parts that have not been taken by anybody, or failed later."""
        return tuple(
            part
            for part in range(len(self.parts))
            if self.status_of(part) in (Status.QUEUED, Status.UNKNOWN, Status.FAILED)
        )

    @property
    def failed_by(self) -> Failure | None:
        """Why it failed: as it was reported, else as we ended it; None where it has not, or nobody says why."""
        if self.status is not Status.FAILED:
            return None
        reported = (self.report.part(part).failure for part in range(len(self.parts)))
        return next((failure for failure in reported if failure is not None), self.failure)

    @property
    def opt_out(self) -> Failure | None:
        """Where the medium says that the recipient wants to hear no more, at the send or in a later report: that."""
        reports = (self.report.whole, *self.report.parts.values())
        failures = (self.failure, *(report.failure for report in reports))
        return next((each for each in failures if each is not None and each.kind is FailureKind.OPTED_OUT), None)

    @property
    def why(self) -> str | None:
        """`reason`, or what was reported of a failure that came later; None where there is nothing to say."""
        failure = self.failed_by
        return self.reason or (None if failure is None else failure.text or failure.code or failure.kind)

    @property
    def is_partial(self) -> bool:
        """Whether it failed although some parts went through."""
        return self.status is Status.FAILED and len(self.missing) < len(self.parts)

    @property
    def has_failed(self) -> bool:
        """Whether it came to no good end: it was given up, is unknown, was refused, failed later, or has expired.

        Not one that was cancelled: somebody wanted that, or the plan needed it no more.
        """
        if self.state is DeliveryState.CLOSED:
            return not self._is_taken_in_all and bool(self.missing)
        if self.state is DeliveryState.CANCELLED:
            return self.has_expired
        return self.state is DeliveryState.DEAD or self.state is DeliveryState.UNKNOWN

    @property
    def has_expired(self) -> bool:
        """Whether it ended because its time to live ran out."""
        return self.failure is not None and self.failure.kind is FailureKind.EXPIRED

    @property
    def _is_taken_in_all(self) -> bool:
        """Whether of each part something good was said: as of nearly all that end, and told without joining reports."""
        said = self.report.parts
        if self.report.whole.status is not None or len(said) != len(self.parts):
            return False
        return all(each.status is not None and each.status is not Status.FAILED for each in said.values())

    @property
    def disputed(self) -> bool:
        """Whether of one part both a failure and a delivery were reported."""
        return any(self.report.part(part).disputed for part in range(len(self.parts)))

    @property
    def next_part(self) -> int | None:
        """Index of the first part of which there is no evidence at all, or None."""
        return self.next_part_after(-1)

    def next_part_after(self, index: int) -> int | None:
        """Index of the first part behind *index* of which there is no evidence at all, or None."""
        rest = range(index + 1, len(self.parts))
        return next((part for part in rest if self.report.part(part).status is None), None)


class LegStep(Tagged):
    """A leaf of the plan.

    Args:
        kind: Tells the steps apart.
        leg: Number of the leg.
        goal: The status that satisfies it.
    """

    kind: Literal["leg"] = "leg"
    leg: int
    goal: Status = Status.ACCEPTED


class SequenceStep(Tagged):
    """One after another until one is satisfied (`first_of`).

    Args:
        kind: Tells the steps apart.
        steps: In order.
        within: Seconds after which a leg that has not reached its goal is left, or None.
        tries: Attempts not sent after which a leg is left.
    """

    kind: Literal["sequence"] = "sequence"
    steps: tuple[Step, ...] = Field(min_length=1)
    within: float | None = None
    tries: int = 1


class ParallelStep(Tagged):
    """All at once (`all_of`).

    Args:
        kind: Tells the steps apart.
        steps: In no order.
    """

    kind: Literal["parallel"] = "parallel"
    steps: tuple[Step, ...] = Field(min_length=1)


Step = Annotated[LegStep | SequenceStep | ParallelStep, Field(discriminator="kind")]
SequenceStep.model_rebuild()
ParallelStep.model_rebuild()


class DispatchState(StrEnum):
    """What became of a message to one recipient."""

    PENDING = "pending"
    """Something is under way."""
    WAITING = "waiting"
    """Everything waits for a time that has not come."""
    SATISFIED = "satisfied"
    """A leg reached its goal (with `all_of`: all did)."""
    EXHAUSTED = "exhausted"
    """No leg is left that could."""
    EXPIRED = "expired"
    """Its time to live ran out before."""
    CANCELLED = "cancelled"
    """By the caller."""
    SUPPRESSED = "suppressed"
    """By a gate; `reason` says which."""

    @property
    def is_final(self) -> bool:
        """Whether nothing will be sent for it any more. Receipts are still recorded."""
        return self not in (DispatchState.PENDING, DispatchState.WAITING)


class Dispatch(Value):
    """One message to one recipient.

    Args:
        id: In time order.
        key: The caller's, or one of ours; unique with `recipient`.
        recipient: To whom: an address's URI, "contact:ID", or "CHANNEL/CONVERSATION".
        message: What was submitted.
        plan: The tree of steps, or None for a suppressed one.
        deliveries: Legs in the order in which they were made.
        state: What became of it.
        reason: Why, or None.
        created_at: When it was submitted.
        wake_at: When the plan has to be looked at again even if nothing happens, or None.
        origin: Key of the event in whose handler it was submitted, or None.
        automatic: Whether a program, not a person, speaks.
        group: Shared by the dispatches of one submit that show each other (`Message.to`, `Message.cc`), or None.
        version: Grows with each change.
        fingerprint: Of the content; tells a repeated submit from a conflicting one.
    """

    id: Line
    key: Line
    recipient: Line
    message: Message = Field(repr=False)
    plan: Step | None = None
    deliveries: tuple[Delivery, ...] = ()
    state: DispatchState = DispatchState.PENDING
    reason: Text | None = None
    created_at: Moment
    wake_at: Moment | None = None
    origin: Text | None = None
    automatic: bool = False
    group: Line | None = None
    version: int = 0
    fingerprint: Line = ""

    def delivery(self, leg: int) -> Delivery:
        """The delivery that stands for *leg* now: the newest, which supersedes earlier ones."""
        return next(delivery for delivery in reversed(self.deliveries) if delivery.leg == leg)

    @property
    def current(self) -> tuple[Delivery, ...]:
        """The deliveries that nothing has superseded."""
        superseded = {delivery.supersedes for delivery in self.deliveries}
        return tuple(delivery for delivery in self.deliveries if delivery.id not in superseded)

    @property
    def failed(self) -> tuple[Delivery, ...]:
        """The deliveries that came to no good end, where nothing has superseded them and there is content to send."""
        if not any(delivery.has_failed for delivery in self.deliveries) or self.is_erased:
            return ()
        return tuple(delivery for delivery in self.current if delivery.has_failed)

    @property
    def is_erased(self) -> bool:
        """Whether its content is gone, by an erasure or by retention: there is nothing that could be said again."""
        return self.recipient == ERASED.uri

    def tries(self, delivery: Delivery) -> tuple[Delivery, ...]:
        """*delivery*, and before it those that it repeats: superseded by it, with the same key for the medium.

        To whoever takes it these are one and the same, so what is known of one of them holds.
        """
        found = [delivery]
        while (old := found[-1].supersedes) is not None:
            before = self.by_id(old)
            if before.key != delivery.key:
                break
            found.append(before)
        return tuple(found)

    def taken_before(self, delivery: Delivery) -> Status | None:
        """The strongest that is known of those that *delivery* repeats, where one of them was taken; else None."""
        if delivery.supersedes is None:
            return None
        known = (each.status for each in self.tries(delivery)[1:])
        return max((each for each in known if each >= Status.ACCEPTED and each is not Status.FAILED), default=None)

    @property
    def status(self) -> Status:
        """The strongest evidence along the plan: of a sequence the best leg, of parallel legs the least."""
        if self.plan is None:
            return Status.FAILED if self.state.is_final else Status.QUEUED
        return _status(self, self.plan)

    def by_id(self, delivery: str) -> Delivery:
        """The delivery with this id."""
        return next(each for each in self.deliveries if each.id == delivery)

    def before(self, delivery: Delivery, index: int) -> frozenset[str]:
        """The provider's ids of the nearest part before part *index* of *delivery* that has any.

        A delivery that sends what was missing of another goes on where that one ended.
        """
        for part in reversed(range(index)):
            if ids := delivery.report.part(part).ids:
                return ids
        old = next((each for each in self.deliveries if each.id == delivery.supersedes), None)
        if old is None or delivery.parts[0] not in old.parts:
            return frozenset()
        return self.before(old, old.parts.index(delivery.parts[0]))

    def replaced(self, delivery: Delivery) -> tuple[Delivery, ...]:
        """The deliveries with *delivery* in the place of the one that has its id."""
        return tuple(delivery if each.id == delivery.id else each for each in self.deliveries)


def _status(dispatch: Dispatch, step: LegStep | SequenceStep | ParallelStep) -> Status:
    if isinstance(step, LegStep):
        delivery = dispatch.delivery(step.leg)
        # A leg that nobody will try again is not in the outbox any more, even if nothing was ever heard of it.
        ended = delivery.state in (DeliveryState.CANCELLED, DeliveryState.DEAD)
        status = Status.FAILED if ended and delivery.status is Status.QUEUED else delivery.status
        # What was taken stays taken while it is repeated, and whatever becomes of that.
        taken = dispatch.taken_before(delivery)
        if taken is None or (status > taken and status is not Status.FAILED):
            return status
        return taken
    statuses = [_status(dispatch, child) for child in step.steps]
    if isinstance(step, ParallelStep):
        return Status.FAILED if Status.FAILED in statuses else min(statuses)
    # A refused first leg says nothing while the second is on its way.
    alive = [status for status in statuses if status is not Status.FAILED]
    return max(alive, default=Status.FAILED)
