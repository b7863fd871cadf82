"""Messages that are sent as fast as they are taken."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import anyio

from ..measure import Side, Timer

__all__ = ["Opened", "Send", "drive", "sending"]

#: Called with numbers from 0; returns once the server has the message.
Send = Callable[[int], Awaitable[object]]
#: Opens one side, new in each round.
Opened = Callable[[], AbstractAsyncContextManager[Send]]


def sending(opened: Opened, *, senders: int, items: int, cpu: list[float] | None = None) -> Side:
    """The side whose figure is its messages a second, once it is connected.

    Args:
        opened: The side.
        senders: Tasks, each of which sends its next message when it was answered.
        items: Messages in a round.
        cpu: Gets the CPU time of each round, in microseconds a message.
    """

    async def one_round() -> float:
        async with opened() as send:
            await drive(send, senders, range(4 * senders))  # connects, and is warm
            began = time.perf_counter()
            with Timer(items) as timer:
                await drive(send, senders, range(4 * senders, 4 * senders + items))
            took = time.perf_counter() - began
        if cpu is not None:
            cpu.append(timer.figure)
        return items / took

    return one_round


async def drive(send: Send, senders: int, numbers: range) -> None:
    """Send all *numbers*, so many of them at the same time."""
    left = iter(numbers)

    async def one_after_another() -> None:
        for number in left:
            await send(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(senders):
            tasks.start_soon(one_after_another)
