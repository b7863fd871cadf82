"""The hub's handle on a channel: how it is, and the verbs that are about no message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from .abc import (
    Adapter,
    SupportsEndpoints,
    SupportsHistory,
    SupportsLookup,
    SupportsPresence,
    SupportsRooms,
    SupportsSubscriptions,
)
from .engine.channels import ChannelRuntime, ChannelState
from .engine.intake import completed
from .errors import NotRunningError, UnsupportedContentError
from .model import Address, ConversationRef, Event, PresenceChanged

__all__ = ["Channel"]


class Channel:
    """The hub's handle on one channel.

    Its verbs ask the medium now, past the ledger, and raise what it answers: a `DeliveryError` where it could not be
    asked or refused, `UnsupportedContentError` where there is no such thing on this medium, and `NotRunningError` where
    this process does not hold the channel.
    """

    __convergekit_inject__: ClassVar[str] = "channel"

    def __init__(self, runtime: ChannelRuntime) -> None:
        self._runtime = runtime

    @property
    def name(self) -> str:
        """As the configuration has it."""
        return self._runtime.name

    @property
    def state(self) -> ChannelState:
        """How it is."""
        return self._runtime.state

    @property
    def reason(self) -> str | None:
        """Why it is not up, or None."""
        return self._runtime.reason

    @property
    def adapter(self) -> Adapter[Any] | None:
        """What connects it, while it is open: for what only this medium knows."""
        return self._runtime.adapter

    async def find(self, name: str) -> Address:
        """The address of who is called *name* on this medium now: names may change hands, addresses stay."""
        return await self._lookup.find(name)

    async def enable(self, address: Address | str) -> bool:
        """Write again to *address*, which has said that it wants no more (`EndpointDisabled`).

        What was refused meanwhile is not sent by that. Other workers learn of it within a minute.

        Returns:
            Whether it was disabled.
        """
        return await self._endpoints.enable(_address(address))

    # Rooms

    async def create_room(self, name: str, **options: Any) -> ConversationRef:
        """Make a room, and be in it; *options* are the medium's own, told on its page."""
        return self._ours(await self._rooms.create_room(name, **options))

    async def join(self, room: ConversationRef | Address | str, *, nickname: str | None = None) -> ConversationRef:
        """Enter *room*; returns what can be sent to. Joining twice is joining once."""
        return self._ours(await self._rooms.join(_address(room), nickname=nickname))

    async def leave(self, room: ConversationRef | Address | str) -> None:
        """Leave *room*. Leaving twice is leaving once."""
        await self._rooms.leave(_address(room))

    async def invite(self, room: ConversationRef | Address | str, who: Address | str, text: str | None = None) -> None:
        """Invite *who* to *room*, with a word why."""
        await self._rooms.invite(_address(room), _address(who), text)

    async def members(self, room: ConversationRef | Address | str) -> Sequence[Address]:
        """Who is in *room*, as far as the medium tells."""
        return await self._rooms.members(_address(room))

    # Presence

    async def set_presence(self, presence: str, text: str | None = None) -> None:
        """Show that we are "available", "away", "busy" or "offline", and a word about it."""
        await self._presence.set_presence(presence, text)

    async def presence_of(self, who: Address | str) -> PresenceChanged:
        """What is known of whether *who* is there; "offline" where nothing is. Asks nobody."""
        known = await self._subscriptions.presence_of(_address(who))
        return completed(known, self.name, ephemeral=True)

    async def subscribe(self, who: Address | str, text: str | None = None) -> None:
        """Ask *who* to let us see whether they are there."""
        await self._subscriptions.subscribe(_address(who), text)

    async def unsubscribe(self, who: Address | str) -> None:
        """See it no more."""
        await self._subscriptions.unsubscribe(_address(who))

    async def accept_subscription(self, who: Address | str) -> None:
        """Let *who* see whether we are there: the answer to a `SubscriptionRequested`."""
        await self._subscriptions.accept_subscription(_address(who))

    async def refuse_subscription(self, who: Address | str) -> None:
        """Do not let *who* see it, or no more."""
        await self._subscriptions.refuse_subscription(_address(who))

    # The medium's own archive

    async def history(
        self, where: ConversationRef | Address | str, *, cursor: Any = None, limit: int = 100
    ) -> tuple[Sequence[Event], Any]:
        """What the medium keeps of a conversation. Nothing of it is stored, and no handler gets it.

        Args:
            where: The conversation; an address is a direct one.
            cursor: Where to go on, as the last call returned it; None for the newest.
            limit: Events at most.

        Returns:
            Events, the newest last, and the cursor of those before them; None where there are none.
        """
        ref = where if isinstance(where, ConversationRef) else ConversationRef(address=_address(where))
        events, further = await self._history.history(ref, cursor, limit)
        return [completed(event, self.name, ephemeral=True) for event in events], further

    @property
    def _lookup(self) -> SupportsLookup:
        return cast(SupportsLookup, self._able(SupportsLookup, "names to look up"))

    @property
    def _endpoints(self) -> SupportsEndpoints:
        return cast(SupportsEndpoints, self._able(SupportsEndpoints, "endpoints that say that they want no more"))

    @property
    def _rooms(self) -> SupportsRooms:
        return cast(SupportsRooms, self._able(SupportsRooms, "rooms"))

    @property
    def _presence(self) -> SupportsPresence:
        return cast(SupportsPresence, self._able(SupportsPresence, "presence"))

    @property
    def _subscriptions(self) -> SupportsSubscriptions:
        return cast(SupportsSubscriptions, self._able(SupportsSubscriptions, "subscriptions to presence"))

    @property
    def _history(self) -> SupportsHistory:
        return cast(SupportsHistory, self._able(SupportsHistory, "history"))

    def _able(self, verbs: type[Any], what: str) -> object:
        adapter = self._runtime.adapter
        if adapter is None:
            raise NotRunningError(f"channel {self.name} is {self.state.value}{_because(self.reason)}")
        if not isinstance(adapter, verbs):
            raise UnsupportedContentError(f"{adapter.name} has no {what}", channel=self.name)
        return adapter

    def _ours(self, ref: ConversationRef) -> ConversationRef:
        return ref if ref.channel == self.name else ref.model_copy(update={"channel": self.name})

    def __repr__(self) -> str:
        return f"<Channel {self.name} {self.state.value}>"


def _address(value: ConversationRef | Address | str) -> Address:
    if isinstance(value, ConversationRef):
        return value.address
    return value if isinstance(value, Address) else Address.parse(value)


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
