"""Between the model and the tables: pure, done by whoever calls the store, so that the writer only writes."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from convergekit.abc import Lane
from convergekit.model import Delivery, DeliveryState, Dispatch, Event
from convergekit.model.wire import event_to_json, to_json

from .schema import ENDED_BADLY

if TYPE_CHECKING:
    from .said import Said

__all__ = [
    "DIRECTIONS",
    "IMPORTANCES",
    "REMEMBERED",
    "DeliveryRow",
    "DispatchRow",
    "EntryRow",
    "address_key",
    "delivery_row",
    "dispatch_row",
    "dispatch_values",
    "entry_row",
    "hashed",
    "lane_key",
    "micros",
    "moment",
]

DIRECTIONS: Final = ("in", "out")
IMPORTANCES: Final = ("urgent", "normal", "bulk")
#: Characters of a name that is remembered: a stranger may choose threads of thousands, another for each message.
REMEMBERED: Final = 512
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OPEN: Final = (DeliveryState.QUEUED, DeliveryState.SENDING)


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(number: int) -> datetime:
    """The moment so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=number)


def hashed(*words: str) -> str:
    """128 bits of *words*, in 22 characters; what must be found again, and not be read."""
    text = "\x00".join(words).encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(blake2b(text, digest_size=16).digest())[:22].decode()


def lane_key(lane: Lane) -> str:
    """What a lane is called in the tables."""
    return _hashed(*lane) if len(lane.conversation) <= REMEMBERED else hashed(*lane)


def address_key(channel: str, uri: str) -> str:
    """What an address on a channel is called in the tables."""
    return (_hashed if len(uri) <= REMEMBERED else hashed)("address", channel, uri)


@lru_cache(maxsize=131_072)
def _hashed(*words: str) -> str:
    return hashed(*words)


class EntryRow(NamedTuple):
    """An event about to be admitted."""

    hash: str
    lane: Lane
    event: Event
    body: str
    said: Said | None = None  # made by whoever calls the store


class DeliveryRow(NamedTuple):
    """One delivery, as far as the tables want to know."""

    id: str
    dispatch: str
    channel: str
    address: str
    state: str
    is_opened: bool
    is_open: bool
    due: int
    hold: int | None
    lane: Lane
    named: tuple[str, ...]


class DispatchRow(NamedTuple):
    """A dispatch about to be stored."""

    dispatch: Dispatch
    dedupe: str
    wake_at: int | None
    body: str
    deliveries: Sequence[DeliveryRow]
    said: Said | None = None


def entry_row(channel: str, event: Event, said: Said | None = None) -> EntryRow:
    """*event* as a row; it is complete."""
    conversation = event.lane
    if conversation is None:
        conversation = event.conversation.key if event.conversation is not None else ""
    lane = Lane("in", channel, conversation)
    return EntryRow(hashed("event", channel, event.key), lane, event, event_to_json(event), said)


def dispatch_row(dispatch: Dispatch, said: Said | None = None) -> DispatchRow:
    """*dispatch* as rows."""
    # A key that we made ourselves cannot come twice, and in order of time it is cheaper to keep.
    is_ours = dispatch.key == dispatch.id
    dedupe = dispatch.id if is_ours else hashed("key", dispatch.key, dispatch.recipient)
    wake_at = None if dispatch.wake_at is None else micros(dispatch.wake_at)
    failed = {each.id for each in dispatch.failed}
    deliveries = [delivery_row(each, has_failed=each.id in failed) for each in dispatch.deliveries]
    return DispatchRow(dispatch, dedupe, wake_at, to_json(dispatch), deliveries, said)


def dispatch_values(row: DispatchRow, *, placed: bool) -> dict[str, Any]:
    """*row* for its table; not *placed* as long as nothing of it is in a lane."""
    dispatch = row.dispatch
    return {
        "id": dispatch.id,
        "dedupe": row.dedupe,
        "fingerprint": dispatch.fingerprint,
        "version": dispatch.version,
        "wake_at": row.wake_at,
        "placed": placed,
        "recipient": dispatch.recipient,
        "body": row.body,
    }


def delivery_row(delivery: Delivery, *, has_failed: bool = False) -> DeliveryRow:
    """*delivery* as a row; *has_failed* where it is one of `Dispatch.failed`."""
    channel, state = delivery.channel, delivery.state.value
    ids = delivery.report.ids
    return DeliveryRow(
        delivery.id,
        delivery.dispatch,
        channel,
        address_key(channel, delivery.address.uri),
        ENDED_BADLY.get(state, state) if has_failed else state,
        delivery.state is not DeliveryState.WAITING,
        delivery.state in _OPEN,
        micros(delivery.due),
        None if delivery.hold_until is None else micros(delivery.hold_until),
        Lane("out", channel, delivery.lane_key, delivery.importance.value),
        tuple(sorted(hashed("id", channel, each) for each in ids)) if ids else (),
    )
