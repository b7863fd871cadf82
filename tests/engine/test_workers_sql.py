"""Two workers on one real ledger, in a file and on a server: each learns from the ledger what the other has done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest

from convergekit import ChannelOptions, Hub, MessageReceived, Status
from convergekit.abc import Outgoing
from convergekit.adapters.loopback import Medium
from convergekit.engine.options import Rate
from tests.engine.kit import ANN, ListeningConfig, ProbeConfig

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, quick_path: Path) -> Iterator[str]:
    """Of an empty ledger."""
    if request.param == "sqlite":
        yield f"sqlite:///{quick_path}/ledger.db"
    else:
        yield request.getfixturevalue("ledger_url")


async def test_a_process_that_only_submits_waits_for_what_a_worker_does(url: str) -> None:
    """`send` and `wait` return as soon as the other one has sent it, and not when their time is over."""
    medium = Medium()
    with anyio.fail_after(60):
        async with Hub(store=url, role="submit") as web, Hub(store=url) as worker:
            await web.add_channel("loop", {"adapter": "loopback"})
            await worker.add_channel("loop", {"adapter": "loopback"}, medium=medium)
            sent = await web.send("hello", to=ANN, timeout=None)
            assert sent.status is Status.ACCEPTED
            handle = await web.submit("hello again", to=ANN)
            assert await handle.wait(Status.ACCEPTED) is Status.ACCEPTED

    assert medium.texts() == ["hello", "hello again"]


async def test_one_hears_and_the_other_takes_over(url: str) -> None:
    """At once where the first one has left in good order."""
    heard_by: list[Hub] = []
    changed = anyio.Event()

    async def add(hub: Hub) -> None:
        async def listening(adapter: Any, task_status: Any) -> None:
            nonlocal changed
            heard_by.append(hub)
            changed.set()
            task_status.started()
            await adapter.context.admit(MessageReceived(key=f"k{len(heard_by)}", text="hello", sender="listening:a"))
            await anyio.sleep_forever()

        await hub.add_channel("ears", ListeningConfig(), listening=listening)

    with anyio.fail_after(60):
        async with Hub(store=url) as second:
            async with Hub(store=url) as first:
                await add(first)
                await add(second)
                assert heard_by == [first]
                assert second.channel("ears").state == "standby"
                changed = anyio.Event()
            began = monotonic()
            await changed.wait()
            assert heard_by == [first, second]
            assert monotonic() - began < 5  # and not the thirty seconds that a dead one would have


async def test_two_share_a_rate(url: str) -> None:
    """However many they are, the parts take as long as the rate says."""
    at: list[float] = []

    async def sending(out: Outgoing) -> None:
        at.append(monotonic())

    async def add(hub: Hub) -> None:
        options = ChannelOptions(rate=Rate(count=20), concurrency=4)
        await hub.add_channel("probe", ProbeConfig(), options=options, sending=sending)

    with anyio.fail_after(60):
        async with Hub(store=url) as one, Hub(store=url) as two:
            await add(one)
            await add(two)
            handles = [await hub.submit("hello", to=f"probe:{number}") for number in range(15) for hub in (one, two)]
            for handle in handles:
                await handle.wait(Status.ACCEPTED)

    assert len(at) == 30
    assert max(at) - min(at) >= 29 / 20 * 0.9
