"""From legs to a plan: what the gates say of each, what is lost on the way, and what is left to be sent.

No I/O: the engine lends what it knows (open channels, contacts, consents, the time), and nothing is sent.
`prepare` is what both `Hub.plan` and `Hub.submit` do, so that a plan and its run agree; a `Plan` is its summary.

What this message or this moment cannot have is passed over where the route has another way, and the plan says so:
content that a channel may not degrade, and a gate's no.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from convergekit.content import Policy, Rendering, gsm7
from convergekit.errors import UnsupportedContentError
from convergekit.model import (
    Capabilities,
    ConversationRef,
    Degradation,
    LegStep,
    Message,
    ParallelStep,
    Part,
    SequenceStep,
    Status,
    Step,
)

from ._steps import leaves
from .gates import Allow, Decision, Defer, Divert, Drop, Gate, GateInput, GateRecord, decide_all
from .plan import LegPlan, PlannedLeg, RecipientPlan
from .resolving import ChannelView, Recipient, Resolved, default_route, grouped, recipient_key, resolve
from .routes import Route, RouteLike, to_route

__all__ = [
    "Facts",
    "Prepared",
    "PreparedLeg",
    "Render",
    "prepare",
]


class Render(Protocol):
    """`convergekit.content.render`, where it holds nobody up."""

    async def __call__(self, message: Message, capabilities: Capabilities, *, policy: Policy) -> Rendering:
        """Raises `UnsupportedContentError` where the policy, or the content, leaves no way."""
        ...


#: Called for each leg; the engine looks up the consents and counts for its address.
Facts = Callable[[PlannedLeg], Awaitable[GateInput]]


class PreparedLeg(NamedTuple):
    """A leg that the gates were asked about and, if they let it pass, rendered.

    Args:
        leg: Where it goes.
        gates: What each gate said.
        parts: Finished wire units; empty where it is not sent.
        degradations: What the channel could not carry as it was written.
        refused: Why the channel cannot carry it, or None.
        warnings: For the plan.
        is_sms: Whether the parts are paid for by the segment.
    """

    leg: PlannedLeg
    gates: tuple[GateRecord, ...] = ()
    parts: tuple[Part, ...] = ()
    degradations: tuple[Degradation, ...] = ()
    refused: UnsupportedContentError | None = None
    warnings: tuple[str, ...] = ()
    is_sms: bool = False

    @property
    def decision(self) -> Decision:
        """What the gates came to."""
        return self.gates[-1].decision if self.gates else Allow()

    @property
    def segments(self) -> int | None:
        """Of all parts that are an SMS; None where none of them could be."""
        if not self.is_sms:
            return None
        return sum(gsm7.segments(part.text or "") for part in self.parts if not part.attachments)

    def due(self, now: datetime) -> datetime:
        """When it is to be served: *now*, or when the gate that deferred it has said."""
        return max(now, self.decision.until) if isinstance(self.decision, Defer) else now

    def summary(self) -> LegPlan:
        """For the plan."""
        return LegPlan(
            **dict(self.leg),
            gates=self.gates,
            parts=len(self.parts),
            segments=self.segments,
            degradations=self.degradations,
            refused=None if self.refused is None else self.refused.reason,
            warnings=self.warnings,
        )


class Prepared(NamedTuple):
    """All that is needed to submit one message to one recipient, or to tell what that would do.

    Args:
        recipient: As in `Dispatch.recipient`.
        route: The way that was asked for.
        step: The tree of the legs that are used; None where nothing is sent.
        legs: Those of the tree, one delivery each.
        unused: Those that a gate or the content has stopped.
        warnings: What was passed over.
        error: What a submit raises, or None.
    """

    recipient: str
    route: Route
    step: Step | None
    legs: tuple[PreparedLeg, ...]
    unused: tuple[PreparedLeg, ...] = ()
    warnings: tuple[str, ...] = ()
    error: UnsupportedContentError | None = None

    @property
    def reason(self) -> str | None:
        """Where nothing is sent, why; else None."""
        if self.step is not None:
            return None
        drops = [
            f"{each.leg.channel}: {each.gates[-1].gate}: {each.decision.reason}"
            for each in self.unused
            if isinstance(each.decision, Drop)
        ]
        return "; ".join(dict.fromkeys(drops or self.warnings)) or "the route leads nowhere"

    def summary(self) -> RecipientPlan:
        """For the plan."""
        legs = sorted((*self.legs, *self.unused), key=lambda each: each.leg.leg)
        return RecipientPlan(
            recipient=self.recipient,
            route=self.route,
            step=self.step,
            legs=tuple(each.summary() for each in legs),
            warnings=self.warnings,
            error=None if self.error is None else self.error.reason,
        )


async def prepare(
    message: Message,
    *,
    recipient: Recipient,
    channels: Mapping[str, ChannelView],
    gates: Sequence[Gate],
    facts: Facts,
    render: Render,
    route: RouteLike | None = None,
    conversation: ConversationRef | None = None,
    consents: Mapping[str | None, bool] | None = None,
) -> Prepared:
    """Resolve *route*, ask the gates about each leg, follow diversions, render what passes, and drop what does not.

    A leg that is diverted is replaced by the legs of the other route, which are asked about again; a second
    diversion drops them. Of parallel legs, those that a gate drops are left out; one whose content is refused
    refuses the whole. The rest of the arguments is as in `resolve`.

    Args:
        message: What is to be sent.
        recipient: To whom.
        channels: The open ones by name.
        gates: In any order; `decide_all` has one of its own.
        facts: What the gates may look at, for each leg.
        render: `convergekit.content.render`, awaited.
        route: The way, or None for the recipient's own (`default_route`).
        conversation: The one that the message answers, or that is active with the recipient, or None.
        consents: What is known of the recipient; conditions look at it.

    Raises:
        ConfigurationError: As `resolve`.
        InvalidInputError: As `resolve`.
    """
    chosen = default_route(recipient) if route is None else to_route(route)

    def resolved(way: Route, **more: int | Status) -> Resolved:
        return resolve(
            way,
            recipient=recipient,
            message=message,
            channels=channels,
            conversation=conversation,
            consents=consents,
            **more,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )

    step, legs, warnings = resolved(chosen)
    prepared: dict[int, PreparedLeg] = {}
    detours: dict[int, Step | None] = {}
    queue = [(leg, False) for leg in legs]
    for leg, diverted in queue:  # grows by what is diverted
        records = decide_all(gates, await facts(leg))
        decision = records[-1].decision if records else None
        if isinstance(decision, Divert) and diverted:
            last = GateRecord(gate=records[-1].gate, decision=Drop(reason=f"diverted twice: {decision.reason}"))
            records = (*records[:-1], last)
        elif isinstance(decision, Divert):
            other = resolved(decision.route, first_leg=len(queue), goal=leg.goal)
            detours[leg.leg] = other.step
            queue += [(each, True) for each in other.legs]
            warnings += other.warnings
        prepared[leg.leg] = await _prepared(leg, records, message, channels[leg.channel], render)
    error: UnsupportedContentError | None = None
    try:
        step = None if step is None else _pruned(step, prepared, detours)
    except UnsupportedContentError as exc:
        step, error = None, exc
    used = set() if step is None else {leaf.leg for leaf in leaves(step)}
    return Prepared(
        recipient=recipient_key(recipient),
        route=chosen,
        step=step,
        legs=tuple([each for number, each in prepared.items() if number in used]),
        unused=tuple([each for number, each in prepared.items() if number not in used]),
        warnings=warnings,
        error=error,
    )


async def _prepared(
    leg: PlannedLeg, records: tuple[GateRecord, ...], message: Message, channel: ChannelView, render: Render
) -> PreparedLeg:
    state = channel.state
    warnings = (f"{channel.name} is {state}",) if state else ()
    if records and isinstance(records[-1].decision, Drop | Divert):
        return PreparedLeg(leg=leg, gates=records, warnings=warnings)
    capabilities = channel.capabilities_for(leg.conversation)
    try:
        rendering = await render(message, capabilities, policy=channel.degrade)
    except UnsupportedContentError as exc:
        return PreparedLeg(leg=leg, gates=records, refused=exc, warnings=warnings)
    return PreparedLeg(
        leg=leg,
        gates=records,
        parts=rendering.parts,
        degradations=rendering.degradations,
        warnings=warnings,
        is_sms=capabilities.text is not None and capabilities.text.unit == "gsm7",
    )


def _pruned(step: Step, prepared: Mapping[int, PreparedLeg], detours: Mapping[int, Step | None]) -> Step | None:
    """What is left of *step* without the legs that are not sent; raises the refusal where that leaves no way."""
    match step:
        case LegStep():
            if step.leg in detours:
                detour = detours[step.leg]
                return None if detour is None else _pruned(detour, prepared, {})
            leg = prepared[step.leg]
            if leg.refused is not None:
                raise leg.refused
            return None if isinstance(leg.decision, Drop) else step
        case ParallelStep():
            found = [_pruned(child, prepared, detours) for child in step.steps]
            return grouped(_like(step), [child for child in found if child is not None])
        case SequenceStep():
            kept: list[Step] = []
            refusals: list[UnsupportedContentError] = []
            for child in step.steps:
                try:
                    left = _pruned(child, prepared, detours)
                except UnsupportedContentError as exc:
                    refusals.append(exc)
                else:
                    kept += [] if left is None else [left]
            if refusals and not kept:
                raise refusals[0]
            return grouped(_like(step), kept)


def _like(step: SequenceStep | ParallelStep) -> Callable[[tuple[Step, ...]], Step]:
    return lambda steps: step.model_copy(update={"steps": steps})
