"""The ways of copying a file that is in use, as docs/concepts/operations.md has them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from convergekit import Hub

pytestmark = pytest.mark.anyio


def backed_up(source: Path, copy: Path) -> None:
    """What `.backup` does."""
    with closing(sqlite3.connect(source)) as ledger, closing(sqlite3.connect(copy)) as target:
        ledger.backup(target)


def vacuumed(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source)) as ledger:
        ledger.execute("VACUUM INTO ?", (str(copy),))


@pytest.mark.parametrize("how", [backed_up, vacuumed])
async def test_a_copy_that_is_made_while_it_is_in_use_is_a_ledger(quick_path: Path, how: Any) -> None:
    """It has all that was answered before, whole and with its index, and works."""
    path, copy = quick_path / "ledger.db", quick_path / "copy.db"
    async with Hub(store=f"sqlite:///{path}", role="submit") as hub:
        await hub.add_channel("loop", {"adapter": "loopback"})
        before = [(await hub.submit(f"parcel {number}", to="loopback:ann")).id for number in range(50)]

        async def go_on() -> None:
            while True:
                await hub.submit("meanwhile", to="loopback:bob")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go_on)
            await run_sync(how, path, copy)
            tasks.cancel_scope.cancel()

    async with Hub(store=f"sqlite:///{copy}") as restored:
        await restored.add_channel("loop", {"adapter": "loopback"})
        known = {each.id for each in await restored.store.dispatches(limit=10**6)}
        assert known.issuperset(before)
        found = await restored.archive.search("parcel", limit=1000)
        assert {each.id for each in found.found} == set(before)
        await restored.idle()
        assert (await restored.archive.erase("loopback:ann")).erased == len(before)
        assert (await restored.archive.search("parcel")).found == ()
