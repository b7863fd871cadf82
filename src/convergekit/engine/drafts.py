"""What has been planned, written down as a dispatch and its legs, each made once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from convergekit.model import (
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Event,
    Importance,
    LegStep,
    Message,
    Part,
    to_json,
)
from convergekit.router import Defer, Prepared, PreparedLeg, Route, route_to_json

from .clock import Ids

__all__ = ["Draft", "Origin", "content_of", "fingerprint"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something that is sent comes from.

    Args:
        event: What is being handled, or answered.
        automatic: Whether a program speaks: inside a handler.
    """

    event: Event
    automatic: bool


class Draft:
    """A dispatch before its legs are known.

    Args:
        ids: Makes its id, and then those of its legs.
        message: What to send.
        created_at: Now.
    """

    __slots__ = ("_ids", "created_at", "id", "message")

    def __init__(self, ids: Ids, message: Message, created_at: datetime) -> None:
        self.id = ids()
        self.message = message
        self.created_at = created_at
        self._ids = ids

    def legs(self, prepared: Prepared, expires: datetime | None) -> dict[str, Any]:
        """The plan and its legs; or that there is none, and why."""
        if prepared.step is None:
            return {"state": DispatchState.SUPPRESSED, "reason": prepared.reason}
        # The plan opens a leg when it is reached. Where there is but one, that is now, and spares it a copy of all.
        is_open = isinstance(prepared.step, LegStep)
        deliveries = [self._leg(leg, expires, is_open=is_open) for leg in prepared.legs]
        return {"plan": prepared.step, "deliveries": tuple(deliveries)}

    def _leg(self, prepared: PreparedLeg, expires: datetime | None, *, is_open: bool) -> Delivery:
        leg, decision = prepared.leg, prepared.decision
        due = prepared.due(self.created_at)
        return self.delivery(
            leg.leg,
            leg.conversation,
            prepared.parts,
            due,
            degradations=prepared.degradations,
            expires_at=expires,
            state=DeliveryState.QUEUED if is_open else DeliveryState.WAITING,
            opened_at=due if is_open else None,
            reason=decision.reason if isinstance(decision, Defer) else None,
        )

    def delivery(self, leg: int, ref: ConversationRef, parts: Sequence[Part], due: datetime, **fields: Any) -> Delivery:
        """One leg."""
        id = self._ids()
        return Delivery(
            id=id,
            dispatch=self.id,
            leg=leg,
            channel=ref.channel,
            address=ref.address,
            conversation=ref,
            parts=tuple(parts),
            key=id,
            # Order before urgency: what is to stay in line is of one class.
            importance=self.message.importance if self.message.order_key is None else Importance.NORMAL,
            order_key=self.message.order_key,
            due=due,
            **fields,
        )

    def dispatch(
        self, recipient: str, key: str | None, origin: Origin | None = None, *, derived: bool = False, **fields: Any
    ) -> Dispatch:
        """All of it.

        Args:
            recipient: As `recipient_key` has it.
            key: The caller's, or the one made for it; None for none.
            origin: In whose handler this is, or what it answers.
            derived: Whether *key* was made from the event that is handled.
            fields: What `legs` gave, the fingerprint, and the group.
        """
        return Dispatch(
            id=self.id,
            key=key or self.id,
            recipient=recipient,
            message=self.message,
            created_at=self.created_at,
            origin=origin.event.key if origin is not None and derived else None,
            automatic=origin is not None and origin.automatic,
            **fields,
        )


def content_of(message: Message, route: Route) -> str:
    """The fingerprint of what is sent, and of the way."""
    return fingerprint(to_json(message), json.dumps(route_to_json(route)))


def fingerprint(*content: object) -> str:
    """What tells *content* from other content under the same key."""
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()
