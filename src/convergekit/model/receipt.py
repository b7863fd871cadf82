"""Status, receipts, and the fold: from pieces of evidence, in any order, to what is known.

Rules kept here (DESIGN, "Status"):

- A part's status is the maximum over its receipts. The fold is a join: any order, any repetition and any batching
  of the same receipts end in the same report, so a late, doubled or reordered report cannot move a status back.
- FAILED lies above RELAYED and below DELIVERED: proof of delivery beats an earlier failure, and both together are
  kept as *disputed*.
- A failure's detail is merged and never erased by an emptier receipt.
- UNKNOWN and QUEUED are states of an attempt and not receipts; `Delivery` adds them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from ._base import Line, Moment, Native, Value
from .address import Address

__all__ = ["Evidence", "Failure", "FailureKind", "PartReport", "Receipt", "Report", "Status", "fold", "shared_id"]


class Status(Enum):
    """An ordered scale of evidence: `Status.SENT < Status.DELIVERED`. In JSON, the value: "delivered"."""

    QUEUED = "queued"
    """Stored in the outbox."""
    UNKNOWN = "unknown"
    """An attempt is open-ended, and nothing stronger is known. Reconciling closes it."""
    ACCEPTED = "accepted"
    """The next hop took it."""
    SENT = "sent"
    """It left the next hop."""
    RELAYED = "relayed"
    """Passed on to something that reports no further."""
    FAILED = "failed"
    """It will not arrive; a `Failure` says why."""
    DELIVERED = "delivered"
    """It arrived."""
    READ = "read"
    """It was shown to its reader."""
    ANSWERED = "answered"
    """A person replied in the same thread."""

    def __init__(self, value: str) -> None:
        self._rank = len(type(self).__members__)  # of those that stand above it

    # Each by itself: a comparison stands in every step that a delivery takes, and `total_ordering` takes two for one.

    def __lt__(self, other: object) -> bool:
        return self._rank < other._rank if isinstance(other, Status) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self._rank <= other._rank if isinstance(other, Status) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self._rank > other._rank if isinstance(other, Status) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self._rank >= other._rank if isinstance(other, Status) else NotImplemented

    def __str__(self) -> str:
        return self.name


class FailureKind(StrEnum):
    """Why something failed; drives retry, fallback and suppression."""

    CONFIG = "config"
    """Settings are wrong, here or at the provider."""
    AUTH = "auth"
    """The account is refused."""
    INVALID_MESSAGE = "invalid_message"
    """The message makes no sense to the remote."""
    INVALID_ADDRESS = "invalid_address"
    """There is no such recipient."""
    UNREACHABLE = "unreachable"
    """There is such a recipient, who cannot be reached: switched off, a full mailbox."""
    OPTED_OUT = "opted_out"
    """The recipient does not want to hear from us."""
    BLOCKED = "blocked"
    """Somebody on the way does not let us through: a filter, a carrier."""
    THROTTLED = "throttled"
    """Too much at a time."""
    QUOTA = "quota"
    """The account has used up what it may send, or its money."""
    CONNECTION = "connection"
    """The remote was not reached, or the connection was lost."""
    PROVIDER = "provider"
    """The remote failed, by its own account."""
    NOT_PERMITTED = "not_permitted"
    """The medium's rules, or the recipient's settings, do not let us write there."""
    CONTENT = "content"
    """What was said cannot be carried, or is not allowed."""
    TOO_LARGE = "too_large"
    """It is longer or larger than the medium takes."""
    EXPIRED = "expired"
    """Its time ran out before."""
    CANCELLED = "cancelled"
    """It was called back."""
    INTERNAL = "internal"
    """A fault of ours, or of an adapter."""


class Failure(Value):
    """Why a part failed.

    Args:
        kind: The class of trouble, or None where the remote did not say.
        code: The remote's own code, verbatim, or None.
        text: In words, without message content; or None.
        alternative: The way that is open instead, in words or as an address; or None.
    """

    kind: FailureKind | None = None
    code: Line | None = None
    text: Line | None = None
    alternative: Line | None = None


class Evidence(Value):
    """What one word of a provider means to us: the value side of a translator's table."""

    status: Status
    kind: FailureKind | None = None

    if TYPE_CHECKING:

        def __init__(self, status: Status, kind: FailureKind | None = None) -> None: ...
    else:

        def __init__(self, status, kind=None):
            super().__init__(status=status, kind=kind)

        __init__.__pydantic_base_init__ = True


class Receipt(Value):
    """A piece of evidence about a delivery; append-only.

    Args:
        status: What it is evidence of: ACCEPTED or above. The only positional argument.
        ids: The provider's ids of what was taken; later reports are matched by them. Where the medium gives copies to
            several recipients one id, `shared_id` makes of it one that tells them apart, to stand beside it.
        part: Index of the part it speaks of, or None for all of them.
        delivery: Our id of the delivery, where the medium hands it back.
        address: To whom, where a report names nothing else.
        occurred_at: When it happened, where the medium says so.
        received_at: When we learned of it; filled in by the engine.
        failure: Why, when FAILED.
        units: What the medium charges for: segments, credits.
        segments: Of how many segments the medium made of the part, each with an id of its own and reports of its own;
            None where it reports the part as a whole.
        segment: The report is about this one of them only: its id, or its number. None for the part as a whole.
        key: Tells two identical reports from one report seen twice; or None.
        native: The original: JSON-able, or bytes.
    """

    status: Status
    ids: tuple[Line, ...] = ()
    part: int | None = Field(default=None, ge=0)
    delivery: Line | None = None
    address: Address | None = None
    occurred_at: Moment | None = None
    received_at: Moment | None = None
    failure: Failure | None = None
    units: int | None = Field(default=None, ge=0)
    segments: int | None = Field(default=None, ge=1)
    segment: Line | None = None
    key: Line | None = None
    native: Native = Field(default=None, repr=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            status: Status,
            *,
            ids: Iterable[str] = (),
            part: int | None = None,
            delivery: str | None = None,
            address: Address | str | None = None,
            occurred_at: datetime | None = None,
            received_at: datetime | None = None,
            failure: Failure | None = None,
            units: int | None = None,
            segments: int | None = None,
            segment: str | None = None,
            key: str | None = None,
            native: Any = None,
        ) -> None: ...
    else:

        def __init__(self, status=None, /, **data):
            if status is not None:
                data["status"] = status
            self.__pydantic_validator__.validate_python(data, self_instance=self)

        __init__.__pydantic_base_init__ = True

    @field_validator("status")
    @classmethod
    def _is_evidence(cls, value: Status) -> Status:
        if value < Status.ACCEPTED:
            raise ValueError("QUEUED and UNKNOWN are states of an attempt; a receipt starts at ACCEPTED")
        return value


class PartReport(Value):
    """What all receipts together say of one part. Joined with `|`, which is associative, commutative, idempotent.

    Args:
        status: The strongest evidence, or None where there is none.
        failed: Whether a failure was reported, whatever came beside it.
        failure: Its fullest detail, or None.
        at: Per status the earliest moment at which it was known to hold.
        ids: Every provider id that was named.
        units: What the medium charges for: segments, credits.
        segments: Where the medium reports each segment by itself, what is said of each, by its id or number.
        total: How many segments there are, or None where nobody has said so.
    """

    status: Status | None = None
    failed: bool = False
    failure: Failure | None = None
    at: dict[Status, Moment] = Field(default_factory=dict)
    ids: frozenset[Line] = frozenset()
    units: int = 0
    segments: dict[Line, PartReport] = Field(default_factory=dict)
    total: int | None = None

    @property
    def disputed(self) -> bool:
        """Whether a failure and a delivery were both reported."""
        return self.failed and self.status is not None and self.status >= Status.DELIVERED

    @classmethod
    def of(cls, receipt: Receipt) -> PartReport:
        """What *receipt* alone says."""
        moment = receipt.occurred_at or receipt.received_at
        failed = receipt.status is Status.FAILED
        said = cls(
            status=receipt.status,
            failed=failed,
            failure=receipt.failure if failed else None,
            at={receipt.status: moment} if moment else {},
            ids=frozenset(receipt.ids),
            units=receipt.units or 0,
            total=receipt.segments,
        )
        if receipt.segment is None:
            return said
        # A segment that failed fails the part. Of any other, all that follows is that the medium took the part.
        whole = Status.FAILED if failed else Status.ACCEPTED
        update = {"status": whole, "at": {whole: moment} if moment else {}, "segments": {receipt.segment: said}}
        return said.model_copy(update=update)._with_the_least()

    def __or__(self, other: PartReport) -> PartReport:
        statuses = [status for status in (self.status, other.status) if status is not None]
        at = dict(self.at)
        for status, moment in other.at.items():
            at[status] = min(moment, at.get(status, moment))
        segments = dict(self.segments)
        for segment, report in other.segments.items():
            segments[segment] = segments[segment] | report if segment in segments else report
        joined = PartReport(
            status=max(statuses, default=None),
            failed=self.failed or other.failed,
            failure=_fuller(self.failure, other.failure),
            at=dict(sorted(at.items())),
            ids=self.ids | other.ids,
            units=max(self.units, other.units),
            segments=dict(sorted(segments.items())),
            total=min((total for total in (self.total, other.total) if total is not None), default=None),
        )
        return joined._with_the_least() if segments else joined

    def _with_the_least(self) -> PartReport:
        """With what follows for the part once every segment was heard of: the least of them counts."""
        known = [each.status for each in self.segments.values() if each.status is not None]
        if self.total is None or len(known) < self.total:
            return self
        least = min(known)
        if self.status is not None and self.status > least:
            return self
        reached = [min((at for at in _since(each, least)), default=None) for each in self.segments.values()]
        moments = [moment for moment in reached if moment is not None]
        at = {**self.at, **({least: max(moments)} if len(moments) == len(reached) else {})}
        return self.model_copy(update={"status": least, "at": dict(sorted(at.items()))})


class Report(Value):
    """What all receipts of a delivery say: of each part, and of the delivery as a whole. Joined with `|`.

    Args:
        parts: Per index of a part, what is said of that part.
        whole: What is said of all parts together.
    """

    parts: dict[int, PartReport] = Field(default_factory=dict)
    whole: PartReport = Field(default_factory=PartReport)  # cheaper than a default that is copied

    def part(self, index: int) -> PartReport:
        """What is known of part *index*."""
        found = self.parts.get(index)
        return self.whole if found is None else found | self.whole

    @property
    def ids(self) -> frozenset[str]:
        """Every provider id that was ever named."""
        return self.whole.ids.union(*(report.ids for report in self.parts.values()))

    def __or__(self, other: Report) -> Report:
        indices = sorted(self.parts.keys() | other.parts.keys())
        empty = PartReport()
        return Report(
            parts={index: self.parts.get(index, empty) | other.parts.get(index, empty) for index in indices},
            whole=self.whole | other.whole,
        )


def fold(receipts: Iterable[Receipt]) -> Report:
    """Everything that *receipts* say together; in any order, any number of times, in any batches."""
    return reduce(Report.__or__, map(_report_of, receipts), Report())


def shared_id(id: str, address: Address) -> str:
    """What tells the copy to *address* from others that the medium gave the same *id*: an entry of `Receipt.ids`."""
    return f"{id} {address.uri}"


def _report_of(receipt: Receipt) -> Report:
    report = PartReport.of(receipt)
    return Report(whole=report) if receipt.part is None else Report(parts={receipt.part: report})


def _since(report: PartReport, status: Status) -> Iterable[datetime]:
    """When *report* was known to hold *status*, or something stronger."""
    return (moment for reached, moment in report.at.items() if reached >= status)


def _fuller(one: Failure | None, other: Failure | None) -> Failure | None:
    """The one that says more; between equals, an arbitrary but fixed choice, so that order cannot matter."""
    candidates = [failure for failure in (one, other) if failure is not None]
    return max(candidates, key=_fullness, default=None)


def _fullness(failure: Failure) -> tuple[int, str, str, str]:
    said = (failure.kind, failure.code, failure.text)
    return (sum(value is not None for value in said), failure.kind or "", failure.code or "", failure.text or "")
