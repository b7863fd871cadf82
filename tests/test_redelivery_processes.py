"""Redelivery from several processes on one ledger, one of which is killed half-way: each message goes once more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import anyio
import pytest

from convergekit import Hub, via
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import Medium
from convergekit.errors import RejectedError
from convergekit.hub import Only
from convergekit.model import Dispatch, Receipt

MANY = 60
#: A process that redelivers, says each that it has done, and goes on until it is killed.
REDELIVERS = """
import sys
from datetime import datetime
import anyio
from convergekit import Hub
from convergekit.adapters.loopback import Medium

async def main(url, only, until):
    async with Hub(store=url, role="submit") as hub:
        await hub.add_channel("hooks", {"adapter": "loopback"}, medium=Medium(idempotent=True))
        async for each in hub.redeliveries("hooks", only=only, until=datetime.fromisoformat(until)):
            print(each.delivery.id, flush=True)

anyio.run(main, *sys.argv[1:])
"""


@dataclass(slots=True, repr=False)
class Far(Medium):
    """The medium, which knows a repeat, and every call that reached it."""

    calls: list[Outgoing] = field(default_factory=list)

    async def take(self, out: Outgoing, files: Sequence[bytes] = ()) -> Receipt:
        self.calls.append(out)
        return await Medium.take(self, out, files)


async def _with_channel(hub: Hub, medium: Medium) -> None:
    await hub.add_channel("hooks", {"adapter": "loopback", "attempts": 1, "concurrency": 64}, medium=medium)


async def _submitted(url: str, *, refused: bool) -> None:
    """That many, to several addresses, of which all are refused, or none."""
    medium = Medium(idempotent=True)
    if refused:
        medium.script(*[RejectedError("no such endpoint") for _ in range(MANY)])
    async with Hub(store=url, drain=60) as hub:
        await _with_channel(hub, medium)
        async with anyio.create_task_group() as tasks:
            for number in range(MANY):
                tasks.start_soon(_submit, hub, number)


async def _submit(hub: Hub, number: int) -> None:
    handle = await hub.submit(f"{number}", to=f"loopback:{number % 8}", via=via("hooks"))
    await handle.settled(60)


async def _kept(hub: Hub) -> Sequence[Dispatch]:
    return await hub.store.dispatches(limit=2 * MANY)


@pytest.mark.anyio
async def test_two_hubs_on_one_file_at_once_make_no_double(tmp_path: Path) -> None:
    """Each message is saved by the one that was faster, and the other one leaves it."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    await _submitted(url, refused=True)
    sums: list[int] = []
    hubs = [Hub(store=url, role="submit", random=Random(seed)) for seed in (1, 2)]
    with anyio.fail_after(120):
        async with hubs[0], hubs[1], anyio.create_task_group() as tasks:
            for hub in hubs:
                await _with_channel(hub, Medium(idempotent=True))

                async def run(hub: Hub = hub) -> None:
                    sums.append((await hub.redeliver(channel="hooks")).again)

                tasks.start_soon(run)
        assert sum(sums) == MANY
        far = Far(idempotent=True)
        async with Hub(store=url) as worker:
            await _with_channel(worker, far)
            await worker.idle()
            assert {len(each.deliveries) for each in await _kept(worker)} == {2}
    assert Counter(out.message.text for out in far.calls) == Counter(f"{number}" for number in range(MANY))


@pytest.mark.parametrize("only", ["failed", "all"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_run_that_is_killed_and_repeated_makes_no_double(
    anyio_backend: str, only: Only, tmp_path: Path
) -> None:
    """Also of what was taken, where both say the same `until`, though a worker has sent much of it in between."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    await _submitted(url, refused=only == "failed")
    until = datetime.now(UTC)
    far = Far(idempotent=True)
    with anyio.fail_after(120):
        async with Hub(store=url) as worker:
            await _with_channel(worker, far)
            done = await anyio.to_thread.run_sync(_killed, url, only, until)
            assert 20 <= done < MANY, "it was killed half-way"
            await worker.redeliver(channel="hooks", only=only, until=until)
            await worker.idle()
            assert {len(each.deliveries) for each in await _kept(worker)} == {2}
            assert (await worker.redeliver(channel="hooks", only=only, until=until)).again == 0
    assert Counter(out.message.text for out in far.calls) == Counter(f"{number}" for number in range(MANY))
    assert {out.key for out in far.calls} == {each.deliveries[0].key for each in await _opened(url)}


async def _opened(url: str) -> Sequence[Dispatch]:
    async with Hub(store=url, role="submit") as hub:
        return await _kept(hub)


def _killed(url: str, only: str, until: datetime) -> int:
    """Let a process redeliver twenty, and kill it; returns how many it has done."""
    command = [sys.executable, "-c", REDELIVERS, url, only, until.isoformat()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            assert process.stdout.readline(), "it has ended before it was killed"
        os.kill(process.pid, signal.SIGKILL)
        return 20 + len(process.stdout.readlines())
