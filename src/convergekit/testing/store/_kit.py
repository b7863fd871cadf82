"""What the tests of a store put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from convergekit.abc import Claim, Direction, Lease, Store
from convergekit.model import (
    Address,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    Importance,
    LegStep,
    Message,
    MessageReceived,
    Receipt,
    Status,
    fold,
)

__all__ = [
    "ANN",
    "BOB",
    "LEASE",
    "START",
    "after",
    "changed",
    "claim",
    "closed",
    "delivery",
    "dispatch",
    "event",
    "keys",
    "lease",
    "served",
    "stream",
    "taken",
    "urgent",
]

START = datetime(2026, 1, 1, tzinfo=UTC)
ANN = "tg:ann"
BOB = "tg:bob"
LEASE = 60.0


def after(seconds: float) -> datetime:
    """A moment on the tests' clock."""
    return START + timedelta(seconds=seconds)


def event(key: str, who: str = ANN, *, channel: str = "c", **fields: Any) -> MessageReceived:
    """A complete event, as admission makes it."""
    where = ConversationRef(channel=channel, address=Address(who))
    return MessageReceived(key=key, channel=channel, conversation=where, sender=where.address, text=key, **fields)


def delivery(
    id: str, who: str = ANN, *, channel: str = "c", dispatch: str = "", due: float = 0, **fields: Any
) -> Delivery:
    """One that is queued."""
    where = ConversationRef(channel=channel, address=Address(who))
    known: dict[str, Any] = {
        "dispatch": dispatch or id,
        "channel": channel,
        "conversation": where,
        "address": where.address,
    }
    return Delivery(id=id, key=id, due=after(due), **known, **fields)


def dispatch(
    id: str,
    who: str = ANN,
    *,
    key: str = "",
    wake: float | None = None,
    origin: str | None = None,
    fingerprint: str = "",
    deliveries: Sequence[Delivery] | None = None,
    **fields: Any,
) -> Dispatch:
    """A message to one recipient, with one leg unless told otherwise."""
    return Dispatch(
        id=id,
        key=key or id,
        recipient=who,
        message=Message("x"),
        plan=LegStep(leg=0),
        deliveries=tuple([delivery(id, who, **fields)] if deliveries is None else deliveries),
        created_at=START,
        wake_at=None if wake is None else after(wake),
        origin=origin,
        fingerprint=fingerprint,
    )


def changed(before: Dispatch, **fields: Any) -> Dispatch:
    """The same with its only delivery changed."""
    return before.model_copy(update={"deliveries": (before.deliveries[0].model_copy(update=fields),)})


def closed(before: Dispatch) -> Dispatch:
    """The same with its only delivery handed over."""
    return changed(before, state=DeliveryState.CLOSED)


def taken(before: Dispatch, *ids: str) -> Dispatch:
    """The same, and the medium has named it *ids*."""
    report = fold([Receipt(Status.ACCEPTED, ids=ids)])
    return changed(before, state=DeliveryState.CLOSED, report=before.deliveries[0].report | report)


async def claim(store: Store, direction: Direction = "in", *, limit: int = 100, seconds: float = LEASE,
                slots: dict[str, int] | None = None) -> Claim:  # fmt: skip
    """As many lanes as there are."""
    return await store.claim(direction, limit=limit, seconds=seconds, slots=slots)


async def lease(store: Store, direction: Direction = "in", **options: Any) -> Lease:
    """The only lane that there is to serve."""
    (only,) = (await claim(store, direction, **options)).leases
    return only


def keys(leases: Iterable[Lease]) -> list[str]:
    """What *leases* are on."""
    return [each.entry.event.key if each.entry is not None else each.delivery for each in leases]


async def served(store: Store, direction: Direction = "in", *, most: int = 10_000) -> list[str]:
    """Serve what can be served now, *most* of it, lane by lane; the order in which it came out."""
    out: list[str] = []
    while len(out) < most and (leases := (await claim(store, direction, limit=1)).leases):
        out += keys(leases)
        for each in leases:
            if each.entry is not None:
                await store.finish(each)
            else:
                assert each.dispatch is not None
                await store.save(closed(each.dispatch), lease=each, release=True)
    return out


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    """Bytes as an adapter gives them."""
    for chunk in chunks:
        yield chunk


def urgent(id: str, who: str) -> Dispatch:
    """One that overtakes others."""
    return dispatch(id, who, importance=Importance.URGENT)
