"""Gates: pure decisions before a leg goes. Allow, defer, drop, or divert to another route.

Rules kept here:

- Gates are asked in one order, and the first that does not allow ends the asking: the loop guard, the time to live,
  consent, then the host's own in the order in which they were given, and last whether it is time yet. What is dropped
  for good is so never merely deferred.
- They are asked when a message is submitted, and again when a deferred leg wakes: consent may be gone by then.
- Urgency opens no gate: an urgent message without consent is dropped like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Protocol, runtime_checkable

from pydantic import Field

from convergekit.model import Address, ConversationRef, Importance, Line, Message, Moment, Tagged, Value

from ._calls import Called, call
from .routes import Route, RouteLike, to_route

__all__ = [
    "STANDARD",
    "Allow",
    "Consent",
    "Decision",
    "Defer",
    "Divert",
    "Drop",
    "Gate",
    "GateInput",
    "GateRecord",
    "LoopGuard",
    "NotBefore",
    "Ttl",
    "consent",
    "decide_all",
    "divert",
    "expiry",
    "loop_guard",
    "not_before",
    "ttl",
]


class Allow(Tagged):
    """Go on."""

    kind: Literal["allow"] = "allow"


class Defer(Tagged):
    """Not now: ask again at `until`."""

    kind: Literal["defer"] = "defer"
    until: Moment
    reason: Line


class Drop(Tagged):
    """Never, on this leg."""

    kind: Literal["drop"] = "drop"
    reason: Line


class Divert(Tagged):
    """Not this way, but that one."""

    kind: Literal["divert"] = "divert"
    route: Route
    reason: Line


Decision = Annotated[Allow | Defer | Drop | Divert, Field(discriminator="kind")]
_ALLOWED: Final = Allow()


def divert(route: RouteLike, reason: str) -> Divert:
    """Send it along *route* instead; the gates are asked again there, and a second diversion drops it."""
    return Divert(route=to_route(route), reason=reason)


class GateRecord(Value):
    """What one gate said.

    Args:
        gate: Its name.
        decision: Its answer.
    """

    gate: Line
    decision: Decision


@lru_cache(maxsize=256)
def _passed(gate: str) -> GateRecord:
    """What nearly every gate says of nearly every message: made once for each, being a value."""
    return GateRecord(gate=gate, decision=_ALLOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInput:
    """All that a gate may look at.

    Args:
        message: What is to be sent.
        address: To whom.
        channel: Name of the channel.
        conversation: In which conversation.
        now: The current time.
        created_at: When the message was submitted; None is now.
        automatic: Whether a program speaks, and not a person.
        replying: Whether it answers something that this correspondent wrote.
        in_reply_to_automated: Whether what it answers was itself written by a program (RFC 3834).
        recent_automatic: Automatic messages that this correspondent was sent within the loop guard's window.
        consents: Per category what they said; the category None is everything. What is missing was never asked.
    """

    message: Message
    address: Address
    channel: str
    conversation: ConversationRef
    now: datetime
    created_at: datetime | None = None
    automatic: bool = False
    replying: bool = False
    in_reply_to_automated: bool = False
    recent_automatic: int = 0
    consents: Mapping[str | None, bool] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def importance(self) -> Importance:
        """Of the message."""
        return self.message.importance


@runtime_checkable
class Gate(Protocol):
    """A pure decision. A frozen value of your own with these two will do; it must not do I/O or read a clock."""

    @property
    def name(self) -> str:
        """What it is called in plans and records."""
        ...

    def decide(self, leg: GateInput) -> Decision:
        """Whether *leg* may go."""
        ...


class _Gate(Called):
    @property
    def name(self) -> str:
        """What it is called in plans and records."""
        return str(getattr(self, "kind"))  # noqa: B009 - each gate narrows it to its own

    def decide(self, leg: GateInput) -> Decision:
        """Whether *leg* may go."""
        raise NotImplementedError


class LoopGuard(_Gate):
    """Keeps two programs from answering each other for ever."""

    kind: Literal["loop_guard"] = "loop_guard"
    limit: int = Field(default=20, ge=1)
    per: float = Field(default=3600.0, gt=0, allow_inf_nan=False)

    def decide(self, leg: GateInput) -> Decision:
        """Drop an automatic answer to an automatic message (RFC 3834 §2), and what is over the cap."""
        if leg.automatic and leg.in_reply_to_automated:
            return Drop(reason="an automatic message is not answered automatically")
        if leg.automatic and leg.recent_automatic >= self.limit:
            return Drop(reason=f"{leg.recent_automatic} automatic messages to this address in {self.per:g} s already")
        return _ALLOWED

    def __repr__(self) -> str:
        return call("loop_guard", limit=self.limit, per=self.per, defaults={"limit": 20, "per": 3600.0})


class Ttl(_Gate):
    """Drops what comes too late."""

    kind: Literal["ttl"] = "ttl"
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    def ends(self, message: Message, created_at: datetime) -> datetime | None:
        """Until when *message* is worth sending: the earlier of its own limit and this one's; None is for ever."""
        if self.seconds is None:
            return message.expires_at
        # From when it may go, rather than from when it was written: a message for tomorrow is not late today.
        start = max(created_at, message.not_before or created_at)
        end = start + timedelta(seconds=self.seconds)
        return end if message.expires_at is None else min(end, message.expires_at)

    def decide(self, leg: GateInput) -> Decision:
        """Drop what has expired, and what would have by the time it may go."""
        ends = self.ends(leg.message, leg.created_at or leg.now)
        if ends is not None and ends <= max(leg.now, leg.message.not_before or leg.now):
            return Drop(reason=f"expired at {ends.isoformat()}")
        return _ALLOWED

    def __repr__(self) -> str:
        return call("ttl", seconds=self.seconds)


class Consent(_Gate):
    """Asks whether the recipient agreed."""

    kind: Literal["consent"] = "consent"
    category: Line | None = None

    def decide(self, leg: GateInput) -> Decision:
        """Drop what they opted out of, and what needs an agreement that was never given."""
        # STOP means stop. What is left is a person who answers what they themselves have written.
        if leg.consents.get(None) is False and (leg.automatic or not leg.replying):
            return Drop(reason="they opted out of everything")
        category = leg.message.category or self.category
        # An agreement to "everything" only takes a STOP back (START): it is no agreement to a newsletter.
        match True if category is None else leg.consents.get(category):
            case True:
                return _ALLOWED
            case False:
                return Drop(reason=f"they opted out of {category!r}")
            case None:
                return Drop(reason=f"they never agreed to {category!r}")

    def __repr__(self) -> str:
        return call("consent", *([] if self.category is None else [self.category]))


class NotBefore(_Gate):
    """Holds what was scheduled until its time."""

    kind: Literal["not_before"] = "not_before"

    def decide(self, leg: GateInput) -> Decision:
        """Defer until `Message.not_before`."""
        start = leg.message.not_before
        if start is not None and start > leg.now:
            return Defer(until=start, reason=f"not before {start.isoformat()}")
        return _ALLOWED

    def __repr__(self) -> str:
        return call("not_before")


def loop_guard(limit: int = 20, per: float = 3600.0) -> LoopGuard:
    """Never answer an automatic message automatically; and at most *limit* automatic ones to one correspondent.

    Args:
        limit: Automatic messages to one correspondent.
        per: Seconds in which they are counted.
    """
    return LoopGuard(limit=limit, per=per)


def ttl(seconds: float | None = None) -> Ttl:
    """Drop what has passed `Message.expires_at`, or is older than *seconds* (counted from `not_before`, if later)."""
    return Ttl(seconds=seconds)


def consent(category: str | None = None) -> Consent:
    """Ask the known consents.

    - Who opted out of everything (STOP) gets nothing, except the answer of a person to what they wrote.
    - A message with a category needs their agreement to that category: never asked is no, and an agreement to
      everything (START) only takes back an opt-out of everything.
    - A message without a category needs none.

    Args:
        category: Stands in for messages that have none of their own.
    """
    return Consent(category=category)


def not_before() -> NotBefore:
    """Hold a message until `Message.not_before`."""
    return NotBefore()


#: What a hub asks unless it is told otherwise.
STANDARD: Final[tuple[Gate, ...]] = (loop_guard(), ttl(), consent(), not_before())

_EARLY: Final[Mapping[type[Any], int]] = {LoopGuard: 0, Ttl: 1, Consent: 2, NotBefore: 4}
_OWN: Final = 3


def decide_all(gates: Iterable[Gate], leg: GateInput) -> tuple[GateRecord, ...]:
    """Ask *gates*, in the order that this module states, up to the first that does not allow.

    Returns:
        What was said; the last record is the one that counts. Empty where there is no gate.
    """
    records: list[GateRecord] = []
    for gate in sorted(gates, key=lambda each: _EARLY.get(type(each), _OWN)):
        decision = gate.decide(leg)
        if not isinstance(decision, Allow):
            records.append(GateRecord(gate=gate.name, decision=decision))
            break
        records.append(_passed(gate.name))
    return tuple(records)


def expiry(gates: Iterable[Gate], message: Message, created_at: datetime) -> datetime | None:
    """Until when *message* may be sent, by its own limit and the time to live of *gates*; None is for ever."""
    ends = [message.expires_at, *(gate.ends(message, created_at) for gate in gates if isinstance(gate, Ttl))]
    return min((end for end in ends if end is not None), default=None)
