"""What was said: the archive's view of entries and dispatches, the same for every store. Pure.

Rules kept here:

- A *party* is an address that something has to do with: who said it, to whom, in which conversation, shown as copied.
  An XMPP address with a resource is also the one without (RFC 7622 §3.4).
- A *tombstone* is what stays: ids, states, times, the shape of the plan. It holds no word, no address, no id of a
  provider, and nothing that a handler or a medium could make something of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from convergekit.abc import Found, Store
from convergekit.content.words import Phrase, body_text, highlights, searchable
from convergekit.errors import InvalidInputError
from convergekit.model import (
    ERASED,
    Address,
    Content,
    ConversationRef,
    Delivery,
    DeliveryState,
    Dispatch,
    DispatchState,
    Event,
    Failure,
    FailureKind,
    Message,
    MessageEdited,
    MessageReceived,
    Operation,
    Part,
    ReceiptReceived,
    Report,
    Status,
)
from convergekit.model.receipt import PartReport
from convergekit.router import StoredContacts

__all__ = [
    "Described",
    "Row",
    "described",
    "forget_contacts",
    "found_in",
    "is_moving",
    "is_open",
    "place_after",
    "reports_on",
    "tombstone",
    "withdrawn",
]

#: What the ledger holds: something that came in, or something that goes out.
Row: TypeAlias = Event | Dispatch
_SAYS: Final = (Operation.SEND, Operation.EDIT)
_OPEN: Final = (DeliveryState.WAITING, DeliveryState.QUEUED)
_MOVING: Final = (*_OPEN, DeliveryState.SENDING)
_IN_HANDS: Final = (*_MOVING, DeliveryState.UNKNOWN, DeliveryState.DEAD)


class Described(NamedTuple):
    """One row of the ledger, as the archive sees it.

    Args:
        direction: Which way it was said; None for what says nothing, such as a receipt.
        channels: By which channels; the first is the one that counts for retention.
        parties: URIs of all that it has to do with.
        conversations: Keys.
        about: What else leads to it: (channel, id of a delivery or of the provider).
        words: By which it is found, with spaces between.
    """

    direction: Literal["in", "out"] | None
    channels: Sequence[str]
    parties: Sequence[str]
    conversations: Sequence[str]
    about: Sequence[tuple[str, str]] = ()
    words: str = ""


def described(row: Row) -> Described:
    """What *row* is to the archive."""
    return _dispatch(row) if isinstance(row, Dispatch) else _event(row)


def _event(event: Event) -> Described:
    where, parties = event.conversation, _unique(_parties_of(event))
    conversations = () if where is None else (where.key,)
    if isinstance(event, MessageReceived | MessageEdited):
        return Described("in", (event.channel,), parties, conversations, (), searchable(event))
    return Described(None, (event.channel,), parties, conversations, tuple(_reported(event)))


def _parties_of(event: Event) -> list[str]:
    found = []
    if event.sender is not None:
        found.append(event.sender.uri)
    if event.conversation is not None:
        found.append(event.conversation.address.uri)
    if type(event) is MessageReceived:  # which has no others, and comes a thousand times as often
        return found + [each.uri for each in (*event.to, *event.cc)] if event.to or event.cc else found
    if isinstance(event, Content):
        found += [each.uri for each in event.cc]
    others = (getattr(event, name) for name in type(event).model_fields)
    return found + [each.uri for each in others if isinstance(each, Address)]


def _reported(event: Event) -> Iterator[tuple[str, str]]:
    if isinstance(event, ReceiptReceived):
        receipt = event.receipt
        yield from ((event.channel, each) for each in receipt.ids)
        if receipt.delivery is not None:
            yield event.channel, receipt.delivery
    elif (delivery := getattr(event, "delivery", None)) is not None:
        yield event.channel, str(delivery)


def reports_on(dispatch: Dispatch) -> Iterator[tuple[str, str]]:
    """What receipts of *dispatch* are found by: see `Described.about`."""
    for delivery in dispatch.deliveries:
        yield delivery.channel, delivery.id
        yield from ((delivery.channel, each) for each in delivery.report.ids)


def _dispatch(dispatch: Dispatch) -> Described:
    deliveries, message = dispatch.deliveries, dispatch.message
    says = any(each.operation in _SAYS for each in deliveries)
    parties = [uri for each in deliveries for uri in (each.address.uri, each.conversation.address.uri)]
    return Described(
        "out" if says else None,
        tuple(dict.fromkeys(each.channel for each in deliveries)) or ("",),
        _unique(
            [
                *parties,
                *(each.uri for each in (*message.to, *message.cc)),
                *([] if deliveries else [dispatch.recipient]),
            ]
        ),
        tuple(dict.fromkeys(each.conversation.key for each in deliveries)),
        (),
        searchable(message) if says else "",
    )


def _unique(names: Iterable[str]) -> Sequence[str]:
    """Each party once."""
    found = dict.fromkeys(names)
    for name in list(found):
        if name.startswith("xmpp:") and "/" in name:
            found[name.partition("/")[0]] = None
    return tuple(found)


def found_in(id: str, row: Row, at: datetime, asked: Sequence[Phrase]) -> Found:
    """What a search answers with for *row*, which says something."""
    if isinstance(row, Dispatch):
        leg = max(row.current, key=lambda each: (each.status is not Status.FAILED, each.status))
        text = body_text(row.message)
        return Found(
            id=id,
            direction="out",
            at=at,
            channel=leg.channel,
            conversation=leg.conversation,
            address=leg.address,
            content=row.message,
            text=text,
            highlights=highlights(asked, text),
        )
    assert isinstance(row, MessageReceived | MessageEdited)
    text = body_text(row)
    return Found(
        id=id,
        direction="in",
        at=at,
        channel=row.channel,
        conversation=row.conversation,
        address=row.sender,
        content=row,
        text=text,
        highlights=highlights(asked, text),
    )


def place_after(after: str) -> int:
    """The place behind which a page begins; raises `InvalidInputError` for what is no `next` of another."""
    try:
        return int(after, 16)
    except ValueError:
        raise InvalidInputError("after= is what `next` of a page was, and nothing else") from None


def is_open(dispatch: Dispatch) -> bool:
    """Whether something may still be done about *dispatch*: by the engine or by a person."""
    return dispatch.wake_at is not None or any(each.state in _IN_HANDS for each in dispatch.deliveries)


def is_moving(dispatch: Dispatch) -> bool:
    """Whether something of *dispatch* is queued, or being sent."""
    return any(each.state in _MOVING for each in dispatch.deliveries)


def withdrawn(dispatch: Dispatch) -> Dispatch | None:
    """*dispatch* with all cancelled that is queued; None where nothing is, or where it is being sent."""
    if any(each.state is DeliveryState.SENDING for each in dispatch.deliveries):
        return None
    deliveries = tuple(_cancelled(each) for each in dispatch.deliveries)
    if dispatch.wake_at is None and deliveries == dispatch.deliveries:
        return None
    state = dispatch.state if dispatch.state.is_final else DispatchState.CANCELLED
    return dispatch.model_copy(update={"deliveries": deliveries, "state": state, "wake_at": None})


def _cancelled(delivery: Delivery) -> Delivery:
    if delivery.state not in _OPEN:
        return delivery
    failure = Failure(kind=FailureKind.CANCELLED)
    return delivery.model_copy(update={"state": DeliveryState.CANCELLED, "failure": failure})


def tombstone(dispatch: Dispatch) -> Dispatch:
    """What stays of *dispatch*, of which nothing is queued or being sent; one version on."""
    return dispatch.model_copy(
        update={
            "key": "erased",
            "recipient": ERASED.uri,
            "message": Message(importance=dispatch.message.importance),
            "deliveries": tuple(_emptied(each) for each in dispatch.deliveries),
            # What waited for word of its goal will not have it.
            "state": dispatch.state if dispatch.state.is_final else DispatchState.EXHAUSTED,
            "reason": None,
            "wake_at": None,
            "origin": None if dispatch.origin is None else "erased",
            "version": dispatch.version + 1,
        }
    )


#: Nobody will decide about it any more. What was unknown stays so: `Delivery.unknown` says it.
_ENDED: Final = {DeliveryState.UNKNOWN: DeliveryState.CLOSED, DeliveryState.DEAD: DeliveryState.CANCELLED}


def _emptied(delivery: Delivery) -> Delivery:
    report = delivery.report
    parts = {index: _bare_report(each) for index, each in report.parts.items()}
    return delivery.model_copy(
        update={
            "address": ERASED,
            "conversation": ConversationRef(
                channel=delivery.conversation.channel, address=ERASED, kind=delivery.conversation.kind
            ),
            "target": (),
            "parts": tuple(Part() for _ in delivery.parts),
            "key": delivery.id,
            "state": _ENDED.get(delivery.state, delivery.state),
            "report": Report(parts=parts, whole=_bare_report(report.whole)),
            "history": tuple(each.model_copy(update={"reason": None, "code": None}) for each in delivery.history),
            "reason": None,
            "failure": _bare_failure(delivery.failure),
            "degradations": (),
        }
    )


def _bare_report(report: PartReport) -> PartReport:
    return report.model_copy(update={"ids": frozenset(), "failure": _bare_failure(report.failure), "segments": {}})


def _bare_failure(failure: Failure | None) -> Failure | None:
    return None if failure is None else Failure(kind=failure.kind)


async def forget_contacts(store: Store, addresses: Iterable[Address]) -> None:
    """Remove the contacts of *addresses*, and what is counted under an address, where the store keeps them."""
    contacts = StoredContacts(_Contacts(store))
    for address in addresses:
        contact = await contacts.by_address(address)
        if contact is not None:
            await contacts.remove(contact.id)


class _Contacts:
    """The scope of the store in which a hub keeps contacts, unless it is told otherwise."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: str) -> tuple[object, int]:
        return await self._store.get("contacts", key)

    async def put(self, key: str, value: object, *, version: int | None = None) -> bool:
        return await self._store.put("contacts", key, value, version=version)
