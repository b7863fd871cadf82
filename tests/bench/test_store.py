"""The benchmark of the store counts what it drives, and says what it promises to say."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select

from bench.store.drive import drive, text
from bench.store.fill import Backlog, fill
from bench.store.ours import CHANNEL, at, store_at
from convergekit.engine.clock import SystemClock
from convergekit.stores.sql import schema
from tests.bench.running import figures

pytestmark = pytest.mark.anyio


def test_each_part_runs_and_says_what_it_found() -> None:
    lines = figures(*(f"store.{part}" for part in ("submit", "claims", "inbound", "archive", "memory")))

    assert all(line["ok"] for line in lines if line["goal"] == "0")


async def test_a_drive_makes_each_call_once() -> None:
    numbers: list[int] = []

    async def submit(number: int) -> None:
        numbers.append(number)

    driven = await drive(submit, producers=7, items=100, first=5)

    assert sorted(numbers) == list(range(5, 105))
    assert driven.rate > 0


def test_no_two_texts_are_the_same_and_each_is_a_kilobyte() -> None:
    texts = {text(number) for number in range(100)}

    assert len(texts) == 100
    assert {len(each) for each in texts} == {1000}


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_what_was_filled_can_be_claimed_and_is_in_the_order_that_was_asked_for(
    direction: str, tmp_path: Path
) -> None:
    url = at(tmp_path / "ledger.db")
    await fill(url, Backlog(direction=direction, finished=5, long=3, paused=4, pending=20, lanes=10))

    store = store_at(url)
    async with store.opened(SystemClock()):
        slots = {CHANNEL: 100} if direction == "out" else None
        claim = await store.claim(direction, limit=100, seconds=60, slots=slots)

    lanes = [lease.lane for lease in claim.leases if lease.lane.channel == CHANNEL]
    assert len(set(lanes)) == len(lanes) == 11  # ten, and the long one
    with create_engine(url).connect() as connection:
        assert connection.execute(select(func.count()).select_from(schema.item)).scalar() == 3 + 4 + 20
        assert connection.execute(select(func.count()).select_from(schema.lane)).scalar() == 11 + 4
