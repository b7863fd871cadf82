"""Webhooks of a loopback channel, through the hub's own ASGI app: the whole way in, and what goes wrong on it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from convergekit import Conversation, Hub, MemoryStore, MessageReceived
from convergekit.abc import EntryState
from convergekit.adapters.loopback import Medium
from convergekit.errors import StoreError
from convergekit.testing import FakeClock
from tests.asgi_kit import Answer, call

pytestmark = pytest.mark.anyio

SECRET = "s3cret"
HELLO = {"key": "k1", "text": "hello", "sender": "loopback:ann"}


class World:
    """A hub with a channel that has a secret and one that has none."""

    def __init__(self, hub: Hub, medium: Medium) -> None:
        self.hub, self.medium, self.app = hub, medium, hub.asgi()
        self.handled: list[str] = []

    async def post(self, document: object, *, channel: str = "loop", **headers: str) -> Answer:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return await call(self.app, f"/{channel}", body, headers={"x-signature": digest, **headers})

    async def settle(self) -> None:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        await self.hub.idle()


@asynccontextmanager
async def opened(**options: Any) -> AsyncGenerator[World]:
    hub, medium = Hub(store=options.pop("store", None) or MemoryStore(), clock=FakeClock(), random=Random(1)), Medium()
    world = World(hub, medium)

    @hub.on_message
    async def handle(message: MessageReceived, conversation: Conversation) -> str:
        world.handled.append(message.key)
        return f"you said {message.text}"

    with anyio.fail_after(60):
        async with hub:
            await hub.add_channel("loop", f"loopback://{SECRET}@here", medium=medium)
            await hub.add_channel("bare", {"adapter": "loopback"})
            yield world


async def test_a_signed_call_is_handled_and_answered() -> None:
    """Alone, or several in one body; and the answer says how many."""
    async with opened() as world:
        one = await world.post(HELLO)
        two = await world.post([{**HELLO, "key": "k2"}, {**HELLO, "key": "k3", "sender": "loopback:bob"}])
        await world.settle()

        assert (one.status, one.body) == (200, b"1")
        assert (two.status, two.body) == (200, b"2")
        assert sorted(world.handled) == ["k1", "k2", "k3"]
        assert world.medium.texts("loopback:bob") == ["you said hello"]


async def test_a_repeated_call_is_answered_the_same_and_handled_once() -> None:
    """The medium did not hear our first answer."""
    async with opened() as world:
        answers = [await world.post(HELLO) for _ in range(3)]
        await world.settle()

        assert [(answer.status, answer.body) for answer in answers] == [(200, b"1")] * 3
        assert world.handled == ["k1"]


@pytest.mark.parametrize(
    ("headers", "channel", "status"),
    [
        ({"x-signature": "0" * 64}, "loop", 401),
        ({"x-signature": "ü"}, "loop", 401),
        ({"x-signature": ""}, "loop", 401),
        ({}, "bare", 401),
        ({}, "nowhere", 404),
    ],
)
async def test_what_is_not_genuine_is_refused(headers: dict[str, str], channel: str, status: int) -> None:
    """Before anything of it is read; a channel without a secret takes no webhooks."""
    async with opened() as world:
        answer = await world.post(b"not even JSON", channel=channel, **headers)
        await world.settle()

        assert answer.status == status
        assert world.handled == []


@pytest.mark.parametrize(
    "document",
    [b"", b"{", b"[1]", b"null", b"[" * 100_000, {"text": 5, "key": "k"}, {"text": "no key", "sender": "loopback:ann"}],
    ids=["empty", "cut off", "numbers", "null", "deep", "wrong type", "no key"],
)
async def test_what_makes_no_sense_is_said_to_whoever_sent_it(document: object) -> None:
    """400, and nothing of it is stored."""
    async with opened() as world:
        answer = await world.post(document)
        await world.settle()

        assert answer.status == 400
        assert (await world.hub.store.counts()).entries == {}


async def test_nothing_is_acknowledged_that_is_not_stored() -> None:
    """The medium is told to come again, and it is handled then."""

    class FailsOnce(MemoryStore):
        failed = False

        async def admit(self, channel: str, events: Any, cursor: Any = None, **options: Any) -> Any:
            if events and not self.failed:
                self.failed = True
                raise StoreError("the disk is full")
            return await super().admit(channel, events, cursor, **options)

    async with opened(store=FailsOnce()) as world:
        refused = await world.post(HELLO)
        again = await world.post(HELLO)
        await world.settle()

        assert (refused.status, again.status) == (503, 200)
        assert "retry-after" in refused.headers
        assert world.handled == ["k1"]


async def test_a_channel_that_is_gone_and_a_hub_that_is_closed_take_nothing() -> None:
    """404 and 503: the second one is worth trying again."""
    async with opened() as world:
        await world.hub.remove_channel("loop")
        gone = await world.post(HELLO)
    closed = await world.post(HELLO)

    assert (gone.status, closed.status) == (404, 503)


async def test_a_challenge_is_answered_before_anything_is_verified() -> None:
    """With what it asks for."""
    async with opened() as world:
        answer = await call(world.app, "/loop", b"", method="GET", query_string=b"challenge=42")
        assert (answer.status, answer.body) == (200, b"challenge=42")


async def test_counts_agree_with_what_came_in() -> None:
    """Ten calls, ten entries, all done."""
    async with opened() as world:
        for number in range(10):
            await world.post({**HELLO, "key": f"k{number}"})
        await world.settle()
        assert (await world.hub.store.counts()).entries["loop", EntryState.DONE] == 10
