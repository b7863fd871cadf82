"""Group commit: who waits together is written together, and nobody pays for a neighbour's mistake."""

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from convergekit.errors import NotRunningError
from convergekit.stores.sql import writer as module
from convergekit.stores.sql.writer import Job, Writer

pytestmark = pytest.mark.anyio


class Number(Job[int]):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Disk:
    """What the thread writes to; it can be held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()
        self.free.set()
        self.busy = threading.Event()

    def write(self, batch: Sequence[Any]) -> None:
        self.busy.set()
        self.free.wait(60)
        self.batches.append([job.number for job in batch])
        for job in batch:
            if job.number < 0:
                job.error = ValueError(job.number)
            else:
                job.result = job.number * 2

    async def until_busy(self) -> None:
        with anyio.fail_after(60):
            await anyio.to_thread.run_sync(self.busy.wait)


@asynccontextmanager
async def running(disk: Disk) -> AsyncGenerator[Writer]:
    writer = Writer(disk.write, name="test")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.run)
        try:
            yield writer
        finally:
            disk.free.set()
            writer.close()


async def test_each_gets_its_own_answer() -> None:
    async with running(Disk()) as writer:
        assert await writer.do(Number(3)) == 6
        with pytest.raises(ValueError, match="-1"):
            await writer.do(Number(-1))
        assert await writer.do(Number(4)) == 8


async def test_what_waits_while_a_commit_runs_goes_into_the_next() -> None:
    disk = Disk()
    disk.free.clear()
    async with running(disk) as writer, anyio.create_task_group() as callers:
        callers.start_soon(writer.do, Number(0))
        await disk.until_busy()
        for number in range(1, 50):
            callers.start_soon(writer.do, Number(number))
        await wait_all_tasks_blocked()
        disk.free.set()
    assert [sorted(batch) for batch in disk.batches] == [[0], list(range(1, 50))]


async def test_a_crowd_stays_one_crowd() -> None:
    """The loop turns once after a commit, so that those who were woken are in the next batch."""
    disk = Disk()

    async def producer(writer: Writer, number: int) -> None:
        for _ in range(10):
            await writer.do(Number(number))

    async with running(disk) as writer, anyio.create_task_group() as producers:
        for number in range(16):
            producers.start_soon(producer, writer, number)
    assert len(disk.batches) <= 12
    assert sum(map(len, disk.batches)) == 160


async def test_a_batch_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 4)
    disk = Disk()
    disk.free.clear()
    async with running(disk) as writer, anyio.create_task_group() as callers:
        callers.start_soon(writer.do, Number(0))
        await disk.until_busy()
        for number in range(1, 11):
            callers.start_soon(writer.do, Number(number))
        await wait_all_tasks_blocked()
        disk.free.set()
    assert [len(batch) for batch in disk.batches] == [1, 4, 4, 2]


async def test_who_comes_when_it_is_full_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING", 5)
    disk = Disk()
    disk.free.clear()
    async with running(disk) as writer, anyio.create_task_group() as callers:
        callers.start_soon(writer.do, Number(0))
        await disk.until_busy()
        for number in range(1, 30):
            callers.start_soon(writer.do, Number(number))
        await wait_all_tasks_blocked()
        assert [len(batch.jobs) for batch in writer._waiting] == [5]
        disk.free.set()
    assert sorted(number for batch in disk.batches for number in batch) == list(range(30))


async def test_who_is_cancelled_before_it_was_taken_is_not_written() -> None:
    disk = Disk()
    disk.free.clear()
    async with running(disk) as writer, anyio.create_task_group() as callers:
        callers.start_soon(writer.do, Number(0))
        await disk.until_busy()
        async with anyio.create_task_group() as impatient:
            impatient.start_soon(writer.do, Number(1))
            await wait_all_tasks_blocked()
            impatient.cancel_scope.cancel()
        disk.free.set()
    assert disk.batches == [[0]]


async def test_who_is_cancelled_while_it_is_written_does_not_disturb_the_others() -> None:
    disk = Disk()
    disk.free.clear()
    async with running(disk) as writer:
        async with anyio.create_task_group() as impatient:
            impatient.start_soon(writer.do, Number(1))
            await disk.until_busy()
            impatient.cancel_scope.cancel()
        disk.free.set()
        assert await writer.do(Number(2)) == 4
    assert disk.batches == [[1], [2]]


async def test_what_waits_when_it_closes_is_written_and_later_comers_are_refused() -> None:
    disk = Disk()
    disk.free.clear()
    answers: list[int] = []

    async def call(writer: Writer, number: int) -> None:
        answers.append(await writer.do(Number(number)))

    async with anyio.create_task_group() as callers, running(disk) as writer:
        for number in range(3):
            callers.start_soon(call, writer, number)
        await disk.until_busy()
    assert sorted(answers) == [0, 2, 4]
    with pytest.raises(NotRunningError):
        await writer.do(Number(9))
