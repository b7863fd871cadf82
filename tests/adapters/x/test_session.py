"""Whose account it is, and that asking for it once is enough."""

from __future__ import annotations

from typing import Any

import pytest

from convergekit.adapters.x.config import XConfig
from convergekit.adapters.x.session import opened
from convergekit.errors import AuthenticationError, NotSentError
from convergekit.testing import FakeClock, FakeContext
from convergekit.testing.x import EmptyError, Nonsense, XServer

pytestmark = pytest.mark.anyio


class World:
    def __init__(self) -> None:
        clock = FakeClock()
        self.server = XServer(now=clock.now)
        self.context = FakeContext(channel="x", transport=self.server.transport, clock=clock)
        self.support = self.server.account("support", id="7")

    async def own(self, **settings: Any) -> str:
        async with opened(XConfig(**settings), self.context) as session:
            assert session.client.own == session.own
            return session.own


async def test_the_settings_may_say_it() -> None:
    world = World()

    assert await world.own(oauth1=world.support.oauth1, user_id="99") == "99"
    assert world.server.requests == []


async def test_a_token_of_oauth_1_says_it() -> None:
    world = World()

    assert await world.own(oauth1=world.support.oauth1) == "7"
    assert world.server.requests == []


async def test_x_says_it_once_and_not_again_after_a_restart() -> None:
    world = World()
    settings = {"oauth2": world.support.oauth2}

    assert [await world.own(**settings) for _ in range(3)] == ["7", "7", "7"]
    assert world.server.count("GET", "/2/users/me") == 1


async def test_other_tokens_are_another_accounts() -> None:
    world = World()
    await world.own(oauth2=world.support.oauth2)
    sales = world.server.account("sales", id="8")

    assert await world.own(oauth2=sales.oauth2) == "8"


async def test_what_is_kept_shows_nothing_of_the_tokens() -> None:
    world = World()
    settings = world.support.oauth2
    await world.own(oauth2=settings)

    kept, _ = await world.context.state.get("own")
    assert kept["id"] == "7"
    assert not any(secret in str(kept) for secret in settings.values())


async def test_tokens_that_are_refused_take_the_channel_down() -> None:
    world = World()
    world.server.script("GET", "/2/users/me", then=EmptyError())

    with pytest.raises(AuthenticationError):
        await world.own(oauth2=world.support.oauth2)


async def test_an_answer_that_does_not_say_it_is_asked_for_again_later() -> None:
    world = World()
    world.server.script("GET", "/2/users/me", Nonsense())

    with pytest.raises(NotSentError):
        await world.own(oauth2=world.support.oauth2)
