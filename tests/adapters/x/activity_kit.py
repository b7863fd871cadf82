"""An account at the server that plays X, and the app that it calls, on one clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from anyio.abc import TaskGroup, TaskStatus

from convergekit.abc import Admission, Cursor
from convergekit.adapters.x import XAdapter, XConfig
from convergekit.asgi import WebhookApp
from convergekit.model import Event
from convergekit.testing import FakeClock, FakeContext
from convergekit.testing.x import Account, Person, XServer

URL = "https://bot.example.org/fake"


class Desk:
    """The adapter, open, and all around it.

    Attributes:
        server: X.
        account: Ours there.
        ann: Somebody.
        adapter: Under test.
        context: What it was lent.
        troubles: How `listen` has ended, each time.
    """

    server: XServer
    account: Account
    ann: Person
    adapter: XAdapter
    context: FakeContext

    def __init__(self, tasks: TaskGroup) -> None:
        self.troubles: list[BaseException] = []
        self.is_listening = anyio.Event()
        self._tasks = tasks
        self._scope: anyio.CancelScope | None = None

    async def admit(self, *events: Event) -> tuple[Admission, ...]:
        return await self.context.admit(*events)

    def receiver(self, channel: str) -> Desk:
        return self

    async def listen(self) -> None:
        """Start `listen` in the background, once."""
        self.is_listening = anyio.Event()
        self._tasks.start_soon(self._listen)
        await settled()

    async def _listen(self) -> None:
        desk = self

        class Status(TaskStatus[None]):
            def started(self, value: None = None) -> None:
                desk.is_listening.set()

        with anyio.CancelScope() as self._scope:
            try:
                await self.adapter.listen(task_status=Status())
            except Exception as error:
                self.troubles.append(error)

    async def stop(self) -> None:
        assert self._scope is not None
        self._scope.cancel()
        await settled()

    async def after(self, seconds: float) -> None:
        """Let so much time pass, and what is then to be done be done."""
        self.context.clock.advance(seconds)
        await settled()

    @property
    def admitted(self) -> Sequence[str]:
        return [event.key for event in self.context.admitted]

    async def poll(self, feed: str) -> list[Event]:
        """Poll as the engine does, until there is no more."""
        found: list[Event] = []
        while True:
            cursor = await self.context.cursor(feed)
            polled = await self.adapter.poll(feed, cursor)
            if polled.events or polled.cursor != cursor:
                await self.context.admit(*polled.events, cursor=Cursor(polled.cursor, feed))
            found += polled.events
            if not polled.more:
                return found


async def settled() -> None:
    """All have done what they can do now."""
    await anyio.wait_all_tasks_blocked()


def settings_of(server: XServer, account: Account, **more: Any) -> dict[str, Any]:
    return {
        "oauth1": account.oauth1,
        "bearer_token": server.bearer_token,
        "user_id": account.id,
        "webhook_url": URL,
        **more,
    }


@asynccontextmanager
async def desk(
    *, context: FakeContext | None = None, server: XServer | None = None, **more: Any
) -> AsyncGenerator[Desk]:
    """Everything, at the beginning; or a restart, where *context* and *server* are those of another desk."""
    clock = context.clock if context is not None else FakeClock()
    async with anyio.create_task_group() as tasks:
        it = Desk(tasks)
        it.server = server or XServer(now=clock.now, sleep=clock.sleep)
        it.account = it.server.account("support") if server is None else server.only_account
        it.ann = it.server.user("ann")
        it.context = context or FakeContext(transport=it.server.transport, clock=clock)
        it.server.activity.callbacks = httpx.ASGITransport(WebhookApp(it))  # type: ignore[arg-type]
        config = XConfig.model_validate(settings_of(it.server, it.account, **more))
        async with XAdapter(config, it.context) as it.adapter:
            yield it
            tasks.cancel_scope.cancel()
