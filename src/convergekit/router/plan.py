"""The plan: what a send would do, and why. Values that print, compare and have a JSON form; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

from convergekit.model import (
    Address,
    ConversationRef,
    Degradation,
    LegStep,
    Line,
    ParallelStep,
    SequenceStep,
    Status,
    Step,
    Value,
)

from ._steps import leaves
from .gates import Allow, Decision, Defer, Divert, Drop, GateRecord
from .routes import Route

__all__ = ["LegPlan", "Plan", "PlannedLeg", "RecipientPlan"]


class PlannedLeg(Value):
    """A way that a route has found: one address on one channel.

    Args:
        leg: Its number in the plan, from 0.
        channel: Name of the channel.
        address: To whom.
        conversation: In which conversation.
        goal: The status that satisfies it.
    """

    leg: int
    channel: Line
    address: Address
    conversation: ConversationRef
    goal: Status = Status.ACCEPTED

    def __str__(self) -> str:
        thread = f" in {self.conversation.thread}" if self.conversation.thread else ""
        return f"{self.channel} to {self.address}{thread} until {self.goal}"


class LegPlan(PlannedLeg):
    """A leg, and all that was found out about it.

    Args:
        gates: What each gate said, up to the first that did not allow.
        parts: Number of wire units; 0 where it is not sent.
        segments: How many SMS segments they take up, which is what is paid for; None on a channel that does not count
            in the GSM alphabet (`TextLimit.unit`). A part with files goes as MMS, and is not among them.
        degradations: What the channel cannot carry as it was written.
        refused: Why the channel cannot carry the message at all, or None.
        warnings: What a careful sender would want to know.
    """

    gates: tuple[GateRecord, ...] = ()
    parts: int = 0
    segments: int | None = None
    degradations: tuple[Degradation, ...] = ()
    refused: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def decision(self) -> Decision:
        """What the gates came to."""
        return self.gates[-1].decision if self.gates else Allow()

    def __str__(self) -> str:
        if self.refused is not None:
            outcome = f"refused, {self.refused}"
        elif isinstance(self.decision, Drop | Divert):
            outcome = _said(self.gates[-1])
        else:
            outcome = _counted(self.parts, "part")
            outcome += "" if self.segments is None else f", {_counted(self.segments, 'segment')}"
        return f"{super().__str__()}: {outcome}"

    def details(self) -> Iterator[str]:
        """One line for each thing worth knowing."""
        if self.gates:
            yield "gates: " + ", ".join(map(_said, self.gates))
        for degradation in self.degradations:
            yield f"{degradation.severity}: {degradation.what}: {degradation.detail}"
        for warning in self.warnings:
            yield f"warning: {warning}"


class RecipientPlan(Value):
    """What would be sent to one recipient.

    Args:
        recipient: As in `Dispatch.recipient`.
        route: The way that was asked for.
        step: The legs that would be used, as a tree; None where nothing would be sent.
        legs: All legs that were looked at, those that a gate stopped among them.
        warnings: What was passed over.
        error: Why a submit would be refused, or None.
    """

    recipient: Line
    route: Route
    step: Step | None = None
    legs: tuple[LegPlan, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"to {self.recipient} by {self.route!r}"
        used: set[int] = set()
        if self.step is not None:
            used = {leaf.leg for leaf in leaves(self.step)}
            yield from self._tree(self.step, "  ")
        else:
            yield f"  nothing is sent{'' if self.error is None else ': ' + self.error}"
        for leg in self.legs:
            if leg.leg not in used:
                yield from _leg_lines(leg, "  ", "not used: ")
        for warning in self.warnings:
            yield f"  warning: {warning}"

    def _tree(self, step: Step, indent: str) -> Iterator[str]:
        match step:
            case LegStep():
                yield from _leg_lines(next(leg for leg in self.legs if leg.leg == step.leg), indent)
            case SequenceStep():
                limits = [f"{step.tries} tries each"] if step.tries > 1 else []
                limits += [f"each left after {step.within:g} s"] if step.within is not None else []
                yield f"{indent}one after another{', ' if limits else ''}{', '.join(limits)}:"
            case ParallelStep():
                yield f"{indent}all of:"
        for child in () if isinstance(step, LegStep) else step.steps:
            yield from self._tree(child, indent + "  ")


class Plan(Value):
    """What a send would do: for each recipient its legs, what the gates say, and what is lost on the way.

    Args:
        recipients: In the order in which they were given.
    """

    recipients: tuple[RecipientPlan, ...]

    @property
    def ok(self) -> bool:
        """Whether something would be sent to each recipient, and a submit would not be refused."""
        return all(one.step is not None and one.error is None for one in self.recipients)

    @property
    def degradations(self) -> tuple[Degradation, ...]:
        """Of all legs that would be used."""
        return tuple(
            degradation
            for one in self.recipients
            if one.step is not None
            for used in ({leaf.leg for leaf in leaves(one.step)},)
            for leg in one.legs
            if leg.leg in used
            for degradation in leg.degradations
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.recipients))


def _leg_lines(leg: LegPlan, indent: str, what: str = "") -> Iterator[str]:
    yield f"{indent}{what}{leg.leg}. {leg}"
    yield from (f"{indent}   {line}" for line in leg.details())


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _said(record: GateRecord) -> str:
    match record.decision:
        case Allow():
            return f"{record.gate} allows"
        case Defer(reason=reason):
            return f"{record.gate} defers ({reason})"
        case Drop(reason=reason):
            return f"{record.gate} drops it ({reason})"
        case Divert(route=route, reason=reason):
            return f"{record.gate} diverts it to {route!r} ({reason})"
