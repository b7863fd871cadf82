"""Workers are killed while messages go out and come in, and afterwards every sum is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from .driver import tortured
from .launch import Processes
from .plan import Torture, planned
from .sums import Sums, summed

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]  # the workers run on both


async def torture(url: str, log: Path, much: Torture) -> Sums:
    async with Processes.opened(url, log) as processes:
        sums = summed(await tortured(planned(much), processes))
    print(sums.figures, log.read_text()[-10_000:])  # noqa: ASYNC240 - shown when it fails, and nothing else runs
    return sums


async def test_ten_kills_on_sqlite(tmp_path: Path) -> None:
    """`make torture` does two hundred."""
    sums = await torture(
        f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "log", Torture(seed=1, out=100, into=100, kills=10)
    )

    assert sums.wrong == []


async def test_two_processes_on_one_file(tmp_path: Path) -> None:
    """Two that work and one that submits share a file of SQLite, and are killed one after another."""
    sums = await torture(
        f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "log", Torture(seed=4, out=80, into=80, kills=4, workers=2)
    )

    assert sums.wrong == []


async def test_ten_kills_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """The same ledger, another engine."""
    sums = await torture(postgres_url, tmp_path / "log", Torture(seed=2, out=100, into=100, kills=10))

    assert sums.wrong == []


async def test_four_workers_are_killed_and_stopped(postgres_url: str, tmp_path: Path) -> None:
    """One that was stopped is given up for dead, and when it goes on again it changes nothing any more."""
    sums = await torture(
        postgres_url, tmp_path / "log", Torture(seed=3, out=100, into=100, kills=5, stops=4, workers=4)
    )

    assert sums.wrong == []
