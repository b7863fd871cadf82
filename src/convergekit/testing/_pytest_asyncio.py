"""A hub in the loop of a test that pytest-asyncio runs. Loaded only where that plugin is.

It enters and leaves a fixture in different tasks, which a task group does not survive; so the hub lives in a task of
its own. anyio has no task without a group around it, which is why asyncio's own stands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Literal, get_args

import pytest_asyncio

if TYPE_CHECKING:
    from .recording import RecordingHub

__all__: list[str] = []

Scope = Literal["function", "class", "module", "package", "session"]


def _living_in(scope: Scope) -> Any:
    """The fixture for tests whose loop has this scope."""

    @pytest_asyncio.fixture(name=f"_convergekit_in_asyncio_{scope}", loop_scope=scope)
    async def live(recording_hub: RecordingHub) -> AsyncGenerator[RecordingHub]:
        opened, over = asyncio.Event(), asyncio.Event()

        async def life() -> None:
            async with recording_hub:
                opened.set()
                await over.wait()

        living = asyncio.ensure_future(life())
        living.add_done_callback(lambda _: opened.set())
        await opened.wait()
        if living.done():
            await living  # raises what kept it from opening
        yield recording_hub
        over.set()
        await living

    return live


globals().update({f"_convergekit_in_asyncio_{scope}": _living_in(scope) for scope in get_args(Scope)})
