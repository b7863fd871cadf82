"""There and back: what comes in is answered where it came in, and moves to private where the host says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest

from convergekit import Conversation, Hub, MessageReceived
from convergekit.adapters.x import X
from convergekit.model import ConversationKind
from convergekit.testing import FakeClock
from convergekit.testing.x import Account, XServer

pytestmark = pytest.mark.anyio


class World:
    def __init__(self, hub: Hub, clock: FakeClock, server: XServer, support: Account) -> None:
        self.hub, self.clock, self.server, self.support = hub, clock, server, support
        self.ann = server.user("ann")

    async def until(self, done: Callable[[], bool]) -> None:
        for _ in range(400):
            await anyio.wait_all_tasks_blocked()
            if done():
                return
            self.clock.advance(10)
        raise AssertionError("it does not come to an end")

    @property
    def posted(self) -> list[str]:
        return [post.text for post in self.server.posts if post.author is self.support]

    @property
    def written(self) -> list[str]:
        return [each.text for each in self.server.directs if each.sender is self.support]


@asynccontextmanager
async def world(hub: Hub, clock: FakeClock) -> AsyncGenerator[World]:
    server = XServer(now=clock.now, sleep=clock.sleep)
    support = server.account("support")
    async with hub:
        await hub.add_channel("x", {"adapter": "x", "oauth1": support.oauth1}, transport=server.transport)
        x = World(hub, clock, server, support)
        await x.until(lambda: server.count("GET", "/2/dm_events") > 0)
        yield x


def opened() -> tuple[Hub, FakeClock]:
    clock = FakeClock()
    return Hub(store="memory:", clock=clock, random=Random(7)), clock


async def test_each_is_answered_where_it_came_in_and_nobody_is_looked_up() -> None:
    hub, clock = opened()

    @hub.on_message(channel="x")
    async def answer(message: MessageReceived, conversation: Conversation) -> str:
        return f"{conversation.ref.kind.value}: thank you"

    async with world(hub, clock) as x:
        asked = x.ann.mention("my parcel is late")
        x.ann.direct("my name is Ann")
        await x.until(lambda: bool(x.posted and x.written))

        assert (x.posted, x.written) == (["public: thank you"], ["direct: thank you"])
        assert x.server.posts[-1].reply_to is asked
        assert x.server.count("GET", "/2/tweets/:id") == x.server.count("GET", "/2/users/:id") == 0


async def test_from_a_public_mention_into_a_private_conversation_and_it_is_known_where_from() -> None:
    hub, clock = opened()
    private: list[tuple[Conversation, X]] = []
    handed_over: list[Conversation] = []

    @hub.on_message(channel="x", kind="public")
    async def in_public(conversation: Conversation) -> None:
        handed_over.append(await conversation.hand_over("Please write to us directly:"))

    @hub.on_message(channel="x", kind="direct")
    async def in_private(message: MessageReceived, conversation: Conversation) -> str:
        private.append((conversation, X.of(message)))
        return "Thank you!"

    async with world(hub, clock) as x:
        asked = x.ann.mention("my parcel is late")
        await x.until(lambda: bool(x.posted))
        x.ann.direct("It is 42.")
        await x.until(lambda: bool(x.written))

        (invitation,) = [post for post in x.server.posts if post.author is x.support]
        assert invitation.reply_to is asked
        assert invitation.body["direct_message_deep_link"].endswith(x.support.id)
        (conversation, told), (private_one,) = private[0], handed_over
        assert conversation.ref == private_one.ref
        assert conversation.ref.kind is ConversationKind.DIRECT
        assert told.handed_over == invitation.id
        assert told.handed_over_from == f"x:{x.ann.id}#{asked.conversation_id}"


async def test_an_invitation_is_posted_once_though_its_handler_runs_again() -> None:
    hub, clock = opened()
    runs = 0

    @hub.on_message(channel="x", kind="public")
    async def in_public(conversation: Conversation) -> None:
        nonlocal runs
        runs += 1
        await conversation.hand_over("Please write to us directly:")
        if runs == 1:
            raise RuntimeError("afterwards something else fails")

    async with world(hub, clock) as x:
        x.ann.mention("my parcel is late")
        await x.until(lambda: runs == 2)
        await x.until(lambda: bool(x.posted))

        assert len(x.posted) == 1
