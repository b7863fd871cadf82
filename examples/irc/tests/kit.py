"""An adapter as the engine would have it: entered, and listening."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskStatus
from convergekit_irc import IrcAdapter, IrcConfig
from people import Person
from pydantic import SecretStr

from convergekit.testing import FakeContext

__all__ = ["Ear", "entered", "listening", "settings", "settled"]


def settings(port: int, **more: Any) -> IrcConfig:
    """Of somebody called "bot" on the server at *port*."""
    if "password" in more:
        more["password"] = SecretStr(more["password"])
    return IrcConfig(**{"host": "127.0.0.1", "port": port, "nick": "bot", "tls": False, **more})


@asynccontextmanager
async def entered(config: IrcConfig, context: FakeContext | None = None) -> AsyncGenerator[IrcAdapter]:
    """An adapter inside its `async with`, for ten seconds at most."""
    with anyio.fail_after(10):
        async with IrcAdapter(config, context or FakeContext()) as adapter:
            yield adapter


@asynccontextmanager
async def listening(config: IrcConfig, context: FakeContext | None = None) -> AsyncGenerator[IrcAdapter]:
    """The same, and it listens."""
    async with entered(config, context) as adapter, anyio.create_task_group() as tasks:
        await tasks.start(lambda *, task_status: adapter.listen(task_status=task_status))
        yield adapter
        tasks.cancel_scope.cancel()


# [settled]
async def settled(adapter: IrcAdapter, *people: Person) -> None:
    """Return once all that *people* have said has been admitted: what is said keeps its order all the way."""
    for each in people:
        await each.heard()
    await adapter.check()
    await anyio.wait_all_tasks_blocked()


# [settled end]


class Ear:
    """Listens, and says how that ended."""

    def __init__(self, adapter: IrcAdapter) -> None:
        self._adapter = adapter
        self._error: Exception | None = None
        self._ended = anyio.Event()

    async def listen(self, *, task_status: TaskStatus[None]) -> None:
        """For `TaskGroup.start`."""
        try:
            await self._adapter.listen(task_status=task_status)
        except Exception as error:
            self._error = error
        self._ended.set()

    async def end(self) -> Exception | None:
        """What it was ended by."""
        await self._ended.wait()
        return self._error
