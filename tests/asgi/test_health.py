"""Health: what a balancer may know, and what only those who are asked for it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from convergekit import Hub, MemoryStore
from convergekit.adapters.webhook import WebhookAdapter
from tests.asgi_kit import Answer, call

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + "A" * 44


def hub() -> Hub:
    return Hub(store=MemoryStore())


async def ask(app: Any, path: str, method: str = "GET") -> Answer:
    return await call(app, path, b"", method=method)


async def test_it_is_off_unless_asked_for() -> None:
    async with hub() as it:
        assert (await ask(it.asgi(), "/-/live")).status == 404


async def test_it_is_ready_while_the_hub_takes_in_and_alive_all_the_time() -> None:
    it = hub()
    app = it.asgi(health=True)
    await it.add_channel("shop", {"adapter": "webhook", "secrets": [SECRET]})

    async def now() -> list[int]:
        asked = [await ask(app, path) for path in ("/-/live", "/-/ready", "/-/ready/")]
        called = await call(app, "/shop")
        late = [each for each in (*asked, called) if each.status == 503]
        assert all(each.headers["retry-after"] == "5" for each in late)
        return [each.status for each in (*asked, called)]

    assert await now() == [200, 503, 503, 503]
    async with it:
        assert await now() == [200, 200, 200, 401]
        await it._engine.drain()
        assert await now() == [200, 503, 503, 503]
    assert await now() == [200, 503, 503, 503]


async def test_while_channels_are_being_opened_nothing_is_ready() -> None:
    opening, opened = anyio.Event(), anyio.Event()

    class Slow(WebhookAdapter):
        @asynccontextmanager
        async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
            opening.set()
            await opened.wait()
            async with super().__asynccontextmanager__() as it:
                yield it

    it, done = hub(), anyio.Event()
    app = it.asgi(health=True)
    await it.add_channel("shop", {"secrets": [SECRET]}, adapter=Slow)

    async def live() -> None:
        async with it:
            await done.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live)
        await opening.wait()
        assert (await ask(app, "/-/ready")).status == 503
        answer = await call(app, "/shop")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        opened.set()
        await anyio.wait_all_tasks_blocked()
        assert (await ask(app, "/-/ready")).status == 200
        assert (await call(app, "/shop")).status == 401
        done.set()


async def test_names_are_told_only_where_asked_for_and_reasons_never() -> None:
    async with hub() as it:
        await it.add_channel("shop", {"adapter": "webhook", "secrets": [SECRET]})
        assert (await ask(it.asgi(health=True), "/-/ready")).body == b"ready"
        answer = await ask(it.asgi(details=True), "/-/ready")
    assert json.loads(answer.body) == {"ready": True, "channels": {"shop": "up"}}
    assert answer.headers["content-type"] == "application/json"


async def test_one_channel_that_is_down_does_not_keep_the_others_from_their_calls() -> None:
    class Broken(WebhookAdapter):
        @asynccontextmanager
        async def __asynccontextmanager__(self) -> AsyncGenerator[Any]:
            raise RuntimeError
            yield

    async with hub() as it:
        await it.add_channel("down", {"secrets": [SECRET]}, adapter=Broken)
        answer = await ask(it.asgi(details=True), "/-/ready")
        assert not it.health().ok
    assert (answer.status, json.loads(answer.body)["channels"]["down"]) == (200, "degraded")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/-/live", "HEAD", 200), ("/-/live", "POST", 405), ("/-/else", "GET", 404), ("/-", "GET", 404)],
)
async def test_it_is_for_reading(path: str, method: str, status: int) -> None:
    answer = await ask(hub().asgi(health=True), path, method)
    assert answer.status == status
    assert answer.body == b"" or method != "HEAD"
