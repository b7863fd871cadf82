"""The gates are asked again about what has waited: what was right when it was submitted may no longer be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from convergekit.abc import Clock
from convergekit.errors import ConfigurationError, DeliveryError, InvalidInputError
from convergekit.model import Delivery, DeliveryState, Dispatch, DispatchState
from convergekit.router import Defer, Divert, Drop, Gate, GateRecord, PlannedLeg, decide_all, to_route
from convergekit.router.gates import Consent, LoopGuard

from .facts import Facts
from .ledger import Change
from .planner import Planner

__all__ = ["Rechecking"]

_ASKED: Final = timedelta(seconds=60)


class Rechecking:
    """See the module.

    Args:
        planner: Makes the dispatch that takes a diverted leg's place.
        facts: What the gates are told.
        clock: Time.
        gates: Asked in this order.
        submit: Stores dispatches, and has them served.
    """

    def __init__(
        self,
        planner: Planner,
        facts: Facts,
        clock: Clock,
        gates: Sequence[Gate],
        submit: Callable[[Sequence[Dispatch]], Awaitable[Sequence[Dispatch]]],
    ) -> None:
        self._planner = planner
        self._facts = facts
        self._clock = clock
        self._gates = [gate for gate in gates if not isinstance(gate, LoopGuard)]  # it has counted this one already
        self._submit = submit

    async def recheck(self, dispatch: Dispatch, delivery: Delivery) -> Change | None:
        """What is to be done with *delivery* instead of sending it, or None."""
        if delivery.due <= dispatch.created_at and self._clock.now() < dispatch.created_at + _ASKED:
            return None  # asked a moment ago, when it was submitted
        records = await self._asked(dispatch, delivery)
        decision = records[-1].decision if records else None
        match decision:
            case Defer():
                # The time in which the leg has to reach its goal starts when it may first be served.
                later = {"due": decision.until, "opened_at": decision.until, "reason": decision.reason}
                return _on_leg(delivery.id, later)
            case Drop():
                return _suppressed(delivery.id, f"{records[-1].gate}: {decision.reason}")
            case Divert():
                return await self._diverted(dispatch, delivery, decision)
        return None

    async def _asked(self, dispatch: Dispatch, delivery: Delivery) -> Sequence[GateRecord]:
        leg = PlannedLeg(
            leg=delivery.leg,
            channel=delivery.channel,
            address=delivery.address,
            conversation=delivery.conversation,
        )
        facts = await self._facts.of_leg(dispatch.message, leg, None, None)
        # They had agreed when it was submitted, maybe by a contact that only the caller knows; what is known now wins.
        agreed = {dispatch.message.category or gate.category: True for gate in self._gates if isinstance(gate, Consent)}
        agreed.pop(None, None)
        consents = {**agreed, **facts.consents}
        # What a person sends again is as old as their decision.
        since = dispatch.created_at if delivery.supersedes is None else delivery.opened_at or delivery.due
        facts = replace(facts, automatic=dispatch.automatic, created_at=since, consents=consents)
        return decide_all(self._gates, facts)

    async def _diverted(self, dispatch: Dispatch, delivery: Delivery, decision: Divert) -> Change:
        """A leg that is diverted when it wakes becomes a dispatch of its own, whose key finds it the second time."""
        route, key = to_route(decision.route), f"{dispatch.key}|diverted"
        try:
            made = await self._planner.dispatches(dispatch.message, [delivery.address], route, [key], None)
        except (ConfigurationError, InvalidInputError, DeliveryError) as error:
            return _suppressed(delivery.id, f"{decision.reason}; it cannot be diverted: {error}")
        (stored,) = await self._submit(made)
        return _suppressed(delivery.id, f"diverted to dispatch {stored.id}: {decision.reason}")


def _on_leg(delivery: str, update: Mapping[str, Any]) -> Change:
    def change(dispatch: Dispatch) -> Dispatch:
        changed = dispatch.by_id(delivery).model_copy(update=update)
        return dispatch.model_copy(update={"deliveries": dispatch.replaced(changed)})

    return change


def _suppressed(delivery: str, reason: str) -> Change:
    cancel = _on_leg(delivery, {"state": DeliveryState.CANCELLED, "reason": reason})

    def change(dispatch: Dispatch) -> Dispatch | None:
        cancelled = cancel(dispatch)
        others = any(each.id != delivery for each in dispatch.current)
        if cancelled is None or others or dispatch.state is DispatchState.SATISFIED:
            return cancelled  # the plan decides what that means; and what had arrived before it was repeated, has
        return cancelled.model_copy(update={"state": DispatchState.SUPPRESSED, "reason": reason})

    return change
