"""Admission: what the medium delivers becomes an entry of the ledger, once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import anyio

from convergekit.abc import Admission, Cursor, Fence, Store
from convergekit.errors import InvalidInputError, NotRunningError
from convergekit.model import Address, ChannelChanged, ConversationRef, EndpointDisabled, Event, ReceiptReceived
from convergekit.model import Content as ModelContent

from .blobs import checked_in, is_large, native_checked_in

__all__ = ["Intake", "completed"]

_EPHEMERAL: Final = 1024
#: How keys begin of what we tell ourselves, by ids that the other side may know. Whoever chooses the keys of his events
#: could else choose one of these first, and ours would be taken for a repeat.
_OURS: Final = ("channel:", "dead:", "delivery:", "endpoint:", "media:", "opted-out:", "theirs:")
_TOLD_BY_US: Final = (ChannelChanged, EndpointDisabled)
EventT = TypeVar("EventT", bound=Event)


class Intake:
    """The door through which every event comes.

    Args:
        store: The ledger.
        admitted: Called after something new was stored.
        noticed: Called after an ephemeral event came.
        offered: Given an event with attachments, what is to be changed in it and stored with it (`Media.offered`).
    """

    def __init__(
        self,
        store: Store,
        *,
        admitted: Callable[[], None],
        noticed: Callable[[], None],
        offered: Callable[[Event], tuple[Mapping[str, Any], Sequence[Event]]] = lambda event: ({}, ()),
    ) -> None:
        self._store = store
        self._offered = offered
        self._admitted = admitted
        self._noticed = noticed
        self._ephemeral: OrderedDict[tuple[Any, ...], Event] = OrderedDict()
        self.is_open = True
        self._under_way = 0
        self._quiet = anyio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether no admission is under way."""
        return not self._under_way

    async def idle(self) -> None:
        """Return once no admission is under way."""
        while self._under_way:
            self._quiet = anyio.Event()
            await self._quiet.wait()

    async def admit(
        self, channel: str, events: Sequence[Event], cursor: Cursor | None = None, *, fence: Fence | None = None
    ) -> tuple[Admission, ...]:
        """See `ChannelContext.admit` and `Store.admit`."""
        if not self.is_open:
            raise NotRunningError("the hub is closing and takes nothing in; offer the event again later")
        self._under_way += 1
        try:
            return await self._admit(channel, events, cursor, fence)
        finally:
            self._under_way -= 1
            self._admitted()  # also for a caller who was cancelled just after they were stored
            if not self._under_way:
                self._quiet.set()

    async def _admit(
        self, channel: str, events: Sequence[Event], cursor: Cursor | None, fence: Fence | None
    ) -> tuple[Admission, ...]:
        complete = [completed(event, channel) for event in events]
        offers: list[Event] = []
        for index, event in enumerate(complete):
            if is_large(event.native):
                native = await native_checked_in(event.native, self._store)
                complete[index] = event = _copied(event, {"native": native})
            if isinstance(event, ModelContent) and event.attachments:
                event = await checked_in(event, self._store)
                update, more = self._offered(event)
                complete[index] = _copied(event, update) if update else event
                offers += more
        return (await self._store.admit(channel, [*complete, *offers], cursor, fence=fence))[: len(complete)]

    def notify(self, channel: str, event: Event) -> None:
        """See `ChannelContext.notify`."""
        event = completed(event, channel, ephemeral=True)
        about = (event.type, channel, event.conversation, event.sender)
        self._ephemeral.pop(about, None)
        self._ephemeral[about] = event
        if len(self._ephemeral) > _EPHEMERAL:
            self._ephemeral.popitem(last=False)
        self._noticed()

    def next_notice(self) -> Event | None:
        """Take out the oldest ephemeral event that nothing newer has replaced."""
        return self._ephemeral.popitem(last=False)[1] if self._ephemeral else None


def completed(event: EventT, channel: str, *, ephemeral: bool = False) -> EventT:
    """*event* with its channel, a key that is none of ours, and a direct conversation where it named none."""
    if not event.key and not ephemeral:
        raise InvalidInputError(f"{channel}: an event of type {event.type} has no key, so a repeat could not be told")
    update: dict[str, Any] = {}
    if event.key.startswith(_OURS) and not isinstance(event, _TOLD_BY_US):
        update["key"] = f"theirs:{event.key}"
    if event.channel != channel:
        update["channel"] = channel
    if event.lane is None and isinstance(event, ReceiptReceived):
        # Not in the conversation's own lane: a handler that waits there for its reply to arrive would wait for ever.
        update["lane"] = "receipts" if event.conversation is None else f"receipts|{event.conversation.key}"
    conversation = event.conversation
    if conversation is None:
        if event.sender is not None:
            update["conversation"] = _direct(channel, event.sender.uri, event.sender.display_name)
    elif conversation.channel != channel:
        update["conversation"] = conversation.model_copy(update={"channel": channel})
    return _copied(event, update) if update else event


@lru_cache(maxsize=4096)
def _direct(channel: str, uri: str, display_name: str | None) -> ConversationRef:
    """The conversation with one person; made once for all that they write."""
    return ConversationRef(channel=channel, address=Address(uri, display_name=display_name))


def _copied(event: EventT, update: Mapping[str, Any]) -> EventT:
    """What `model_copy` does, at a third of its cost: this is done for nearly every event that comes in."""
    copied = event.__class__.__new__(event.__class__)
    object.__setattr__(copied, "__dict__", {**event.__dict__, **update})
    object.__setattr__(copied, "__pydantic_fields_set__", event.__pydantic_fields_set__ | update.keys())
    object.__setattr__(copied, "__pydantic_extra__", event.__pydantic_extra__)
    object.__setattr__(copied, "__pydantic_private__", event.__pydantic_private__)
    return copied
