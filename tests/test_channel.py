"""A channel's handle: the verbs that are about no message."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit import Channel, Hub, sync
from convergekit.adapters.loopback import LoopbackAdapter, Medium
from convergekit.errors import InvalidInputError, NotRunningError, RejectedError, UnsupportedContentError
from convergekit.model import Address, ConversationKind, Event, SubscriptionRequested
from convergekit.router import Router
from convergekit.stores import MemoryStore

pytestmark = pytest.mark.anyio

ROOM = "loopback:lobby"
ANN = Address("loopback:ann")
SECRET = "whsec_" + "A" * 43 + "="


async def opened(hub: Hub, medium: Medium) -> Any:
    return await hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)


async def test_rooms_are_entered_and_left_by_the_channel() -> None:
    medium = Medium()
    async with Hub(store=MemoryStore()) as hub:
        channel = await opened(hub, medium)
        made = await channel.create_room("lobby")
        assert (made.channel, made.kind, made.address.uri) == ("chat", ConversationKind.GROUP, ROOM)
        assert await channel.join(ROOM) == made
        await channel.invite(ROOM, ANN, "come in")
        assert [each.uri for each in await channel.members(ROOM)] == ["loopback:chat", ANN.uri]
        await channel.leave(ROOM)
        assert [each.uri for each in await channel.members(Address(ROOM))] == [ANN.uri]
        await hub.send("hello", to=made)
        assert medium.only().to.uri == ROOM


async def test_a_room_is_named_by_what_join_returned() -> None:
    async with Hub(store=MemoryStore()) as hub:
        channel = await opened(hub, Medium())
        room = await channel.create_room("lobby")
        assert await channel.join(room) == room
        await channel.invite(room, ANN)
        assert ANN in await channel.members(room)
        await channel.leave(room)
        assert await channel.members(room) == (ANN,)


async def test_presence_is_shown_and_asked_for() -> None:
    medium = Medium(presence={ANN.uri: "away"})
    async with Hub(store=MemoryStore()) as hub:
        channel = await opened(hub, medium)
        await channel.set_presence("busy", "until four")
        assert medium.presence["chat"] == "busy"
        known = await channel.presence_of(ANN)
        assert (known.presence, known.sender, known.channel) == ("away", ANN, "chat")
        assert (await channel.presence_of("loopback:bob")).presence == "offline"


async def test_a_handler_decides_who_may_see_us() -> None:
    medium, router = Medium(), Router()

    @router.on_event(SubscriptionRequested)
    async def asked(event: SubscriptionRequested, channel: Channel) -> None:
        assert event.sender is not None
        if event.sender == ANN:
            await channel.accept_subscription(event.sender)
        else:
            await channel.refuse_subscription(event.sender)

    async with Hub(store=MemoryStore(), router=router) as hub:
        channel = await opened(hub, medium)
        for who in (ANN.uri, "loopback:eve"):
            medium.say(type="subscription.requested", sender=who)
        await hub.idle()
        assert medium.subscriptions == {("chat", ANN.uri): "accepted"}
        await channel.subscribe("loopback:bob", "may I?")
        assert medium.subscriptions["chat", "loopback:bob"] == "asked"
        await channel.unsubscribe("loopback:bob")
        assert ("chat", "loopback:bob") not in medium.subscriptions


async def test_the_mediums_history_comes_page_by_page() -> None:
    medium = Medium()
    for number in range(3):
        medium.post(sender=ANN.uri, text=str(number))
    async with Hub(store=MemoryStore()) as hub:
        channel = await opened(hub, medium)
        newest, cursor = await channel.history(ANN, limit=2)
        older, end = await channel.history(ANN, cursor=cursor, limit=2)
    found: list[Event] = [*older, *newest]
    assert [getattr(event, "text", None) for event in found] == ["0", "1", "2"]
    assert {event.channel for event in found} == {"chat"}
    assert end is None


async def test_what_cannot_be_done_says_so() -> None:
    async with Hub(store=MemoryStore()) as hub:
        channel = await hub.add_channel(
            "shop", {"adapter": "webhook", "url": "https://example.org/hook", "secrets": [SECRET]}
        )
        for call in (channel.join(ROOM), channel.set_presence("away"), channel.presence_of(ANN), channel.history(ANN)):
            with pytest.raises(UnsupportedContentError, match="webhook has no "):
                await call
        chat = await opened(hub, Medium())
        with pytest.raises(InvalidInputError):
            await chat.join("no address")
    with pytest.raises(NotRunningError, match="channel chat is closed"):
        await chat.join(ROOM)


def test_blocking_code_has_the_same_verbs() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Channel) == public(sync.Channel)
    medium = Medium()
    with sync.Hub(store="memory:") as hub:
        channel = hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
        room = channel.create_room("lobby")
        assert channel.join(ROOM) == room
        channel.invite(ROOM, ANN)
        assert ANN in channel.members(ROOM)
        channel.leave(ROOM)
        channel.set_presence("away")
        assert channel.presence_of(ANN).presence == "offline"
        for verb in (channel.subscribe, channel.unsubscribe, channel.accept_subscription, channel.refuse_subscription):
            verb(ANN)
        assert channel.history(ANN) == ([], None)
        assert isinstance(hub.channel("chat").adapter, LoopbackAdapter)
        assert (channel.name, channel.state.value, channel.reason) == ("chat", "up", None)


def test_who_wants_no_more_is_written_to_again_when_somebody_says_so() -> None:
    """Also from blocking code."""
    medium = Medium(gone={ANN.uri})
    with sync.Hub(store=MemoryStore()) as hub:
        channel = hub.add_channel("chat", {"adapter": "loopback"}, medium=medium)
        with pytest.raises(RejectedError, match="wants no more"):
            hub.send("hello", to=ANN)
        assert channel.enable(ANN.uri)
        assert not channel.enable(ANN)
        hub.send("hello", to=ANN)
        assert medium.texts() == ["hello"]
