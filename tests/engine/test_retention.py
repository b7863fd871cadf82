"""What was said is kept for as long as the settings say, by channel; what is still to be done is kept in any case."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from convergekit import Hub, MemoryStore, MessageReceived
from convergekit.abc import Admission
from convergekit.engine.retention import EVERY, Keeper, Retention
from convergekit.errors import StoreError
from convergekit.testing import FakeClock
from tests.engine.kit import ANN
from tests.stores.kit import stream

pytestmark = pytest.mark.anyio

DAY = 86_400.0


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (Retention(days=30), {"alerts-1": 30, "mail": 30}),
        (Retention(channels={"alerts-*": 1}), {"alerts-1": 1, "mail": None}),
        (Retention(days=30, channels={"alerts-1": 2, "alerts-*": 1, "mail": 3650}), {"alerts-1": 2, "mail": 3650}),
        (Retention(), {"mail": None}),
    ],
)
def test_the_first_that_fits_counts(retention: Retention, kept: dict[str, float | None]) -> None:
    assert {channel: retention.days_of(channel) for channel in kept} == kept


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": -1}, {"channels": {"a": 0}}, {"days": float("inf")}])
def test_no_time_at_all_is_no_retention(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Retention.model_validate(wrong)


def heard(key: str, channel: str) -> MessageReceived:
    return MessageReceived(key=key, channel=channel, text=f"{key} on {channel}", sender=ANN)


async def done(store: MemoryStore, *events: MessageReceived) -> None:
    """Events that came in, and were handled."""
    for event in events:
        await store.admit(event.channel, [event])
    for lease in (await store.claim("in", limit=100, seconds=60)).leases:
        await store.finish(lease)


async def said(store: MemoryStore) -> list[str]:
    return sorted(each.text for each in (await store.archive.search(limit=100)).found)


async def test_what_is_old_goes_channel_by_channel() -> None:
    """That it was there is known all the same; and what waits stays."""
    store, clock = MemoryStore(), FakeClock()
    keeper = Keeper(store, clock, Retention(days=10, channels={"b*": 1, "long": 100}), lambda: "us")
    async with store.opened(clock):
        await done(store, *(heard("1", name) for name in ("brief", "long", "normal")))
        await store.admit("brief", [heard("2", "brief")])
        counts = await store.counts()
        clock.advance(2 * DAY)
        assert await keeper.once() == 1
        assert await said(store) == ["1 on long", "1 on normal", "2 on brief"]
        clock.advance(10 * DAY)
        assert await keeper.once() == 1
        assert await said(store) == ["1 on long", "2 on brief"]
        assert await store.counts() == counts
        assert await store.admit("brief", [heard("1", "brief")]) == (Admission.DUPLICATE,)


async def test_it_is_looked_at_again_and_again_by_one_process() -> None:
    """Whoever owns it; another takes over when that one goes away."""
    store, clock = MemoryStore(), FakeClock()
    async with store.opened(clock), anyio.create_task_group() as tasks:
        await done(store, heard("1", "c"))
        fence = await store.own("retention", "another", 5 * EVERY)
        assert fence is not None
        tasks.start_soon(Keeper(store, clock, Retention(days=0.1), lambda: "us").run)
        for _ in range(3):
            await anyio.wait_all_tasks_blocked()
            clock.advance(EVERY)
        await anyio.wait_all_tasks_blocked()
        assert await said(store) == ["1 on c"]
        await store.disown(fence)
        clock.advance(EVERY)
        await anyio.wait_all_tasks_blocked()
        assert await said(store) == []
        tasks.cancel_scope.cancel()


async def test_a_worker_keeps_to_it() -> None:
    """As its hub was told."""
    store, clock = MemoryStore(), FakeClock()
    async with store.opened(clock):
        await done(store, heard("1", "c"))
        clock.advance(DAY)
    async with Hub(store=store, clock=clock, retention=Retention(days=0.5)):
        await anyio.wait_all_tasks_blocked()
        clock.advance(600)
        await anyio.wait_all_tasks_blocked()
        assert await said(store) == []


async def test_what_nothing_names_goes_though_nobody_asks_for_retention() -> None:
    """Content of messages that never were would else pile up."""
    store, clock = MemoryStore(), FakeClock()
    async with store.opened(clock):
        lost = await store.keep(stream(b"x"))
        clock.advance(DAY)
    async with Hub(store=store, clock=clock):
        await anyio.wait_all_tasks_blocked()
        clock.advance(600)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(StoreError, match=lost.ref):
            async with store.open(lost):
                pass
