"""Callers of a ledger who meet in one batch."""

from __future__ import annotations

import threading
from typing import Any

import anyio
from sqlalchemy import Connection

from convergekit.stores import SqlStore
from tests.stores.sql.test_store import together

__all__ = ["Held", "in_one_batch"]


class Held:
    """Something in the writer's hands until it is told to go on: what waits meanwhile meets in one batch."""

    def __init__(self) -> None:
        self._begun, self._on = threading.Event(), threading.Event()

    def __call__(self, connection: Connection) -> None:
        self._begun.set()
        assert self._on.wait(60)

    async def begun(self) -> None:
        await anyio.to_thread.run_sync(self._begun.wait)

    def go_on(self) -> None:
        self._on.set()


async def in_one_batch(store: SqlStore, *calls: Any) -> list[Any]:
    """Run *calls* behind something that the writer has in hand; exceptions are answers."""
    held = Held()
    answers: list[Any] = []

    async def call() -> None:
        answers.extend(await together(*calls))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.write, held)
        await held.begun()
        tasks.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        held.go_on()
    return answers
