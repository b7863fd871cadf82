"""Mail that comes in two ways at once: neither stands or falls with the other's server."""

from __future__ import annotations

import random
from typing import Final

from anyio import create_task_group
from anyio.abc import TaskStatus

from convergekit.abc import ChannelContext, Listens, RetryPolicy
from convergekit.errors import AccountError, DeliveryError

__all__ = ["listen_both"]

_AGAIN: Final = RetryPolicy(base=1.0, cap=300.0)
_STABLE: Final = 60.0  # seconds after which a connection that breaks has been a good one


class _Once(TaskStatus[None]):
    """Tells whoever waits once, however often it is told."""

    def __init__(self, status: TaskStatus[None]) -> None:
        self._status: TaskStatus[None] | None = status

    def started(self, value: None = None) -> None:
        """It listens, or will as soon as it can."""
        status, self._status = self._status, None
        if status is not None:
            status.started()


async def listen_both(
    mailbox: Listens, listener: Listens, context: ChannelContext, *, task_status: TaskStatus[None]
) -> None:
    """Listen by both, until cancelled.

    A mail server that is away (`DeliveryError`) is asked again from here, while *listener* goes on.
    What a person has to mend ends both.
    """

    async def read_on(*, task_status: TaskStatus[None]) -> None:
        told, clock, failures = _Once(task_status), context.clock, 0
        while True:
            begun = clock.monotonic()
            try:
                await mailbox.listen(task_status=told)
            except AccountError:
                raise
            except DeliveryError as error:
                failures = 1 if clock.monotonic() - begun >= _STABLE else failures + 1
                context.log.warning("nothing comes by IMAP now: %s", error)
            told.started()
            await clock.sleep(_AGAIN.delay(failures, random.random))

    async with create_task_group() as tasks:
        await tasks.start(lambda *, task_status: listener.listen(task_status=task_status))
        await tasks.start(read_on)
        task_status.started()
